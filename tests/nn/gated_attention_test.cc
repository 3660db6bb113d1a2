// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/gated_attention.h"

#include "tests/expect_error.h"
#include "tests/nn/formula.h"

namespace fovea::nn {
namespace {

using namespace test;

constexpr int kChannels = 8, kKeys = 4, kHeads = 2, kH = 3, kW = 4;

// Both ways of the recurrence, added up.
Rows recurrence(const Rows& qkv, const Rows& gates, double scale) {
  const std::size_t tokens = qkv.size(), d = kKeys / kHeads, dv = kChannels / kHeads;
  Rows y(tokens, Row(kChannels));
  for (const std::size_t way : {0u, 1u}) {
    for (std::size_t c = 0; c < kChannels; ++c) {
      const std::size_t first = c / dv * d;
      Row s(d);
      for (std::size_t step = 0; step < tokens; ++step) {
        const std::size_t t = way == 0 ? step : tokens - 1 - step;
        for (std::size_t j = 0; j < d; ++j) {
          const double gate = std::pow(sigmoid(gates[t][way * kKeys + first + j]), 1.0 / 16);
          s[j] = gate * s[j] + qkv[t][kKeys + first + j] * qkv[t][2 * kKeys + c];
          y[t][c] += scale * qkv[t][first + j] * s[j];
        }
      }
    }
  }
  return y;
}

TEST(GatedLinearAttention, FollowsItsFormula) {
  for (const bool activations : {false, true}) {
    GatedAttentionOptions o;
    o.heads = kHeads;
    o.conv_act = o.out_act = activations;
    o.conv_bias = true;
    const auto build = [&](const Params& p) { return GatedLinearAttention(p, kChannels, o); };
    const ListedSource source = weights_for(build);
    const Formulas f(source);
    const TestMap x(1, kH, kW, kChannels, 1, 3);
    Rows local = f.depthwise(rows_of(x.map()), kW, 3, "in_proj.0");
    if (activations) local = each(local, silu);
    const Rows gates = f.linear(f.linear(local, "gk_proj.0"), "gk_proj.1");
    const Rows blend = each(f.linear(local, "g_proj"), sigmoid);
    const double scale = 1 / std::sqrt(static_cast<double>(kKeys / kHeads)) / 4;
    const Rows mixed =
        f.rms_norm(recurrence(f.linear(local, "qkv_proj"), gates, scale), "g_norm", 1e-6);
    const Rows kept = f.rms_norm(local, "l_norm", 1e-6);
    Rows y(mixed);
    for (std::size_t t = 0; t < y.size(); ++t) {
      for (std::size_t c = 0; c < y[t].size(); ++c) {
        const double g = blend[t][c];
        y[t][c] = mixed[t][c] * g + kept[t][c] * (1 - g);
        if (activations) y[t][c] = silu(y[t][c]);
      }
    }
    const TestMap wanted = map_of(f.linear(y, "o_proj"), kH, kW);
    expect_formula(
        build, source,
        [&](const GatedLinearAttention& block, MapF out, Context& ctx) {
          block.forward(x, out, ctx, {});
        },
        wanted, block_bound(8, 64));
  }
}

TEST(GatedLinearAttention, RefusesWhatDoesNotDivide) {
  const auto backend = make_backend("reference");
  ParamLog log;
  const Params p(nullptr, *backend, log);
  GatedAttentionOptions o;
  o.heads = 3;
  expect_error([&] { GatedLinearAttention(p / "attn", kChannels, o); }, Error::Kind::argument,
               "gated attention \"attn\": 4 channels of keys and 8 of values do not divide into 3 "
               "heads");
  o.heads = 2;
  o.value_dim = 16;
  expect_error([&] { GatedLinearAttention(p / "attn", kChannels, o); }, Error::Kind::argument,
               "wanted as many channels of values as of the input, 8, found 16");
}

}  // namespace
}  // namespace fovea::nn
