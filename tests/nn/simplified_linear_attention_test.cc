// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/simplified_linear_attention.h"

#include "tests/expect_error.h"
#include "tests/nn/blocks.h"

namespace fovea::nn {
namespace {

using test::block_bound;
using test::ListedSource;
using test::TestMap;

constexpr int kWidth = 6;
constexpr SimplifiedLinearOptions kWindow = {.heads = 2, .kernel = 3, .h = 5, .w = 7};
constexpr SimplifiedLinearOptions kReduced = {
    .heads = 3, .kernel = 5, .h = 6, .w = 4, .reduction = 2};

// The formulas of the header, one number at a time, for one image.
class Formula {
 public:
  Formula(const ListedSource& source, const SimplifiedLinearOptions& o, CMapF q, CMapF k, CMapF v)
      : source_(source), o_(o), q_(q), k_(k), v_(v) {}

  double operator()(int token, int c) const {
    const int dim = kWidth / o_.heads, first = c / dim * dim;
    double numerator = 0, denominator = 1e-6;
    for (int j = 0; j < k_.rows(); ++j) {
      double weight = 0;
      for (int i = first; i < first + dim; ++i) {
        const double key = k_.row(j)[i] + number("positional_encoding", j * kWidth + i);
        weight += std::max(0.0, double{q_.row(token)[i]}) * std::max(0.0, key);
      }
      numerator += weight * v_.row(j)[c];
      denominator += weight;
    }
    return numerator / denominator + convolved(token / o_.w, token % o_.w, c, c % dim);
  }

 private:
  double number(const std::string& name, int i) const {
    return source_.load(name).to_floats()[static_cast<std::size_t>(i)];
  }

  // Value `token` of a sequence as long as the queries', between those that there are.
  double stretched(int token, int c) const {
    const auto count = static_cast<int>(v_.rows());
    const double at = std::clamp((token + 0.5) * count / (o_.h * o_.w) - 0.5, 0.0, count - 1.0);
    const int below = static_cast<int>(at), above = std::min(below + 1, count - 1);
    return v_.row(below)[c] * (1 - (at - below)) + v_.row(above)[c] * (at - below);
  }

  double convolved(int row, int column, int c, int in_head) const {
    double sum = number("dwc.bias", in_head);
    const int side = o_.kernel;
    for (int i = 0; i < side * side; ++i) {
      const int y = row + i / side - side / 2, x = column + i % side - side / 2;
      if (y < 0 || y >= o_.h || x < 0 || x >= o_.w) continue;
      sum += number("dwc.weight", in_head * side * side + i) * stretched(y * o_.w + x, c);
    }
    return sum;
  }

  const ListedSource& source_;
  SimplifiedLinearOptions o_;
  CMapF q_, k_, v_;
};

TEST(SimplifiedLinearMixing, IsTheFormulaOnEveryBackend) {
  for (const SimplifiedLinearOptions& o : {kWindow, kReduced}) {
    const TestMap q(2, o.h, o.w, kWidth, 2, 1), y(2, o.h, o.w, kWidth, 1, 2);
    const int kh = o.h / o.reduction, kw = o.w / o.reduction;
    const TestMap k(2, kh, kw, kWidth, 2, 3), v(2, kh, kw, kWidth, 3, 4);
    const auto build = [&](const Params& p) { return SimplifiedLinearMixing(p, kWidth, o); };
    const ListedSource source = test::weights_for(build);
    std::vector<float> wanted;
    for (int n = 0; n < 2; ++n) {
      const Formula formula(source, o, q.map().image(n), k.map().image(n), v.map().image(n));
      for (int i = 0; i < o.h * o.w; ++i) {
        for (int c = 0; c < kWidth; ++c) wanted.push_back(static_cast<float>(formula(i, c)));
      }
    }
    for (const std::string_view name : backend_names()) {
      const auto backend = make_backend(name);
      const SimplifiedLinearMixing block = test::build_with(build, source, *backend);
      Context ctx(2);
      block.forward(q, k, v, y, ctx);
      EXPECT_TRUE(y.gaps_intact());
      const std::vector<float> found = test::dense(y);
      EXPECT_LE(test::relative_l2(found.data(), wanted.data(),
                                  static_cast<std::ptrdiff_t>(wanted.size())),
                block_bound(3, o.h * o.w))
          << name;
    }
  }
}

// What the reference does to a map that is not square: its tokens are convolved as a square one.
TEST(SimplifiedLinearMixing, TakesTokensInAnyArrangement) {
  const SimplifiedLinearOptions o = {.heads = 2, .kernel = 3, .h = 4, .w = 4};
  const auto build = [&](const Params& p) { return SimplifiedLinearMixing(p, kWidth, o); };
  const auto backend = make_backend("native");
  const ListedSource source = test::weights_for(build);
  const SimplifiedLinearMixing block = test::build_with(build, source, *backend);
  const TestMap q(2, 4, 4, kWidth, 2, 1), k(2, 4, 4, kWidth, 2, 3), v(2, 4, 4, kWidth, 3, 4);
  const TestMap a(2, 4, 4, kWidth, 0, 1), b(2, 1, 16, kWidth, 0, 2);
  Context ctx(1);
  block.forward(q, k, v, a, ctx);
  block.forward(q.map().tokens(), k.map().reshaped(2, 2, 8), v.map().reshaped(2, 2, 8), b, ctx);
  EXPECT_EQ(test::dense(a), test::dense(b));
}

TEST(SimplifiedLinearMixing, RefusesWhatTheFormulaHasNoMeaningFor) {
  const auto backend = make_backend("reference");
  ParamLog log;
  const Params p = Params(nullptr, *backend, log) / "attn";
  const auto refuses = [&](SimplifiedLinearOptions o, const char* message) {
    expect_error([&] { SimplifiedLinearMixing(p, 8, o); }, Error::Kind::argument, message);
  };
  refuses({.heads = 3}, "linear attention \"attn\": 8 channels do not divide into 3 heads");
  refuses({.kernel = 4}, "a kernel of 4; wanted an odd one");
  refuses({.h = 2, .reduction = 4}, "a map of 2 x 14 positions reduced 4 times");
}

}  // namespace
}  // namespace fovea::nn
