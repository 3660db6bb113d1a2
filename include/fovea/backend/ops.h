// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>

#include "fovea/core/map.h"

namespace fovea {

// Activation functions. star_relu (MetaFormer, arXiv:2210.13452) is scale * relu(x)^2 + bias.
struct Activation {
  enum class Kind : std::uint8_t {
    none,
    relu,
    gelu,        // x/2 (1 + erf(x / sqrt 2))
    gelu_tanh,   // x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
    quick_gelu,  // x sigmoid(1.702 x), of CLIP
    silu,        // x sigmoid(x)
    star_relu,
    sigmoid,
    tanh,
  };

  Kind kind = Kind::none;
  float scale = 1.0f;  // of star_relu
  float bias = 0.0f;   // of star_relu

  constexpr Activation() = default;
  constexpr Activation(Kind k) : kind(k) {}
  constexpr Activation(Kind k, float s, float b) : kind(k), scale(s), bias(b) {}
};

// What may follow a linear layer, a convolution or a pooling without another pass over memory:
//
//   y = residual_scale * residual + scale * act(acc + bias)
//
// bias, scale and residual_scale are vectors over the output channels; null means 0, 1 and 1.
// `residual` has the shape of y, or is empty; it may be y itself.
struct Epilogue {
  const float* bias = nullptr;
  Activation act{};
  const float* scale = nullptr;
  CMapF residual{};
  const float* residual_scale = nullptr;
};

// Shape of a 2-D convolution; the kernel's size and the channels come with its weight.
struct Conv2dSpec {
  int stride_h = 1, stride_w = 1;
  int pad_h = 0, pad_w = 0;  // zeros on both sides
  int dilation_h = 1, dilation_w = 1;
  int groups = 1;

  static constexpr Conv2dSpec square(int stride, int pad, int groups = 1) {
    return {stride, stride, pad, pad, 1, 1, groups};
  }
};

// floor((in + 2 pad - dilation (kernel - 1) - 1) / stride) + 1, at least 0.
constexpr int conv_out_size(int in, int kernel, int stride, int pad, int dilation = 1) {
  const int span = in + 2 * pad - dilation * (kernel - 1) - 1;
  return span < 0 ? 0 : span / stride + 1;
}

struct Pool2dSpec {
  enum class Kind : std::uint8_t { average, max };
  Kind kind = Kind::average;
  int kernel_h = 1, kernel_w = 1;
  int stride_h = 1, stride_w = 1;
  int pad_h = 0, pad_w = 0;
  bool count_include_pad = true;  // of averages

  static constexpr Pool2dSpec square(Kind kind, int kernel, int stride, int pad,
                                     bool count_include_pad = true) {
    return {kind, kernel, kernel, stride, stride, pad, pad, count_include_pad};
  }
};

enum class Interpolation : std::uint8_t { nearest, bilinear };

// y = (x - mean) / sqrt(var + eps) * weight + bias; null weight and bias mean 1 and 0.
struct NormParams {
  const float* weight = nullptr;
  const float* bias = nullptr;
  float eps = 1e-5f;
};

// softmax(scale * q k^T + bias) v, per image and head; head i owns channels i*d .. (i+1)*d of q, k,
// v and y.
struct AttentionSpec {
  int heads = 1;
  float scale = 1.0f;
  const float* bias = nullptr;  // (heads, rows of q, rows of k), shared by all images; or null
};

// Attention inside the windows of a feature map whose origin is shifted cyclically by (shift_h,
// shift_w): Swin (arXiv:2103.14030). The map is padded at the bottom and right to whole windows;
// positions that the shift brings together from different sides are separated by adding
// `mask_value` to their scores.
//
// In timm's order: first the shift, then the padding. With M = window_h and Hp = h rounded up to a
// multiple of M (columns likewise), row r of window i is the shifted row s = i M + r; s >= h is
// padding, else it is row (s + shift_h) mod h of the map. Two tokens are masked when only one of
// their shifted rows (or columns) is >= Hp - shift_h. Padded tokens take part as keys, with the
// qkv row `pad_qkv`.
struct WindowSpec {
  int heads = 1;
  int window_h = 7, window_w = 7;
  int shift_h = 0, shift_w = 0;
  float scale = 1.0f;                 // of the scores
  const float* head_scale = nullptr;  // (heads): another factor per head, or null
  bool cosine = false;                // normalise q and k to unit length first (Swin V2)
  const float* bias = nullptr;        // (heads, N, N) with N = window_h * window_w; or null
  const float* pad_qkv = nullptr;     // (3c): the qkv row of padding; null means zeros
  float mask_value = -100.0f;
};

}  // namespace fovea
