// SPDX-License-Identifier: Apache-2.0
// Operators on sequences and the small ones beside them: every backend against the reference, which
// takes the definitions step by step in double.
#include <gtest/gtest.h>

#include <cmath>

#include "tests/backend/operators.h"

namespace fovea::test {
namespace {

using Along = ScanWalk::Along;

std::vector<float> floats_between(std::size_t count, float lo, float hi, std::uint64_t seed) {
  std::vector<float> values = random_floats(count, seed);
  for (float& v : values) v = lo + (hi - lo) * (v + 1) / 2;
  return values;
}

// Random operands of a scan with `paths` paths, and of its parameters.
struct ScanOperands {
  ScanOperands(int n, int h, int w, int channels, int state, int groups, int rank, int paths)
      : u(n, h, w, channels, 3, 1),
        y(n, h, w, channels, 2, 2),
        parameters(n, h, w, paths * (rank + 2 * groups * state), 1, 3) {
    for (int k = 0; k < paths; ++k) {
      const std::uint64_t seed = 10 * static_cast<std::uint64_t>(k) + 5;
      const auto width = static_cast<std::size_t>(channels);
      dt_weight.push_back(random_floats(static_cast<std::size_t>(rank) * width, seed));
      dt_bias.push_back(floats_between(width, -4, 1, seed + 1));
      a.push_back(floats_between(static_cast<std::size_t>(state) * width, -8, -0.1f, seed + 2));
      d.push_back(random_floats(width, seed + 3));
      initial.push_back(random_floats(
          static_cast<std::size_t>(n) * static_cast<std::size_t>(state) * width, seed + 4));
      const int first = k * (rank + 2 * groups * state);
      ScanPath path;
      path.r = parameters.map().channels(first, rank);
      path.b = parameters.map().channels(first + rank, groups * state);
      path.c = parameters.map().channels(first + rank + groups * state, groups * state);
      path.dt_weight = dt_weight[k].data();
      path.dt_bias = dt_bias[k].data();
      path.a = a[k].data();
      path.d = d[k].data();
      all.push_back(path);
    }
  }

  TestMap u, y, parameters;
  std::vector<std::vector<float>> dt_weight, dt_bias, a, d, initial;
  std::vector<ScanPath> all;
};

TEST_P(Operators, SelectiveScanAgreesForEveryShapeAndWalk) {
  const struct {
    int n, h, w, channels, state, groups, rank;
  } cases[] = {{1, 5, 7, 8, 1, 1, 1},    {2, 3, 4, 33, 1, 1, 6}, {1, 9, 8, 96, 1, 1, 3},
               {1, 4, 5, 24, 16, 1, 2},  {3, 2, 2, 70, 3, 1, 5}, {1, 6, 6, 64, 2, 4, 2},
               {2, 1, 50, 16, 64, 1, 1}, {1, 1, 1, 5, 1, 1, 1},  {1, 13, 11, 130, 1, 2, 4},
               {1, 40, 2, 17, 5, 1, 1}};
  for (const auto& s : cases) {
    ScanOperands o(s.n, s.h, s.w, s.channels, s.state, s.groups, s.rank, 4);
    for (const bool snake : {false, true}) {
      const ScanWalk walks[4] = {{snake ? Along::snake_rows : Along::rows, false},
                                 {snake ? Along::snake_columns : Along::columns, false},
                                 {snake ? Along::snake_rows : Along::rows, true},
                                 {snake ? Along::snake_columns : Along::columns, true}};
      for (int k = 0; k < 4; ++k) {
        o.all[k].walks = {walks + k, 1};
        o.all[k].by_step = snake && k % 2 == 0;
        o.all[k].initial = k == 1 ? o.initial[k].data() : nullptr;
        if (k == 2) o.all[k].d = nullptr;
      }
      compare([&](const Backend& b, MapF y,
                  Context& ctx) { b.selective_scan(o.u, o.all, s.state, y, ctx); },
              o.y, 64, shape_string(o.u.map()) + " state " + std::to_string(s.state));
    }
  }
}

TEST_P(Operators, SelectiveScanKeepsItsStateBetweenTheWalksOfAPath) {
  ScanOperands o(2, 4, 3, 20, 2, 1, 2, 1);
  const ScanWalk walks[] = {{Along::rows, true}, {Along::columns, false}, {Along::columns, true}};
  o.all[0].walks = walks;
  compare([&](const Backend& b, MapF y, Context& ctx) { b.selective_scan(o.u, o.all, 2, y, ctx); },
          o.y, 64, "three walks");
}

// As many tokens as a 224 x 224 image has pixels: errors must not grow with the length.
TEST_P(Operators, SelectiveScanStaysExactOverLongSequences) {
  ScanOperands o(1, 224, 224, 4, 2, 1, 1, 1);
  o.dt_bias[0].assign(4, -7.0f);  // slow: a state that remembers thousands of tokens
  o.a[0].assign(8, -0.05f);
  const ScanWalk walk;
  o.all[0].walks = {&walk, 1};
  compare([&](const Backend& b, MapF y, Context& ctx) { b.selective_scan(o.u, o.all, 2, y, ctx); },
          o.y, 64, "50,176 tokens");
}

TEST_P(Operators, StateSpaceAgreesInBothForms) {
  const struct {
    int n, tokens, heads, groups, p, state;
  } cases[] = {{1, 7, 1, 1, 8, 4},
               {2, 65, 4, 2, 12, 16},
               {1, 200, 3, 1, 64, 64},
               {3, 10, 6, 3, 5, 3},
               {1, 2100, 2, 1, 16, 8}};
  for (const auto& s : cases) {
    const TestMap x(s.n, 1, s.tokens, s.heads * s.p, 1, 1), dt(s.n, 1, s.tokens, s.heads, 2, 2);
    const TestMap bc(s.n, 1, s.tokens, 2 * s.groups * s.state, 1, 3);
    const TestMap y(s.n, 1, s.tokens, s.heads * s.p, 3, 4);
    const std::vector<float> bias = floats_between(static_cast<std::size_t>(s.heads), -4, 0, 5);
    const std::vector<float> d = random_floats(static_cast<std::size_t>(s.heads * s.p), 6);
    for (const bool causal : {false, true}) {
      const std::vector<float> a = floats_between(static_cast<std::size_t>(s.heads),
                                                  causal ? -7.0f : 1.0f, causal ? -1.0f : 7.0f, 7);
      StateSpaceSpec spec;
      spec.heads = s.heads;
      spec.groups = s.groups;
      spec.causal = causal;
      spec.dt_bias = bias.data();
      spec.a = a.data();
      for (const bool skip : {false, true}) {
        spec.d = skip ? d.data() : nullptr;
        compare(
            [&](const Backend& b, MapF to, Context& ctx) {
              b.state_space(x, dt, bc.map().channels(0, s.groups * s.state),
                            bc.map().channels(s.groups * s.state, s.groups * s.state), spec, to,
                            ctx);
            },
            y, s.state * s.tokens, shape_string(x.map()) + (causal ? " causal" : ""));
      }
    }
  }
}

// Cosines and sines of random angles, (tokens, d) each.
struct Angles {
  Angles(int tokens, int d) {
    const std::vector<float> angles =
        random_floats(static_cast<std::size_t>(tokens) * static_cast<std::size_t>(d), 9);
    for (const float angle : angles) {
      cos.push_back(std::cos(3 * angle));
      sin.push_back(std::sin(3 * angle));
    }
  }
  std::vector<float> cos, sin;
};

TEST_P(Operators, LinearAttentionAgreesWithEveryFeature) {
  const struct {
    int n, queries, keys, heads, d, dv;
  } cases[] = {{1, 9, 9, 1, 8, 8},
               {2, 49, 49, 3, 32, 32},
               {1, 130, 260, 2, 16, 24},
               {1, 2200, 2200, 1, 8, 4},
               {3, 5, 3, 2, 6, 10}};
  for (const auto& s : cases) {
    const TestMap q(s.n, 1, s.queries, s.heads * s.d, 1, 1), k(s.n, 1, s.keys, s.heads * s.d, 2, 2);
    const TestMap v(s.n, 1, s.keys, s.heads * s.dv, 3, 3);
    const TestMap y(s.n, 1, s.queries, s.heads * s.dv, 1, 4);
    const Angles angles(std::max(s.queries, s.keys), s.d + 2);
    const std::vector<float> bias =
        random_floats(static_cast<std::size_t>(s.keys * s.heads * s.d), 5);
    const std::vector<float> projection =
        random_floats(static_cast<std::size_t>((s.d + 2) * s.d), 6);
    for (const FeatureMap map : {FeatureMap::none, FeatureMap::relu, FeatureMap::elu_plus_one,
                                 FeatureMap::exp, FeatureMap::focused, FeatureMap::performer}) {
      for (int parts = 0; parts < 16; ++parts) {
        if (map != FeatureMap::elu_plus_one && parts != 0 && parts != 15) continue;
        LinearAttentionSpec spec;
        if (map == FeatureMap::performer) {
          spec.projection = projection.data();
          spec.features = s.d / 2 * 2 + 2;
        }
        spec.heads = s.heads;
        spec.map = map;
        // Sums of signed features may be near zero: those are not divided by.
        spec.normalize = map == FeatureMap::elu_plus_one || map == FeatureMap::exp ||
                         map == FeatureMap::performer;
        spec.mean = (parts & 1) != 0;
        if (parts & 2) spec.k_bias = bias.data();
        spec.augment = (parts & 4) != 0;
        spec.augment_scale = 0.25f;
        if (parts & 8) spec.rotary = {angles.cos.data(), angles.sin.data(), (parts & 1) != 0};
        compare([&](const Backend& b, MapF to,
                    Context& ctx) { b.linear_attention(q, k, v, spec, to, ctx); },
                y, static_cast<std::ptrdiff_t>(s.d) * s.keys,
                shape_string(q.map()) + " map " + std::to_string(static_cast<int>(map)) +
                    ", parts " + std::to_string(parts));
      }
    }
  }
}

TEST_P(Operators, GatedAttentionAgrees) {
  const struct {
    int n, tokens, heads, d, dv;
  } cases[] = {{1, 5, 1, 4, 8}, {2, 70, 3, 16, 33}, {1, 196, 2, 32, 64}, {1, 600, 1, 6, 5}};
  for (const auto& s : cases) {
    const TestMap q(s.n, 1, s.tokens, s.heads * s.d, 1, 1),
        k(s.n, 1, s.tokens, s.heads * s.d, 0, 2);
    const TestMap v(s.n, 1, s.tokens, s.heads * s.dv, 2, 3);
    const TestMap gates(s.n, 1, s.tokens, 2 * s.heads * s.d, 1, 4);
    const TestMap y(s.n, 1, s.tokens, s.heads * s.dv, 1, 5);
    GatedAttentionSpec spec;
    spec.heads = s.heads;
    spec.scale = 0.3f;
    compare([&](const Backend& b, MapF to,
                Context& ctx) { b.gated_attention(q, k, v, gates, spec, to, ctx); },
            y, s.d * 32, shape_string(q.map()));
  }
}

TEST_P(Operators, RotaryTurnsEveryHead) {
  for (const bool interleaved : {true, false}) {
    const TestMap x(2, 3, 5, 24, 1, 1), y(2, 3, 5, 24, 2, 2);
    const Angles angles(15, 8);
    const RotarySpec spec{angles.cos.data(), angles.sin.data(), interleaved};
    compare([&](const Backend& b, MapF to, Context& ctx) { b.rotary(x, 3, spec, to, ctx); }, y, 2,
            "apart");
    compare([&](const Backend& b, MapF to, Context& ctx) { b.rotary(to, 3, spec, to, ctx); }, y, 2,
            "in place");
  }
}

TEST_P(Operators, RmsNormAgrees) {
  const std::vector<float> weight = random_floats(70, 1), bias = random_floats(70, 2);
  for (const int c : {1, 7, 64, 70}) {
    const TestMap x(2, 2, 3, c, 1, 3), y(2, 2, 3, c, 2, 4);
    for (const NormParams& norm : {NormParams{}, NormParams{weight.data(), nullptr, 1e-6f},
                                   NormParams{weight.data(), bias.data(), 1e-5f}}) {
      compare([&](const Backend& b, MapF to, Context& ctx) { b.rms_norm(x, norm, to, ctx); }, y, c,
              std::to_string(c));
      compare([&](const Backend& b, MapF to, Context& ctx) { b.rms_norm(to, norm, to, ctx); }, y, c,
              "in place");
    }
  }
}

TEST_P(Operators, GatesMultiplyWithAnyActivation) {
  const TestMap a(2, 3, 5, 37, 1, 1), b(2, 3, 5, 37, 2, 2), y(2, 3, 5, 37, 3, 3);
  for (const Activation& act : kActivations) {
    const std::string what = std::to_string(static_cast<int>(act.kind));
    compare([&](const Backend& k, MapF to, Context& ctx) { k.multiply(a, b, to, ctx, act); }, y, 2,
            what);
    compare([&](const Backend& k, MapF to, Context& ctx) { k.multiply(a, to, to, ctx, act); }, y, 2,
            what + " in place");
  }
}

TEST_P(Operators, ScaleChannelsTakesAFactorPerImage) {
  const TestMap x(3, 4, 5, 19, 1, 1), s(3, 1, 1, 19, 2, 2), y(3, 4, 5, 19, 3, 3);
  compare([&](const Backend& b, MapF to, Context& ctx) { b.scale_channels(x, s, to, ctx); }, y, 1,
          "apart");
  compare([&](const Backend& b, MapF to, Context& ctx) { b.scale_channels(to, s, to, ctx); }, y, 1,
          "in place");
}

TEST_P(Operators, AdaptiveAverageAgreesForEverySize) {
  const struct {
    int h, w, oh, ow;
  } sizes[] = {{8, 8, 4, 4}, {7, 9, 3, 4}, {14, 14, 7, 7},
               {5, 3, 7, 7}, {1, 1, 1, 1}, {10, 6, 1, 1}};
  for (const auto& s : sizes) {
    const TestMap x(2, s.h, s.w, 11, 1, 1), y(2, s.oh, s.ow, 11, 2, 2);
    compare([&](const Backend& b, MapF to, Context& ctx) { b.adaptive_average(x, to, ctx); }, y, 8,
            shape_string(y.map()));
  }
}

TEST_P(Operators, Resize2dAgreesForEverySize) {
  const struct {
    int h, w, oh, ow;
  } sizes[] = {{4, 4, 8, 8}, {7, 9, 3, 4}, {5, 3, 14, 9}, {1, 1, 3, 2}, {6, 6, 6, 6}};
  for (const auto& s : sizes) {
    for (const Interpolation how : {Interpolation::nearest, Interpolation::bilinear}) {
      const TestMap x(2, s.h, s.w, 21, 1, 1), y(2, s.oh, s.ow, 21, 2, 2);
      compare([&](const Backend& b, MapF to, Context& ctx) { b.resize2d(x, how, to, ctx); }, y, 4,
              shape_string(y.map()));
    }
  }
}

TEST_P(Operators, GatherTakesTokensInAnyOrder) {
  const TestMap x(2, 3, 4, 9, 1, 1), y(2, 1, 6, 9, 2, 2);
  const int index[6] = {11, 0, -1, 5, 5, 3};
  compare([&](const Backend& b, MapF to, Context& ctx) { b.gather(x, index, to, ctx); }, y, 1,
          "six of twelve");
}

}  // namespace
}  // namespace fovea::test
