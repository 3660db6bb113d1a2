// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/attention.h"

#include "tests/expect_error.h"
#include "tests/nn/blocks.h"

namespace fovea::nn {
namespace {

using test::block_bound;
using test::expect_backends_agree;
using test::TestMap;

struct Size {
  int n, h, w;
};

TEST(Attention, BackendsAgreeOnSequencesAndMapsOfAnySize) {
  for (const Size s : {Size{1, 1, 1}, Size{2, 1, 17}, Size{3, 3, 5}, Size{1, 1, 50}}) {
    for (const int heads : {1, 3}) {
      constexpr int kWidth = 24;
      const auto build = [&](const Params& p) { return Attention(p, kWidth, {.heads = heads}); };
      const TestMap x(s.n, s.h, s.w, kWidth, 3, 1);
      expect_backends_agree(
          build,
          [&](const Attention& block, MapF y, Context& ctx) {
            block.forward(x, y, ctx, {.residual = y});
          },
          TestMap(s.n, s.h, s.w, kWidth, 0, 2), block_bound(3, kWidth + s.h * s.w));
    }
  }
}

TEST(Attention, HeadsMayHaveAWidthOfTheirOwn) {
  const auto build = [](const Params& p) {
    return Attention(p, 10, {.heads = 3, .head_dim = 6, .qkv_bias = false, .proj_bias = false});
  };
  const TestMap x(2, 1, 9, 10, 0, 1);
  expect_backends_agree(
      build, [&](const Attention& block, MapF y, Context& ctx) { block.forward(x, y, ctx, {}); },
      TestMap(2, 1, 9, 10, 0, 2), block_bound(3, 18));
}

TEST(Attention, EveryImageOfABatchIsItsOwn) {
  const auto build = [](const Params& p) { return Attention(p, 12, {.heads = 2}); };
  const auto weights = test::weights_for(build);
  const auto backend = make_backend("native");
  const Attention block = test::build_with(build, weights, *backend);
  const TestMap x(3, 1, 7, 12, 0, 5);
  const TestMap together(3, 1, 7, 12, 0), alone(1, 1, 7, 12, 0);
  Context ctx(1);
  block.forward(x, together, ctx, {});
  for (int i = 0; i < 3; ++i) {
    block.forward(x.map().image(i), alone, ctx, {});
    for (int j = 0; j < 7 * 12; ++j) {
      EXPECT_EQ(together.map().image(i).data[j], alone.map().data[j]) << i << ", " << j;
    }
  }
}

TEST(Attention, RefusesHeadsThatDoNotDivideTheChannels) {
  const auto backend = make_backend("reference");
  ParamLog log;
  const Params p = Params(nullptr, *backend, log) / "blocks" / 0 / "attn";
  expect_error([&] { Attention(p, 10, {.heads = 3}); }, Error::Kind::argument,
               "\"blocks.0.attn\": 10 channels do not divide into 3 heads");
}

TEST(AttentionPool, BackendsAgree) {
  for (const int length : {1, 13, 49}) {
    const auto build = [](const Params& p) { return AttentionPool(p, 24, 3, 40, 1e-6f); };
    const TestMap x(2, 1, length, 24, 5, 1);
    expect_backends_agree(
        build, [&](const AttentionPool& block, MapF y, Context& ctx) { block.forward(x, y, ctx); },
        TestMap(2, 1, 1, 24, 0, 2), block_bound(7, 24 + length));
  }
}

}  // namespace
}  // namespace fovea::nn
