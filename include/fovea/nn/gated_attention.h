// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/nn/conv2d.h"
#include "fovea/nn/linear.h"
#include "fovea/nn/norm.h"

namespace fovea::nn {

struct GatedLinearOptions {
  int heads = 4;
  int key_dim = 0;  // channels of queries and of keys, over all heads
  bool conv_bias = false;
  Activation conv_act{};  // after the convolution
  Activation out_act{};   // before the last projection
  // What the sum of both directions is multiplied by, beside 1 / sqrt(key_dim / heads). A norm
  // follows, so that only its epsilon can tell.
  float direction_scale = 0.25f;
  float normalizer = 16.0f;  // of the logarithms of the gates
  int gate_rank = 16;
  float norm_eps = 1e-6f;
};

// Bidirectional gated linear attention of ViG (arXiv:2405.18425), linear in the number of tokens:
//
//   l = act(dw3x3(x)),  (q, k, v) = W l,  gates = W2 W1 l
//   o = direction_scale * (forward + backward scan of q, k, v; GatedAttentionSpec)
//   g = sigmoid(Wg l),  y = Wo act(rms(o) g + rms(l) (1 - g)), the norms per head
//
// Binds "in_proj.0", "qkv_proj", "gk_proj.0", "gk_proj.1", "g_norm", "l_norm", "g_proj", "o_proj".
class GatedLinearAttention {
 public:
  // Throws Error(argument) for heads that do not divide c and key_dim.
  GatedLinearAttention(const Params& p, int c, const GatedLinearOptions& options);

  // y = epilogue(attention(x)), both (n, h, w, c), tokens in raster order; the epilogue's residual
  // may be y.
  void forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue = {}) const;

 private:
  // o (n, h, w, c), from the convolved map.
  void scan(CMapF local, MapF o, Context& ctx) const;
  void normalise(const RmsNorm& norm, MapF x, Context& ctx) const;
  void blend(MapF local, MapF o, MapF mix, Context& ctx) const;

  const Backend* backend_;
  GatedLinearOptions options_;
  GatedAttentionSpec spec_;
  Conv2d conv_;
  Linear qkv_, gate_down_, gate_up_, mix_, out_;
  RmsNorm scan_norm_, local_norm_;
  FloatBuffer minus_;  // (c): -1
};

}  // namespace fovea::nn
