// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/state_space.h"

#include "tests/expect_error.h"
#include "tests/nn/formula.h"

namespace fovea::nn {
namespace {

using namespace test;

constexpr int kChannels = 6, kInner = 12, kHeads = 3, kState = 4, kH = 3, kW = 4;

StateSpaceOptions options(bool causal) {
  StateSpaceOptions o;
  o.inner = kInner;
  o.heads = kHeads;
  o.state = kState;
  o.causal = causal;
  o.kernel = causal ? 4 : 3;
  return o;
}

// Four taps that end at the token.
Rows causal_conv(const Formulas& f, const Rows& x) {
  const Row weight = f.numbers("conv1d.weight");
  Rows y(x.size(), f.numbers("conv1d.bias"));
  for (std::size_t t = 0; t < x.size(); ++t) {
    for (std::size_t tap = 0; tap < 4; ++tap) {
      if (t + tap < 3) continue;
      for (std::size_t c = 0; c < x[0].size(); ++c)
        y[t][c] += weight[c * 4 + tap] * x[t + tap - 3][c];
    }
  }
  return y;
}

// The state space of the header, head by head, one state or one for each token.
Rows state_space(const Formulas& f, const Rows& ubc, const Rows& dt, bool causal) {
  const Row bias = f.numbers("dt_bias"), a_log = f.numbers("A_log"), d = f.numbers("D");
  const std::size_t tokens = ubc.size(), p = kInner / kHeads;
  Rows y(tokens, Row(kInner));
  for (std::size_t c = 0; c < kInner; ++c) {
    const std::size_t head = c / p;
    const double rate = std::exp(a_log[head]);
    Rows states(tokens, Row(kState));
    Row h(kState);
    for (std::size_t t = 0; t < tokens; ++t) {
      const double step = softplus(dt[t][head] + bias[head]);
      for (std::size_t s = 0; s < kState; ++s) {
        const double in = step * ubc[t][kInner + s] * ubc[t][c];
        h[s] = causal ? std::exp(-rate * step) * h[s] + in : h[s] + rate * in;
      }
      states[t] = h;
    }
    for (std::size_t t = 0; t < tokens; ++t) {
      y[t][c] = d[head] * ubc[t][c];
      const Row& state = causal ? states[t] : h;
      for (std::size_t s = 0; s < kState; ++s) y[t][c] += ubc[t][kInner + kState + s] * state[s];
    }
  }
  return y;
}

TEST(StateSpaceDuality, FollowsItsFormulaInBothForms) {
  for (const bool causal : {false, true}) {
    const auto build = [&](const Params& p) {
      return StateSpaceDuality(p, kChannels, options(causal));
    };
    const ListedSource source = weights_for(build);
    const Formulas f(source);
    const TestMap x(1, kH, kW, kChannels, 1, 3);
    const Rows all = f.linear(rows_of(x.map()), "in_proj");
    const std::size_t wide = kInner + 2 * kState;
    const Rows z = part(all, 0, kInner), v = part(all, kInner, wide);
    const Rows ubc = each(causal ? causal_conv(f, v) : f.depthwise(v, kW, 3, "conv2d"), silu);
    Rows mixed = state_space(f, ubc, part(all, kInner + wide, kHeads), causal);
    if (causal) {
      mixed = pairs(mixed, z, [](double a, double b) { return a * silu(b); });
      mixed = f.rms_norm(mixed, "norm", 1e-5);
    } else {
      mixed = f.layer_norm(mixed, "norm", 1e-5);
      mixed = pairs(mixed, z, [](double a, double b) { return a * b; });
    }
    const TestMap wanted = map_of(f.linear(mixed, "out_proj"), kH, kW);
    expect_formula(
        build, source,
        [&](const StateSpaceDuality& block, MapF y, Context& ctx) { block.forward(x, y, ctx, {}); },
        wanted, block_bound(6, 64));
  }
}

TEST(StateSpaceDuality, RefusesHeadsThatDoNotDivide) {
  StateSpaceOptions o = options(true);
  o.heads = 5;
  const auto backend = make_backend("reference");
  ParamLog log;
  expect_error([&] { StateSpaceDuality(Params(nullptr, *backend, log) / "mixer", kChannels, o); },
               Error::Kind::argument,
               "state space \"mixer\": 12 channels do not divide into 5 heads");
}

}  // namespace
}  // namespace fovea::nn
