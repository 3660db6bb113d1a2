// SPDX-License-Identifier: Apache-2.0
#include "bench/blocks/block_bench.h"

namespace fovea::bench {
namespace {

constexpr int kChannels = 96, kHeads = 3;  // the first stage of the tiny pyramids

template <class Mixing, class... Args>
Make self_attention(Args... args) {
  using Block = nn::SelfAttention<Mixing>;
  return [=](const Params& p) -> Forward {
    auto made = std::make_shared<const Block>(p, kChannels, true, Mixing(p, kChannels, args...));
    return [made](CMapF x, MapF y, Context& ctx) { made->forward(x, y, ctx, {}); };
  };
}

// VMamba's mixer in its newer form: no gate, as many channels inside as outside.
nn::SelectiveScanOptions scan(int state) {
  nn::SelectiveScanOptions o;
  o.inner = kChannels;
  o.state = state;
  o.gate = false;
  return o;
}

}  // namespace

std::vector<Block> growth_blocks() {
  std::vector<Block> all;
  for (const int side : {14, 28, 56, 112, 224}) {
    const MapShape map{"", side, side, kChannels};
    const std::string tokens = "/" + std::to_string(side * side);
    const auto add = [&](const std::string& name, const Make& make) {
      all.push_back({"growth/" + name + tokens, map, map, make, true});
    };
    nn::WindowOptions window;
    window.heads = kHeads;
    nn::SimplifiedLinearOptions linear;
    linear.heads = kHeads;
    linear.h = linear.w = side;
    add("attention", self_attention<nn::SoftmaxMixing>(kHeads));
    add("window attention 7x7", block<nn::WindowAttention>(kChannels, window));
    add("pooling 3x3", block<nn::Pooling>(3));
    add("linear attention", self_attention<nn::SimplifiedLinearMixing>(linear));
    add("selective scan, state 1", block<nn::SelectiveScan2d>(kChannels, scan(1)));
    add("selective scan, state 16", block<nn::SelectiveScan2d>(kChannels, scan(16)));
  }
  return all;
}

}  // namespace fovea::bench
