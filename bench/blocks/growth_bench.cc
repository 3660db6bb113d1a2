// SPDX-License-Identifier: Apache-2.0
#include "bench/blocks/block_bench.h"

namespace fovea::bench {
namespace {

// Those of the first two stages of the tiny pyramids; the picture shows the first.
constexpr int kWidths[] = {96, 192};
constexpr int kHeadWidth = 32;

template <class Mixing, class... Args>
Make self_attention(int c, Args... args) {
  using Block = nn::SelfAttention<Mixing>;
  return [=](const Params& p) -> Forward {
    auto made = std::make_shared<const Block>(p, c, true, Mixing(p, c, args...));
    return [made](CMapF x, MapF y, Context& ctx) { made->forward(x, y, ctx, {}); };
  };
}

// VMamba's mixer in its newer form: no gate, as many channels inside as outside.
nn::SelectiveScanOptions scan(int c, int state) {
  nn::SelectiveScanOptions o;
  o.inner = c;
  o.state = state;
  o.gate = false;
  return o;
}

// Mamba-2's mixer: every token sees those before it.
nn::StateSpaceOptions causal_duality(int heads, int state) {
  nn::StateSpaceOptions o;
  o.heads = heads;
  o.state = state;
  return o;
}

// VSSD's: all tokens see all.
nn::StateSpaceOptions whole_duality(int heads, int state) {
  nn::StateSpaceOptions o;
  o.heads = heads;
  o.state = state;
  o.causal = false;
  o.positive_a = true;
  o.kernel = 3;
  o.gate = nn::StateSpaceGate::norm_then_z;
  return o;
}

// ViG's: keys of half the width, whose channels per head are the rows of its state.
nn::GatedLinearOptions gated(int c, int heads) {
  nn::GatedLinearOptions o;
  o.heads = heads;
  o.key_dim = c / 2;
  return o;
}

void add_mixers(std::vector<Block>& all, int c, int side) {
  const MapShape map{"", side, side, c};
  const int heads = c / kHeadWidth, tokens = side * side;
  const auto add = [&](const std::string& name, const Make& make) {
    const std::string size = "/" + std::to_string(c) + "/" + std::to_string(tokens);
    all.push_back({"growth/" + name + size, map, map, make, true});
  };
  nn::WindowOptions window;
  window.heads = heads;
  nn::SimplifiedLinearOptions linear;
  linear.heads = heads;
  linear.h = linear.w = side;
  const bool longest = side == 224;
  if (c == kWidths[0] || !longest) {  // it takes half a minute
    add("attention", self_attention<nn::SoftmaxMixing>(c, heads));
    if (longest) all.back().repetitions = 1;
  }
  add("window attention 7x7", block<nn::WindowAttention>(c, window));
  add("pooling 3x3", block<nn::Pooling>(3));
  add("linear attention", self_attention<nn::SimplifiedLinearMixing>(c, linear));
  add("gated linear attention", block<nn::GatedLinearAttention>(c, gated(c, heads)));
  for (const int state : {16, 64}) {
    const std::string of = ", state " + std::to_string(state);
    add("causal duality" + of, block<nn::StateSpaceDuality>(c, causal_duality(heads, state)));
    add("non-causal duality" + of, block<nn::StateSpaceDuality>(c, whole_duality(heads, state)));
  }
  for (const int state : {1, 16}) {
    add("selective scan, state " + std::to_string(state),
        block<nn::SelectiveScan2d>(c, scan(c, state)));
  }
}

}  // namespace

std::vector<Block> growth_blocks() {
  std::vector<Block> all;
  for (const int c : kWidths) {
    for (const int side : {14, 28, 56, 112, 224}) add_mixers(all, c, side);
  }
  return all;
}

}  // namespace fovea::bench
