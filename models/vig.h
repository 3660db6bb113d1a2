// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "fovea/nn/activation.h"
#include "fovea/nn/gated_attention.h"
#include "models/family_tools.h"

// What the plain and the hierarchical ViG share: the arguments of their attention.
namespace fovea::models {

struct VigAttention {
  double expand_k = 0.5;
  Activation act = Activation::Kind::silu;  // hidden_act
  bool out_act = false;
  bool conv_act = true;
  bool conv_bias = false;

  nn::GatedLinearOptions options(int dim, int heads, float direction_scale) const {
    nn::GatedLinearOptions o;
    o.heads = heads;
    o.key_dim = static_cast<int>(dim * expand_k);
    o.conv_bias = conv_bias;
    if (conv_act) o.conv_act = Activation::Kind::silu;  // whatever hidden_act is
    if (out_act) o.out_act = act;
    o.direction_scale = direction_scale;
    return o;
  }
};

inline void read_vig_attention(const ModelArgs& args, VigAttention& a) {
  args.read("expand_k", a.expand_k);
  if (!(a.expand_k > 0 && a.expand_k <= 64)) {
    wrong_argument("expand_k", "a number from 0 to 64", std::to_string(a.expand_k));
  }
  double expand_v = 1;
  args.read("expand_v", expand_v);
  // The convolved map is mixed with the scanned values channel by channel.
  if (expand_v != 1) wrong_argument("expand_v", "1", std::to_string(expand_v));
  std::string act = "swish", rope = "none";
  args.read("hidden_act", act);
  if (act != "swish" && act != "silu" && act != "gelu" && act != "relu") {
    wrong_argument("hidden_act", "swish, silu, gelu or relu", "\"" + act + "\"");
  }
  a.act = nn::activation(act == "swish" ? "silu" : act);
  args.read("use_out_act", a.out_act);
  args.read("use_act_in_conv", a.conv_act);
  args.read("rope_mode", rope);
  if (rope != "none") wrong_argument("rope_mode", "none (no published network has it)", rope);
  args.ignore({"drop_path_rate"});
}

}  // namespace fovea::models
