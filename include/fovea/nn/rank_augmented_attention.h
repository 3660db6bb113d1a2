// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/nn/conv2d.h"
#include "fovea/nn/linear.h"
#include "fovea/nn/rotary.h"

namespace fovea::nn {

// Which attention a RankAugmentedAttention computes.
enum class GatedAttentionForm : std::uint8_t { linear, softmax };

// Attention of RAVLT (RALA, arXiv:2411.07635): with [q | k | v | o] = qkvo(x) and rotated queries
// and keys,
//
//   y = proj((attention(q, k, v) + depthwise5x5(v)) * o)
//
// attention is linear and rank-augmented: features elu + 1, keys weighted by the softmax of the
// mean query's scores, sums over tokens as means (LinearAttentionSpec); or that of softmax. The
// gate o passes no activation. Binds "qkvo", "lepe" and "proj", 1x1 and depthwise convolutions.
class RankAugmentedAttention {
 public:
  // Throws Error(argument) when heads do not divide c.
  RankAugmentedAttention(const Params& p, int c, int heads, GatedAttentionForm form);

  // x, y (n, h, w, c); `rotary`: AxialRotary's tables for (h, w) and c / heads channels.
  void forward(CMapF x, MapF y, const RotarySpec& rotary, Context& ctx,
               const Epilogue& epilogue) const;

 private:
  const Backend* backend_;
  int heads_;
  GatedAttentionForm form_;
  float scale_;
  Linear qkvo_;
  Conv2d lepe_;
  Linear proj_;
};

}  // namespace fovea::nn
