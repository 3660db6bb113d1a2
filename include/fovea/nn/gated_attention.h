// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/nn/conv2d.h"
#include "fovea/nn/linear.h"
#include "fovea/nn/mixer.h"
#include "fovea/nn/norm.h"

namespace fovea::nn {

struct GatedAttentionOptions {
  int heads = 1;
  int key_dim = 0;    // channels of queries and keys together; 0: c / 2
  int value_dim = 0;  // 0: c
  int gate_rank = 16;
  float gate_normalizer = 16.0f;
  bool conv_act = true;  // SiLU after the convolution
  bool conv_bias = false;
  bool out_act = false;  // SiLU before the last layer
  float norm_eps = 1e-6f;
  // What the sum of both directions is divided by before its norm.
  float divisor = 4.0f;
};

// Bidirectional gated linear attention with a local branch: ViG (arXiv:2405.18425), after
// arXiv:2312.06635. With l = act(depthwise3x3(x)), [q | k | v] = qkv_proj(l) and per head
//
//   o = gated_attention(q, k, v, gk_proj(l)) / divisor,  g = sigmoid(g_proj(l))
//   y = o_proj(act(rms_norm(o) g + rms_norm(l) (1 - g)))
//
// Binds "in_proj.0", "qkv_proj", "gk_proj.0", "gk_proj.1", "g_norm", "l_norm", "g_proj", "o_proj".
class GatedLinearAttention final : public Mixer {
 public:
  // Throws Error(argument) when heads do not divide the keys' and the values' channels, or when the
  // values have not as many channels as x, which the local branch needs.
  GatedLinearAttention(const Params& p, int c, const GatedAttentionOptions& options);
  // x, y (n, h, w, c); the tokens are taken line by line.
  void forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const override;

 private:
  const Backend* backend_;
  int keys_, values_;
  GatedAttentionSpec spec_;
  Activation conv_act_, out_act_;
  Conv2d conv_;
  Linear qkv_, gates_down_, gates_up_;
  RmsNorm norm_, local_norm_;  // of a head
  Linear blend_, proj_;
  FloatBuffer minus_one_;  // (values)
};

}  // namespace fovea::nn
