// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "fovea/nn/conv2d.h"
#include "fovea/nn/linear.h"

namespace fovea::nn {

struct SimplifiedLinearOptions {
  int heads = 1;
  int kernel = 5;      // of the convolution, odd
  int h = 14, w = 14;  // the map, or the window
  int reduction = 1;   // how many times smaller the map of keys and values is
};

// What mixes tokens in simplified linear attention (SLAB, arXiv:2405.11582), given queries, keys
// and values: per head, with q' = relu(q), k' = relu(k + "positional_encoding"),
//
//   y_i = q'_i (sum over j of k'_j v_j^T) / (q'_i . sum over j of k'_j + 1e-6) + dw(v)
//
// Binds "positional_encoding" (1, keys, c) and "dwc", one kernel for all heads, (c / heads, 1,
// kernel, kernel).
class SimplifiedLinearMixing {
 public:
  // Throws Error(argument) for heads that do not divide c, even kernels and maps without positions.
  SimplifiedLinearMixing(const Params& p, int c, const SimplifiedLinearOptions& options);

  // q, y (n, h, w, c); k, v (n, h / reduction, w / reduction, c); any channel ranges. Only areas
  // count: the convolution sees (h, w) maps of any tokens. Fewer values are stretched along the
  // sequence before they are convolved, as the reference does it.
  void forward(CMapF q, CMapF k, CMapF v, MapF y, Context& ctx) const;

 private:
  const Backend* backend_;
  FloatBuffer positions_;  // (keys, c)
  std::optional<Conv2d> conv_;
  LinearAttentionSpec spec_;
  int h_, w_;
};

}  // namespace fovea::nn
