// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>

#include "fovea/nn/conv2d.h"
#include "fovea/nn/self_attention.h"

namespace fovea::nn {

struct LinearMixingOptions {
  int heads = 1;
  FeatureMap map = FeatureMap::elu_plus_one;
  bool normalize = true;
  bool mean = false;  // means over the keys in the place of sums
  float eps = 1e-6f;
  int features = 0;            // of a head with FeatureMap::performer, else 0
  int kernel = 0;              // of the convolution of the values, odd; 0: there is none
  bool shared_kernel = false;  // one for all heads
  bool positions = false;      // learned ones, added to the keys
  // The map, or the window, that positions are made for and that the convolution sees tokens as,
  // and how many times smaller that of keys and values is. 0 x 0, where there are no positions:
  // any.
  int h = 0, w = 0;
  int reduction = 1;
};

// What mixes tokens in linear attention (arXiv:2006.16236), given queries, keys and values: per
// head, with q' = map(q), k' = map(k + "positional_encoding"),
//
//   y_i = q'_i (sum over j of k'_j v_j^T) / (q'_i . sum over j of k'_j + eps) + dw(v)
//
// without the division unless `normalize`. Binds "w" (features, c / heads), the projection of
// performer, with `features`, "positional_encoding" (1, keys, c) with `positions`, and with a
// kernel "dwc", (c, 1, kernel, kernel) or, shared, (c / heads, 1, kernel, kernel).
class LinearMixing {
 public:
  // Throws Error(argument) for heads that do not divide c, even kernels, maps without positions,
  // and features for another map than performer's or none for that.
  LinearMixing(const Params& p, int c, const LinearMixingOptions& options);

  // q, y (n, h, w, c); k, v (n, h / reduction, w / reduction, c); any channel ranges. Where h and w
  // are built in, only areas count: the convolution sees (h, w) maps of any tokens. Fewer values
  // are stretched along the sequence before they are convolved, as SLAB does it.
  void forward(CMapF q, CMapF k, CMapF v, MapF y, Context& ctx) const;

 private:
  const Backend* backend_;
  FloatBuffer positions_;   // (keys, c), or empty
  FloatBuffer projection_;  // (features, c / heads), or empty
  std::optional<Conv2d> conv_;
  LinearAttentionSpec spec_;
  int h_, w_;
};

// Linear attention by itself. Binds "qkv" and "proj" beside what LinearMixing binds:
//   LinearAttention(p, c, qkv_bias, LinearMixing(p, c, options)).
using LinearAttention = SelfAttention<LinearMixing>;

}  // namespace fovea::nn
