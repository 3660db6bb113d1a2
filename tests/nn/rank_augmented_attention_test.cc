// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/rank_augmented_attention.h"

#include "tests/expect_error.h"
#include "tests/nn/formula.h"

namespace fovea::nn {
namespace {

using namespace test;

constexpr int kChannels = 16, kHeads = 2, kDim = 8, kH = 3, kW = 4;

// The angle of a channel of a head at a token: frequencies 1 and 1e-4, each for a pair, for rows
// and then for columns.
double angle(std::size_t token, std::size_t channel) {
  const double at = static_cast<double>(channel < kDim / 2 ? token / kW : token % kW);
  return at * (channel % (kDim / 2) < 2 ? 1.0 : static_cast<double>(1e-4f));
}

TEST(AxialRotary, TurnsPairsByRowsAndColumns) {
  Context ctx(1);
  const Workspace::Scope scope(ctx.workspace());
  const AxialRotary rotary(kDim);
  const RotarySpec tables = rotary.tables(kH, kW, ctx);
  EXPECT_TRUE(tables.interleaved);
  for (std::size_t token = 0; token < kH * kW; ++token) {
    for (std::size_t c = 0; c < kDim; ++c) {
      EXPECT_NEAR(tables.cos[token * kDim + c], std::cos(angle(token, c)), 1e-6);
      EXPECT_NEAR(tables.sin[token * kDim + c], std::sin(angle(token, c)), 1e-6);
    }
  }
  expect_error([] { AxialRotary(6); }, Error::Kind::argument,
               "wanted heads of a multiple of 4 channels, found 6");
}

// Queries or keys of one head of one token, rotated.
Row rotated(const Row& row, std::size_t first, std::size_t token) {
  Row y(kDim);
  for (std::size_t c = 0; c < kDim; c += 2) {
    const double a = row[first + c], b = row[first + c + 1], t = angle(token, c);
    y[c] = a * std::cos(t) - b * std::sin(t);
    y[c + 1] = b * std::cos(t) + a * std::sin(t);
  }
  return y;
}

double dot(const Row& a, const Row& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[i];
  return sum;
}

Row slice(const Row& row, std::size_t first) {
  const auto begin = row.begin() + static_cast<std::ptrdiff_t>(first);
  return {begin, begin + kDim};
}

// Attention of one head, as weights of the values.
Row weights(const Rows& q, const Rows& k, std::size_t first, std::size_t token, bool linear) {
  const std::size_t tokens = q.size();
  const double scale = 1 / std::sqrt(static_cast<double>(kDim));
  Row w(tokens);
  if (!linear) {
    double sum = 0;
    for (std::size_t j = 0; j < tokens; ++j) {
      w[j] = std::exp(scale * dot(rotated(q[token], first, token), rotated(k[j], first, j)));
      sum += w[j];
    }
    for (double& v : w) v /= sum;
    return w;
  }
  Row mean(kDim);
  for (const Row& row : q) {
    for (std::size_t c = 0; c < kDim; ++c) mean[c] += row[first + c] / static_cast<double>(tokens);
  }
  Row share(tokens);
  double sum = 0, norm = 1e-6;
  for (std::size_t j = 0; j < tokens; ++j)
    sum += share[j] = std::exp(scale * dot(mean, slice(k[j], first)));
  for (std::size_t j = 0; j < tokens; ++j) {
    // The factor "tokens" of the weights and the mean over tokens cancel.
    share[j] /= sum;
    norm += share[j] * dot(slice(q[token], first), slice(k[j], first));
    w[j] = share[j] * dot(rotated(q[token], first, token), rotated(k[j], first, j));
  }
  for (double& v : w) v /= norm;
  return w;
}

TEST(RankAugmentedAttention, FollowsItsFormulaInBothForms) {
  for (const GatedAttentionForm form : {GatedAttentionForm::linear, GatedAttentionForm::softmax}) {
    const bool linear = form == GatedAttentionForm::linear;
    const auto build = [&](const Params& p) {
      return RankAugmentedAttention(p, kChannels, kHeads, form);
    };
    const ListedSource source = weights_for(build);
    const Formulas f(source);
    const TestMap x(1, kH, kW, kChannels, 1, 3);
    const Rows all = f.linear(rows_of(x.map()), "qkvo");
    Rows q = part(all, 0, kChannels), k = part(all, kChannels, kChannels);
    const Rows v = part(all, 2 * kChannels, kChannels), o = part(all, 3 * kChannels, kChannels);
    if (linear) {
      const auto feature = [](double t) { return t > 0 ? t + 1 : std::exp(t); };
      q = each(q, feature);
      k = each(k, feature);
    }
    Rows mixed = f.depthwise(v, kW, 5, "lepe");
    for (std::size_t t = 0; t < mixed.size(); ++t) {
      for (std::size_t first = 0; first < kChannels; first += kDim) {
        const Row w = weights(q, k, first, t, linear);
        for (std::size_t j = 0; j < w.size(); ++j) {
          for (std::size_t c = first; c < first + kDim; ++c) mixed[t][c] += w[j] * v[j][c];
        }
      }
    }
    mixed = pairs(mixed, o, [](double a, double b) { return a * b; });
    const TestMap wanted = map_of(f.linear(mixed, "proj"), kH, kW);
    expect_formula(
        build, source,
        [&](const RankAugmentedAttention& block, MapF y, Context& ctx) {
          const Workspace::Scope scope(ctx.workspace());
          block.forward(x, y, AxialRotary(kDim).tables(kH, kW, ctx), ctx, {});
        },
        wanted, block_bound(8, 64));
  }
}

TEST(RankAugmentedAttention, RefusesHeadsThatDoNotDivide) {
  const auto backend = make_backend("reference");
  ParamLog log;
  expect_error(
      [&] {
        RankAugmentedAttention(Params(nullptr, *backend, log) / "attn", 16, 3,
                               GatedAttentionForm::linear);
      },
      Error::Kind::argument, "attention \"attn\": 16 channels do not divide into 3 heads");
}

}  // namespace
}  // namespace fovea::nn
