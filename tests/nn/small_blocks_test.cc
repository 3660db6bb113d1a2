// SPDX-License-Identifier: Apache-2.0
// Blocks of a few lines: feed-forward networks and positions.
#include "fovea/nn/conditional_position.h"
#include "fovea/nn/conv_ffn.h"
#include "fovea/nn/learned_positions.h"
#include "fovea/nn/swiglu.h"
#include "tests/nn/formula.h"

namespace fovea::nn {
namespace {

using namespace test;

constexpr int kChannels = 6, kHidden = 10, kH = 3, kW = 4;

// The usual run of a block without an epilogue.
template <class Build>
void expect_block(const Build& build, const TestMap& x, const ListedSource& source,
                  const Rows& wanted) {
  expect_formula(
      build, source, [&](const auto& block, MapF y, Context& ctx) { block.forward(x, y, ctx); },
      map_of(wanted, kH, kW), block_bound(5, 32));
}

TEST(ConvFfn, ConvolvesBeforeOrAfterItsActivation) {
  for (const bool act_first : {false, true}) {
    ConvFfnOptions o;
    o.act_first = act_first;
    const auto build = [&](const Params& p) { return ConvFfn(p, kChannels, kHidden, o); };
    const ListedSource source = weights_for(build);
    const Formulas f(source);
    const TestMap x(1, kH, kW, kChannels, 1, 3);
    Rows hidden = f.linear(rows_of(x.map()), "fc1");
    if (act_first) hidden = each(hidden, gelu);
    hidden = pairs(hidden, f.depthwise(hidden, kW, 3, "dwconv"),
                   [](double a, double b) { return a + b; });
    if (!act_first) hidden = each(hidden, gelu);
    expect_block(build, x, source, f.linear(hidden, "fc2"));
  }
}

TEST(ConditionalPosition, AddsAConvolution) {
  const auto build = [](const Params& p) { return ConditionalPosition(p, kChannels); };
  const ListedSource source = weights_for(build);
  const Formulas f(source);
  const TestMap x(1, kH, kW, kChannels, 1, 3);
  const Rows in = rows_of(x.map());
  // Its tensors have no module of their own.
  ListedSource named;
  named.add("conv.weight", source.load("weight"));
  named.add("conv.bias", source.load("bias"));
  const Rows convolved = Formulas(named).depthwise(in, kW, 3, "conv");
  expect_block(build, x, source, pairs(in, convolved, [](double a, double b) { return a + b; }));
}

TEST(SwiGlu, GatesItsHiddenLayer) {
  const auto build = [](const Params& p) { return SwiGlu(p, kChannels, kHidden, true); };
  const ListedSource source = weights_for(build);
  const Formulas f(source);
  const TestMap x(1, kH, kW, kChannels, 1, 3);
  const Rows in = rows_of(x.map());
  const Rows hidden = pairs(f.linear(in, "w1"), f.linear(in, "w2"),
                            [](double gate, double value) { return silu(gate) * value; });
  expect_block(build, x, source, f.linear(hidden, "w3"));
}

TEST(PackedSwiGlu, HasTheGateFirst) {
  const auto build = [](const Params& p) {
    return PackedSwiGlu(p, kChannels, kHidden, "up", "down");
  };
  const ListedSource source = weights_for(build);
  const Formulas f(source);
  const TestMap x(1, kH, kW, kChannels, 1, 3);
  const Rows both = f.linear(rows_of(x.map()), "up");
  const Rows hidden = pairs(part(both, 0, kHidden), part(both, kHidden, kHidden),
                            [](double gate, double value) { return silu(gate) * value; });
  expect_block(build, x, source, f.linear(hidden, "down"));
}

TEST(LearnedPositions, AreAddedToEveryImageAndResized) {
  const auto build = [](const Params& p) {
    return LearnedPositions(p, "pos_embed", kH, kW, kChannels);
  };
  const ListedSource source = weights_for(build);
  const FloatBuffer table = source.load("pos_embed").to_floats();
  const auto backend = make_backend("native");
  const auto block = build_with(build, source, *backend);
  Context ctx(1);
  const TestMap x(2, kH, kW, kChannels, 1, 3), y = x;
  block.add(y, ctx);
  for (int n = 0; n < 2; ++n) {
    for (int t = 0; t < kH * kW; ++t) {
      for (int c = 0; c < kChannels; ++c) {
        EXPECT_EQ(y.map().image(n).row(t)[c],
                  x.map().image(n).row(t)[c] + table[static_cast<std::size_t>(t * kChannels + c)]);
      }
    }
  }
  // A constant table stays constant at every size.
  ListedSource constant;
  constant.add("pos_embed", Tensor::from_floats({1, kH * kW, kChannels},
                                                std::vector<float>(kH * kW * kChannels, 0.5f)));
  const auto flat = build_with(build, constant, *backend);
  const TestMap larger(1, 5, 7, kChannels, 0, 4), moved = larger;
  flat.add(moved, ctx);
  for (int t = 0; t < 35; ++t) {
    for (int c = 0; c < kChannels; ++c) {
      EXPECT_NEAR(moved.map().row(t)[c], larger.map().row(t)[c] + 0.5f, 1e-6f);
    }
  }
}

}  // namespace
}  // namespace fovea::nn
