// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "fovea/nn/conv2d.h"
#include "fovea/nn/self_attention.h"

namespace fovea::nn {

struct AgentOptions {
  int heads = 1;
  int agents = 49;                // a square number
  int h = 14, w = 14;             // the map, or the window, that the bias tables are made for
  int reduction = 1;              // how many times smaller the map of keys and values is
  bool class_token = false;       // a token before those of the map
  std::string_view conv = "dwc";  // the convolution's name in the checkpoint
};

// What mixes tokens in agent attention (arXiv:2312.08874), given queries, keys and values. With the
// queries averaged over a square grid as agents A, and s = 1 / sqrt(head_dim),
//
//   y = softmax(s q A^T + B2) softmax(s A k^T + B1) v + dw3x3(v)
//
// which is linear in the number of tokens. The biases are made at load: B1 of "an_bias" (heads,
// agents, 7, 7), resized bilinearly to the keys' map, + "ah_bias" (1, heads, agents, h, 1) +
// "aw_bias" (1, heads, agents, 1, w); B2 of "na_bias", "ha_bias" and "wa_bias" likewise for the
// queries' map; "ac_bias" and "ca_bias" are the class token's. That token is neither averaged nor
// convolved. Smaller maps of values are resized bilinearly before they are convolved.
class AgentMixing {
 public:
  // Throws Error(argument) for heads that do not divide c, agents that are no square, and maps
  // without or with too many positions.
  AgentMixing(const Params& p, int c, const AgentOptions& options);

  // q, y (n, h, w, c); k, v (n, h / reduction, w / reduction, c); any channel ranges. Maps of
  // another shape and the same area are taken as the reference takes them: with the same tables.
  // With a class token: sequences (n, 1, 1 + h * w, c).
  void forward(CMapF q, CMapF k, CMapF v, MapF y, Context& ctx) const;

 private:
  void pool(CMapF q, MapF agents, Context& ctx) const;
  void add_convolved(CMapF v, MapF y, Context& ctx) const;

  const Backend* backend_;
  Conv2d conv_;
  int grid_;  // agents per side
  int h_, w_;
  bool class_token_;
  FloatBuffer to_agents_;    // (heads, agents, keys)
  FloatBuffer from_agents_;  // (heads, queries, agents)
  AttentionSpec gather_, spread_;
};

using AgentAttention = SelfAttention<AgentMixing>;

}  // namespace fovea::nn
