// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/nn/linear.h"
#include "fovea/nn/mixer.h"

namespace fovea::nn {

struct WindowOptions {
  int heads = 1;
  int head_dim = 0;  // 0: c / heads
  int window_h = 7, window_w = 7;
  int shift_h = 0, shift_w = 0;
  bool qkv_bias = true;
  float scale = 0.0f;  // of the scores; 0: 1 / sqrt(head_dim). Swin only
};

// Attention in shifted windows with a learned table of relative position biases: Swin
// (arXiv:2103.14030). Binds "qkv", "proj" and "relative_position_bias_table"
// ((2 window_h - 1) (2 window_w - 1), heads). Maps of any size: padded at the bottom and right.
class WindowAttention final : public Mixer {
 public:
  WindowAttention(const Params& p, int c, const WindowOptions& options);
  // With a layer for queries, keys and values that something has been folded into: windows must
  // divide the maps, as padding would no longer be zeros before it.
  WindowAttention(const Params& p, Linear qkv, int c, const WindowOptions& options);
  void forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const override;

 private:
  const Backend* backend_;
  Linear qkv_, proj_;
  FloatBuffer bias_;  // (heads, N, N)
  WindowSpec spec_;
  int inner_;
};

// Cosine attention in shifted windows with continuous, log-spaced position biases: Swin V2
// (arXiv:2111.09883). The bias network does not depend on the input and is evaluated at load. Binds
// "qkv.weight", "q_bias", "v_bias", "logit_scale", "cpb_mlp.0", "cpb_mlp.2.weight" and "proj".
class WindowAttentionV2 final : public Mixer {
 public:
  // pretrained_window: the window the bias network was trained with; 0 means the present one.
  WindowAttentionV2(const Params& p, int c, const WindowOptions& options, int pretrained_window_h,
                    int pretrained_window_w);
  void forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const override;

 private:
  const Backend* backend_;
  Linear qkv_, proj_;
  FloatBuffer bias_;        // (heads, N, N)
  FloatBuffer head_scale_;  // (heads)
  WindowSpec spec_;
};

}  // namespace fovea::nn
