// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>

#include "fovea/nn/gated_attention.h"
#include "models/family_tools.h"

// The arguments of gated linear attention that ViG and its pyramid share.
namespace fovea::models {

struct GatedConfig {
  double expand_k = 0.5;
  double expand_v = 1.0;
  bool use_out_act = false;
  bool use_act_in_conv = true;
};

inline void read_gated_args(const ModelArgs& args, GatedConfig& c) {
  args.read("expand_k", c.expand_k);
  args.read("expand_v", c.expand_v);
  for (const double ratio : {c.expand_k, c.expand_v}) {
    if (!(ratio > 0 && ratio <= 64)) {
      wrong_argument("expand_k, expand_v", "numbers up to 64", std::to_string(ratio));
    }
  }
  args.read("use_out_act", c.use_out_act);
  args.read("use_act_in_conv", c.use_act_in_conv);
  std::string text = "swish";
  args.read("hidden_act", text);
  if (text != "swish" && text != "silu") wrong_argument("hidden_act", "swish", text);
  text = "none";
  args.read("rope_mode", text);
  if (text != "none") wrong_argument("rope_mode", "none", text);
  // Which kernel trains; all compute the same.
  args.ignore({"attn_model", "attn_models"});
}

inline nn::GatedAttentionOptions gated_options(const GatedConfig& c, int dim, int heads,
                                               float divisor) {
  nn::GatedAttentionOptions o;
  o.heads = heads;
  o.key_dim = static_cast<int>(dim * c.expand_k);
  o.value_dim = static_cast<int>(dim * c.expand_v);
  o.conv_act = c.use_act_in_conv;
  o.out_act = c.use_out_act;
  o.divisor = divisor;
  return o;
}

}  // namespace fovea::models
