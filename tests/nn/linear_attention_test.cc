// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/linear_attention.h"

#include "tests/expect_error.h"
#include "tests/nn/blocks.h"

namespace fovea::nn {
namespace {

using test::block_bound;
using test::ListedSource;
using test::TestMap;

constexpr int kWidth = 6, kH = 4, kW = 5;

// The formulas of the header, one number at a time, for one image of kH x kW tokens.
class Formula {
 public:
  Formula(const ListedSource& source, const LinearMixingOptions& o, CMapF q, CMapF k, CMapF v)
      : source_(source), o_(o), q_(q), k_(k), v_(v) {}

  double operator()(int token, int c) const {
    const int dim = kWidth / o_.heads, first = c / dim * dim;
    const double count = o_.mean ? static_cast<double>(k_.rows()) : 1.0;
    const std::vector<double> query = mapped(q_, token, first, dim, false);
    double numerator = 0, denominator = o_.eps;
    for (int j = 0; j < k_.rows(); ++j) {
      const std::vector<double> key = mapped(k_, j, first, dim, o_.positions);
      double weight = 0;
      for (std::size_t i = 0; i < key.size(); ++i) weight += query[i] * key[i] / count;
      numerator += weight * v_.row(j)[c];
      denominator += weight;
    }
    return (o_.normalize ? numerator / denominator : numerator) + convolved(token, c);
  }

 private:
  double number(const std::string& name, int i) const {
    return source_.load(name).to_floats()[static_cast<std::size_t>(i)];
  }

  std::vector<double> mapped(CMapF x, int token, int first, int dim, bool positions) const {
    if (o_.map == FeatureMap::performer) return projected(x, token, first, dim);
    std::vector<double> y;
    double before = 0, after = 0;
    for (int i = first; i < first + dim; ++i) {
      double value = x.row(token)[i];
      if (positions) value += number("positional_encoding", token * kWidth + i);
      const double positive = std::max(value, 0.0);
      if (o_.map == FeatureMap::relu) value = positive;
      if (o_.map == FeatureMap::elu_plus_one) value = value > 0 ? value + 1 : std::exp(value);
      if (o_.map == FeatureMap::exp) value = std::exp(value);
      if (o_.map == FeatureMap::focused) value = positive * positive * positive;
      before += positive * positive;
      after += value * value;
      y.push_back(value);
    }
    if (o_.map == FeatureMap::focused && after > 0) {
      for (double& value : y) value *= std::sqrt(before / after);
    }
    return y;
  }

  std::vector<double> projected(CMapF x, int token, int first, int dim) const {
    std::vector<double> y;
    for (int f = 0; f < o_.features; ++f) {
      double exponent = 0;
      for (int i = 0; i < dim; ++i) {
        const double value = x.row(token)[first + i];
        exponent += number("w", f * dim + i) * value - value * value / 2;
      }
      y.push_back(std::exp(exponent) / std::sqrt(o_.features));
    }
    return y;
  }

  double convolved(int token, int c) const {
    if (o_.kernel == 0) return 0;
    const int side = o_.kernel, row = token / kW, column = token % kW;
    const int channel = o_.shared_kernel ? c % (kWidth / o_.heads) : c;
    double sum = number("dwc.bias", channel);
    for (int i = 0; i < side * side; ++i) {
      const int y = row + i / side - side / 2, x = column + i % side - side / 2;
      if (y < 0 || y >= kH || x < 0 || x >= kW) continue;
      sum += number("dwc.weight", channel * side * side + i) * v_.row(y * kW + x)[c];
    }
    return sum;
  }

  const ListedSource& source_;
  LinearMixingOptions o_;
  CMapF q_, k_, v_;
};

void expect_formula(const LinearMixingOptions& o, const std::string& what) {
  const TestMap q(2, kH, kW, kWidth, 2, 1), k(2, kH, kW, kWidth, 2, 3), v(2, kH, kW, kWidth, 3, 4);
  const TestMap y(2, kH, kW, kWidth, 1, 2);
  const auto build = [&](const Params& p) { return LinearMixing(p, kWidth, o); };
  const ListedSource source = test::weights_for(build);
  std::vector<float> wanted;
  for (int n = 0; n < 2; ++n) {
    const Formula formula(source, o, q.map().image(n), k.map().image(n), v.map().image(n));
    for (int i = 0; i < kH * kW; ++i) {
      for (int c = 0; c < kWidth; ++c) wanted.push_back(static_cast<float>(formula(i, c)));
    }
  }
  for (const std::string_view name : backend_names()) {
    const auto backend = make_backend(name);
    const LinearMixing block = test::build_with(build, source, *backend);
    Context ctx(2);
    block.forward(q, k, v, y, ctx);
    EXPECT_TRUE(y.gaps_intact());
    const std::vector<float> found = test::dense(y);
    EXPECT_LE(
        test::relative_l2(found.data(), wanted.data(), static_cast<std::ptrdiff_t>(wanted.size())),
        block_bound(3, kH * kW))
        << name << ", " << what;
  }
}

TEST(LinearMixing, IsTheFormulaWithEveryFeatureMap) {
  expect_formula({.heads = 2, .map = FeatureMap::elu_plus_one}, "elu + 1");
  expect_formula({.heads = 3, .map = FeatureMap::relu}, "relu");
  expect_formula({.heads = 1, .map = FeatureMap::exp}, "exp");
  expect_formula({.heads = 2, .map = FeatureMap::focused}, "focused");
  expect_formula({.heads = 2, .map = FeatureMap::none, .normalize = false}, "none");
  expect_formula({.heads = 2, .map = FeatureMap::performer, .features = 5}, "performer");
}

TEST(LinearMixing, ConvolvesValuesAndAddsPositions) {
  LinearMixingOptions o = {.heads = 2, .kernel = 3};
  expect_formula(o, "a kernel for each channel");
  o.shared_kernel = true;
  expect_formula(o, "one kernel for all heads");
  o.positions = true;
  o.h = kH;
  o.w = kW;
  o.mean = true;
  o.eps = 0.5f;
  expect_formula(o, "positions, means");
}

TEST(LinearAttention, ProjectsWhatTheMixingGives) {
  const LinearMixingOptions o = {.heads = 2, .kernel = 5};
  const auto build = [&](const Params& p) {
    return LinearAttention(p, kWidth, true, LinearMixing(p, kWidth, o));
  };
  const TestMap x(3, 7, 2, kWidth, 1, 1), y(3, 7, 2, kWidth, 2, 2);  // no size is built in
  test::expect_backends_agree(
      build, [&](const auto& block, MapF out, Context& ctx) { block.forward(x, out, ctx, {}); }, y,
      block_bound(5, 3 * kWidth));
}

TEST(LinearMixing, RefusesWhatTheFormulaHasNoMeaningFor) {
  const auto backend = make_backend("reference");
  ParamLog log;
  const Params p = Params(nullptr, *backend, log) / "attn";
  const auto refuses = [&](LinearMixingOptions o, const char* message) {
    expect_error([&] { LinearMixing(p, 8, o); }, Error::Kind::argument, message);
  };
  refuses({.heads = 3}, "linear attention \"attn\": 8 channels do not divide into 3 heads");
  refuses({.kernel = 2}, "a kernel of 2; wanted an odd one");
  refuses({.features = 4}, "4 features of a projection; wanted some with the map performer");
  refuses({.map = FeatureMap::performer}, "0 features of a projection");
  refuses({.positions = true}, "a map of 0 x 0 positions");
}

}  // namespace
}  // namespace fovea::nn
