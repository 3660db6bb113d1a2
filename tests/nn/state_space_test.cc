// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/state_space.h"

#include "tests/expect_error.h"
#include "tests/nn/blocks.h"

namespace fovea::nn {
namespace {

using test::block_bound;
using test::ListedSource;
using test::TestMap;
using Gate = StateSpaceGate;

constexpr int kWidth = 6, kRows = 3, kColumns = 4;

constexpr StateSpaceOptions kMamba2 = {.inner = 12, .heads = 4, .state = 3, .groups = 2};
constexpr StateSpaceOptions kNormFirst = {.inner = 8,
                                          .heads = 2,
                                          .state = 5,
                                          .kernel = 1,
                                          .bias = true,
                                          .d_per_channel = true,
                                          .gate = Gate::norm_then_silu};
constexpr StateSpaceOptions kUnnormed = {
    .heads = 3, .state = 2, .kernel = 3, .conv_bias = false, .gate = Gate::silu};
constexpr StateSpaceOptions kVssd = {.inner = 12,
                                     .heads = 4,
                                     .state = 3,
                                     .groups = 2,
                                     .causal = false,
                                     .positive_a = true,
                                     .kernel = 3,
                                     .gate = Gate::norm_then_z};
constexpr StateSpaceOptions kCausalMap = {
    .inner = 8, .heads = 2, .state = 4, .map_conv = true, .kernel = 5, .gate = Gate::norm_then_z};

// The formulas of the header for one image, one number at a time, in double.
class Formula {
 public:
  using Rows = std::vector<std::vector<double>>;  // one per token

  Formula(const ListedSource& source, const StateSpaceOptions& o)
      : source_(source), o_(o), inner_(o.inner > 0 ? o.inner : 2 * kWidth) {}

  Rows operator()(CMapF x) const {
    Rows in;
    for (int t = 0; t < x.rows(); ++t) in.emplace_back(x.row(t), x.row(t) + x.c);
    const Rows projected = linear("in_proj", in);
    const Rows y = gated(mixed(projected, convolved(projected)), projected);
    return linear("out_proj", y);
  }

 private:
  double number(const std::string& name, int i) const {
    return source_.load(name).to_floats()[static_cast<std::size_t>(i)];
  }
  static double silu(double v) { return v / (1 + std::exp(-v)); }
  static double at(const Rows& rows, int t, int i) {
    return rows[static_cast<std::size_t>(t)][static_cast<std::size_t>(i)];
  }
  int width() const { return inner_ + 2 * o_.groups * o_.state; }
  int tokens() const { return kRows * kColumns; }

  Rows linear(const std::string& name, const Rows& x) const {
    const Shape shape = source_.load(name + ".weight").shape();
    const int out = static_cast<int>(shape[0]), in = static_cast<int>(shape[1]);
    Rows y(x.size());
    for (int t = 0; t < tokens(); ++t) {
      for (int o = 0; o < out; ++o) {
        double sum = o_.bias ? number(name + ".bias", o) : 0;
        for (int i = 0; i < in; ++i) sum += number(name + ".weight", o * in + i) * at(x, t, i);
        y[static_cast<std::size_t>(t)].push_back(sum);
      }
    }
    return y;
  }

  // silu(conv(v)) of one channel at one token.
  double convolved(const Rows& projected, int t, int c) const {
    const int k = o_.kernel;
    const bool line = o_.causal && !o_.map_conv;
    const std::string name = line ? "conv1d" : "conv2d";
    double sum = o_.conv_bias ? number(name + ".bias", c) : 0;
    for (int i = 0; i < (line ? k : k * k); ++i) {
      int from = t - (k - 1) + i;
      if (!line) {
        const int row = t / kColumns + i / k - k / 2, column = t % kColumns + i % k - k / 2;
        const bool inside = row >= 0 && row < kRows && column >= 0 && column < kColumns;
        from = inside ? row * kColumns + column : -1;
      }
      if (from < 0) continue;
      sum += number(name + ".weight", c * (line ? k : k * k) + i) * at(projected, from, inner_ + c);
    }
    return silu(sum);
  }
  Rows convolved(const Rows& projected) const {
    Rows u(projected.size());
    for (int t = 0; t < tokens(); ++t) {
      for (int c = 0; c < width(); ++c) {
        u[static_cast<std::size_t>(t)].push_back(convolved(projected, t, c));
      }
    }
    return u;
  }

  // What token `from` adds to channel c of token t.
  double contribution(const Rows& projected, const Rows& u, int t, int from, int c) const {
    const int head = c / (inner_ / o_.heads), values = o_.groups * o_.state;
    const int group = o_.causal ? head / (o_.heads / o_.groups) : head % o_.groups;
    const auto step = [&](int token) {
      const double raw = at(projected, token, inner_ + width() + head) + number("dt_bias", head);
      return std::log1p(std::exp(raw));
    };
    double product = 0;
    for (int i = group * o_.state; i < (group + 1) * o_.state; ++i) {
      product += at(u, t, inner_ + values + i) * at(u, from, inner_ + i);
    }
    const double a = (o_.positive_a ? 1 : -1) * std::exp(number("A_log", head));
    double decay = o_.causal ? 1 : a;
    for (int i = from + 1; o_.causal && i <= t; ++i) decay *= std::exp(step(i) * a);
    return decay * step(from) * product * at(u, from, c);
  }
  Rows mixed(const Rows& projected, const Rows& u) const {
    Rows y(u.size());
    for (int t = 0; t < tokens(); ++t) {
      for (int c = 0; c < inner_; ++c) {
        double sum = number("D", o_.d_per_channel ? c : c / (inner_ / o_.heads)) * at(u, t, c);
        const int end = o_.causal ? t + 1 : tokens();
        for (int from = 0; from < end; ++from) sum += contribution(projected, u, t, from, c);
        y[static_cast<std::size_t>(t)].push_back(sum);
      }
    }
    return y;
  }

  Rows gated(Rows y, const Rows& projected) const {
    for (int t = 0; t < tokens(); ++t) {
      std::vector<double>& row = y[static_cast<std::size_t>(t)];
      const auto gate = [&](bool activated) {
        for (int c = 0; c < inner_; ++c) {
          const double z = at(projected, t, c);
          row[static_cast<std::size_t>(c)] *= activated ? silu(z) : z;
        }
      };
      if (o_.gate == Gate::silu || o_.gate == Gate::silu_then_norm) gate(true);
      if (o_.gate != Gate::silu) normalise(row);
      if (o_.gate == Gate::norm_then_silu) gate(true);
      if (o_.gate == Gate::norm_then_z) gate(false);
    }
    return y;
  }
  void normalise(std::vector<double>& row) const {
    const bool layer = o_.gate == Gate::norm_then_z;
    const int part = layer ? inner_ : inner_ / o_.groups;
    for (int first = 0; first < inner_; first += part) {
      double* const v = row.data() + first;
      double mean = 0, square = 0;
      for (int i = 0; i < part; ++i) mean += layer ? v[i] / part : 0;
      for (int i = 0; i < part; ++i) square += (v[i] - mean) * (v[i] - mean) / part;
      for (int i = 0; i < part; ++i) {
        v[i] = (v[i] - mean) / std::sqrt(square + double{o_.norm_eps}) *
               number("norm.weight", first + i);
        if (layer) v[i] += number("norm.bias", first + i);
      }
    }
  }

  const ListedSource& source_;
  StateSpaceOptions o_;
  int inner_;
};

TEST(StateSpaceDuality, IsTheFormulaOnEveryBackend) {
  for (const StateSpaceOptions& o : {kMamba2, kNormFirst, kUnnormed, kVssd, kCausalMap}) {
    const TestMap x(2, kRows, kColumns, kWidth, 2, 1), y(2, kRows, kColumns, kWidth, 1, 2);
    const auto build = [&](const Params& p) {
      return std::make_unique<StateSpaceDuality>(p, kWidth, o);
    };
    const ListedSource source = test::weights_for(build);
    std::vector<float> wanted;
    for (int n = 0; n < 2; ++n) {
      for (const std::vector<double>& row : Formula(source, o)(x.map().image(n))) {
        for (const double v : row) wanted.push_back(static_cast<float>(v));
      }
    }
    for (const std::string_view name : backend_names()) {
      const auto backend = make_backend(name);
      const auto block = test::build_with(build, source, *backend);
      Context ctx(2);
      block->forward(x, y, ctx, {});
      EXPECT_TRUE(y.gaps_intact());
      const std::vector<float> found = test::dense(y);
      EXPECT_LE(test::relative_l2(found.data(), wanted.data(),
                                  static_cast<std::ptrdiff_t>(wanted.size())),
                block_bound(5, kRows * kColumns * kWidth))
          << name << ", gate " << static_cast<int>(o.gate);
    }
  }
}

TEST(StateSpaceDuality, GivesACausalTokenNothingOfThoseAfterIt) {
  const auto build = [](const Params& p) {
    return std::make_unique<StateSpaceDuality>(p, kWidth, kMamba2);
  };
  const auto backend = make_backend("native");
  const ListedSource source = test::weights_for(build);
  const auto block = test::build_with(build, source, *backend);
  const TestMap x(1, 1, 9, kWidth, 0, 1), changed = x, a(1, 1, 9, kWidth, 0), b = a;
  for (int c = 0; c < kWidth; ++c) changed.map().row(5)[c] += 1.0f;
  Context ctx(1);
  block->forward(x, a, ctx, {});
  block->forward(changed, b, ctx, {});
  const std::vector<float> before = test::dense(a), after = test::dense(b);
  for (std::size_t t = 0; t < 9; ++t) {
    const auto from = static_cast<std::ptrdiff_t>(t * kWidth);
    const bool same =
        std::equal(before.begin() + from, before.begin() + from + kWidth, after.begin() + from);
    EXPECT_EQ(same, t < 5) << "token " << t;
  }
}

TEST(StateSpaceDuality, RefusesNumbersThatDoNotDivideEachOther) {
  const auto backend = make_backend("reference");
  ParamLog log;
  const Params p = Params(nullptr, *backend, log) / "mixer";
  const auto refuses = [&](const StateSpaceOptions& o, const char* message) {
    expect_error([&] { StateSpaceDuality(p, 8, o); }, Error::Kind::argument, message);
  };
  refuses({.heads = 3}, "state space \"mixer\": 16 channels do not divide into 3 heads");
  refuses({.heads = 4, .groups = 3}, "4 heads do not divide into 3 groups");
  refuses({.state = 0}, "a state of 0 values");
  refuses({.causal = false, .kernel = 4}, "a kernel of 4; wanted an odd one");
  refuses({.kernel = 0}, "a kernel of 0");
}

}  // namespace
}  // namespace fovea::nn
