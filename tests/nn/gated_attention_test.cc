// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/gated_attention.h"

#include "tests/expect_error.h"
#include "tests/nn/blocks.h"

namespace fovea::nn {
namespace {

using test::block_bound;
using test::ListedSource;
using test::TestMap;
using Values = std::vector<double>;

constexpr int kWidth = 12;
constexpr GatedLinearOptions kPlain = {.heads = 3, .key_dim = 6, .gate_rank = 4};
constexpr GatedLinearOptions kActive = {.heads = 2,
                                        .key_dim = 12,
                                        .conv_bias = true,
                                        .conv_act = Activation::Kind::silu,
                                        .out_act = Activation::Kind::silu,
                                        .direction_scale = 0.5f,
                                        .normalizer = 4.0f};

double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double activated(const Activation& act, double x) {
  return act.kind == Activation::Kind::silu ? x * sigmoid(x) : x;
}

// The formula of the header for one image of (h, w) tokens, one number at a time.
class Formula {
 public:
  Formula(const ListedSource& source, const GatedLinearOptions& o) : source_(source), o_(o) {}

  Values operator()(const Values& x, int h, int w) const {
    const Values local = convolved(x, h, w);
    const Values qkv = linear("qkv_proj", local, kWidth, false);
    const Values gates =
        linear("gk_proj.1", linear("gk_proj.0", local, kWidth, false), o_.gate_rank, true);
    Values o(x.size(), 0.0);
    scan(qkv, gates, h * w, false, o);
    scan(qkv, gates, h * w, true, o);
    const Values scanned = normalised("g_norm", o), beside = normalised("l_norm", local);
    const Values mix = linear("g_proj", local, kWidth, true);
    for (std::size_t i = 0; i < o.size(); ++i) {
      const double g = sigmoid(mix[i]);
      o[i] = activated(o_.out_act, scanned[i] * g + beside[i] * (1 - g));
    }
    return linear("o_proj", o, kWidth, false);
  }

 private:
  std::vector<float> weight(const std::string& name) const {
    const FloatBuffer values = source_.load(name).to_floats();
    return {values.begin(), values.end()};
  }
  static std::size_t at(int row, int columns, int column) {
    return static_cast<std::size_t>(row * columns + column);
  }

  Values linear(const std::string& name, const Values& x, int in, bool bias) const {
    const std::vector<float> m = weight(name + ".weight");
    const int out = static_cast<int>(m.size()) / in, rows = static_cast<int>(x.size()) / in;
    Values y;
    for (int r = 0; r < rows; ++r) {
      for (int j = 0; j < out; ++j) {
        double sum = bias ? weight(name + ".bias")[at(j, 1, 0)] : 0.0;
        for (int i = 0; i < in; ++i) sum += m[at(j, in, i)] * x[at(r, in, i)];
        y.push_back(sum);
      }
    }
    return y;
  }

  Values convolved(const Values& x, int h, int w) const {
    const std::vector<float> kernel = weight("in_proj.0.weight");
    Values y;
    for (int t = 0; t < h * w; ++t) {
      for (int c = 0; c < kWidth; ++c) {
        double sum = o_.conv_bias ? weight("in_proj.0.bias")[at(c, 1, 0)] : 0.0;
        for (int i = 0; i < 9; ++i) {
          const int row = t / w + i / 3 - 1, column = t % w + i % 3 - 1;
          if (row < 0 || row >= h || column < 0 || column >= w) continue;
          sum += kernel[at(c, 9, i)] * x[at(row * w + column, kWidth, c)];
        }
        y.push_back(activated(o_.conv_act, sum));
      }
    }
    return y;
  }

  // Adds one direction to o.
  void scan(const Values& qkv, const Values& gates, int tokens, bool backward, Values& o) const {
    const int keys = o_.key_dim, row = 2 * keys + kWidth;
    const int d = keys / o_.heads, dv = kWidth / o_.heads;
    for (int i = 0; i < keys; ++i) {  // one key channel at a time
      Values state(static_cast<std::size_t>(dv), 0.0);
      for (int step = 0; step < tokens; ++step) {
        const int t = backward ? tokens - 1 - step : step;
        const double raw = gates[at(t, 2 * keys, i + (backward ? keys : 0))];
        const double gate = std::pow(sigmoid(raw), 1.0 / o_.normalizer);
        const double q = qkv[at(t, row, i)] / std::sqrt(d), k = qkv[at(t, row, keys + i)];
        for (int j = 0; j < dv; ++j) {
          const int channel = i / d * dv + j;
          double& s = state[static_cast<std::size_t>(j)];
          s = gate * s + k * qkv[at(t, row, 2 * keys + channel)];
          o[at(t, kWidth, channel)] += o_.direction_scale * q * s;
        }
      }
    }
  }

  Values normalised(const std::string& name, const Values& x) const {
    const std::vector<float> scale = weight(name + ".weight");
    const std::size_t d = scale.size();
    Values y = x;
    for (std::size_t first = 0; first < x.size(); first += d) {
      double squares = 0;
      for (std::size_t i = 0; i < d; ++i) squares += x[first + i] * x[first + i];
      const double length = std::sqrt(squares / static_cast<double>(d) + o_.norm_eps);
      for (std::size_t i = 0; i < d; ++i) y[first + i] *= scale[i] / length;
    }
    return y;
  }

  const ListedSource& source_;
  GatedLinearOptions o_;
};

TEST(GatedLinearAttention, IsTheFormulaOnEveryBackend) {
  for (const GatedLinearOptions& o : {kPlain, kActive}) {
    const TestMap x(2, 3, 5, kWidth, 3, 1), y(2, 3, 5, kWidth, 2, 2);
    const auto build = [&](const Params& p) { return GatedLinearAttention(p, kWidth, o); };
    const ListedSource source = test::weights_for(build);
    const Formula formula(source, o);
    for (const std::string_view name : backend_names()) {
      const auto backend = make_backend(name);
      const GatedLinearAttention block = test::build_with(build, source, *backend);
      Context ctx(2);
      block.forward(x, y, ctx);
      EXPECT_TRUE(y.gaps_intact());
      for (int i = 0; i < 2; ++i) {
        const std::vector<float> image = test::dense(x.map().image(i));
        const Values exact = formula(Values(image.begin(), image.end()), 3, 5);
        const std::vector<float> found = test::dense(y.map().image(i));
        const std::vector<float> wanted(exact.begin(), exact.end());
        EXPECT_LE(test::relative_l2(found.data(), wanted.data(),
                                    static_cast<std::ptrdiff_t>(wanted.size())),
                  block_bound(8, kWidth + 15))
            << name;
      }
    }
  }
}

TEST(GatedLinearAttention, AddsItsResidualOnEveryBackend) {
  const TestMap x(3, 4, 2, kWidth, 1, 1);
  test::expect_backends_agree(
      [](const Params& p) { return GatedLinearAttention(p, kWidth, kActive); },
      [&](const GatedLinearAttention& block, MapF y, Context& ctx) {
        block.forward(x, y, ctx, {.residual = y});
      },
      TestMap(3, 4, 2, kWidth, 0, 2), block_bound(8, kWidth + 8));
}

TEST(GatedLinearAttention, RefusesHeadsThatDoNotDivideItsChannels) {
  const auto backend = make_backend("reference");
  ParamLog log;
  const Params p = Params(nullptr, *backend, log) / "attn";
  const auto refuses = [&](const GatedLinearOptions& o, const char* message) {
    expect_error([&] { GatedLinearAttention(p, 8, o); }, Error::Kind::argument, message);
  };
  refuses({.heads = 3, .key_dim = 6},
          "gated linear attention \"attn\": 8 channels do not divide into 3 heads");
  refuses({.heads = 0, .key_dim = 4}, "8 channels do not divide into 0 heads");
  refuses({.heads = 4, .key_dim = 6}, "6 channels of keys do not divide into 4 heads");
  refuses({.heads = 4}, "0 channels of keys do not divide into 4 heads");
}

}  // namespace
}  // namespace fovea::nn
