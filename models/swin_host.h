// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>

#include "fovea/nn/windowed_mixing.h"
#include "models/attention_types.h"
#include "models/swin_network.h"

// What networks have in common that put another attention into some blocks of Swin: Agent
// (arXiv:2312.08874) and SLAB (arXiv:2405.11582).
namespace fovea::models {

struct SwinHostConfig : SwinConfig {
  AttentionTypes types = {};

  SwinHostConfig() { plain_head = true; }
};

// The authors' arguments but those of the attention.
inline void read_swin_host_args(const ModelArgs& args, SwinHostConfig& c) {
  read_common_swin_args(args, c);
  int window = c.window_size[0];
  args.read("window_size", window, 1, 1 << 12);
  c.window_size = {window};
  double ratio = c.mlp_ratio[0];
  args.read("mlp_ratio", ratio);
  c.mlp_ratio = {ratio};
  args.read("qk_scale", c.qk_scale);
  args.read("ape", c.ape);
  args.read("patch_norm", c.patch_norm);
  args.ignore({"use_checkpoint", "fused_window_process"});
}

inline Size2d swin_map(const SwinConfig& c, int stage) {
  return {(c.img_size.h / c.patch_size) >> stage, (c.img_size.w / c.patch_size) >> stage};
}

// Square windows of `window` positions, or one as large as the shorter edge of the map and no
// shift.
inline nn::WindowOptions swin_host_window(const SwinHostConfig& c, int stage, int block,
                                          int window) {
  const Size2d map = swin_map(c, stage);
  const int edge = std::min(map.h, map.w);
  nn::WindowOptions o;
  o.heads = per_stage(c.num_heads, stage);
  o.window_h = o.window_w = std::min(window, edge);
  o.shift_h = o.shift_w = block % 2 == 1 && edge > window ? window / 2 : 0;
  o.qkv_bias = c.qkv_bias;
  o.scale = c.qk_scale;
  if (map.h % o.window_h != 0 || map.w % o.window_w != 0) {
    wrong_argument("img_size",
                   "maps that windows of " + std::to_string(o.window_h) + " positions divide",
                   size_string(c.img_size));
  }
  return o;
}

inline nn::WindowDivision swin_division(const SwinConfig& c, int stage,
                                        const nn::WindowOptions& o) {
  const Size2d map = swin_map(c, stage);
  return {map.h, map.w, o.window_h, o.window_w, o.shift_h, o.shift_w};
}

inline void check_swin_host_config(const SwinHostConfig& c) {
  check_swin_config(c);
  if (c.num_heads.size() < c.stages()) {
    wrong_argument("num_heads", "a value for each of " + std::to_string(c.stages()) + " stages",
                   std::to_string(c.num_heads.size()));
  }
  for (int i = 0; i + 1 < c.stages(); ++i) {
    const Size2d map = swin_map(c, i);
    if (map.h % 2 != 0 || map.w % 2 != 0) {
      wrong_argument("img_size", "maps of even edges before every merging",
                     size_string(c.img_size));
    }
  }
}

}  // namespace fovea::models
