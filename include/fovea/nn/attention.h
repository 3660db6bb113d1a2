// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "fovea/nn/linear.h"
#include "fovea/nn/mixer.h"
#include "fovea/nn/mlp.h"
#include "fovea/nn/norm.h"

namespace fovea::nn {

struct AttentionOptions {
  int heads = 1;
  int head_dim = 0;  // 0: c / heads
  bool qkv_bias = true;
  bool proj_bias = true;
  // The layers' names in the checkpoint.
  std::string_view qkv = "qkv", proj = "proj";
};

// Multi-head self-attention over all rows of an image (arXiv:2010.11929). Binds "qkv" and "proj",
// or two layers under the given names.
class Attention final : public Mixer {
 public:
  Attention(const Params& p, int c, const AttentionOptions& options);
  // Rows in any (h, w) arrangement, or a token sequence.
  void forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const override;

 private:
  const Backend* backend_;
  Linear qkv_, proj_;
  AttentionSpec spec_;
  int inner_;
};

// Pools a token sequence with one learned query: the head of SigLIP (timm's AttentionPoolLatent).
// Binds "latent", "q", "kv", "proj", "norm", "mlp".
class AttentionPool {
 public:
  AttentionPool(const Params& p, int c, int heads, int mlp_hidden, float eps,
                Activation act = Activation::Kind::gelu);
  // x (n, 1, l, c) -> y (n, 1, 1, c).
  void forward(CMapF x, MapF y, Context& ctx) const;

 private:
  const Backend* backend_;
  FloatBuffer latent_;  // (c)
  Linear q_, kv_, proj_;
  LayerNorm norm_;
  Mlp mlp_;
  AttentionSpec spec_;
};

}  // namespace fovea::nn
