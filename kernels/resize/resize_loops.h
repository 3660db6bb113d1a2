// SPDX-License-Identifier: Apache-2.0
// For processors without wide 16-bit multiplications: whole weights, and loops that a compiler
// vectorises where it can.
#pragma once

#include "kernels/resize/resize.h"
#include "kernels/simd/unroll.h"

namespace fovea::FOVEA_ISA {

using kernels::kResizeFractionBits;
using kernels::kResizeGroup;
using kernels::ResizeTaps;
using kernels::ResizeWeights;

FOVEA_INLINE int whole_weight(const ResizeWeights* weights, int tap) {
  const ResizeWeights& group = weights[tap / kResizeGroup];
  return group.high[tap % kResizeGroup] * (1 << kernels::kResizeLowBits) +
         group.low[tap % kResizeGroup];
}

FOVEA_INLINE std::uint8_t to_pixel(int sum) {
  const int value = sum >> kResizeFractionBits;
  return static_cast<std::uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
}

void resample_columns(const std::uint8_t* const* x, int rows, const ResizeTaps* taps, int n,
                      std::uint8_t* y, std::ptrdiff_t ldy) noexcept {
  constexpr int kHalf = 1 << (kResizeFractionBits - 1);
  for (int row = 0; row < rows; ++row) {
    std::uint8_t* out = y + row * ldy;
    for (int i = 0; i < n; ++i, out += 3) {
      const std::uint8_t* pixel = x[row] + std::ptrdiff_t{taps[i].first} * 3;
      int r = kHalf, g = kHalf, b = kHalf;
      for (int t = 0; t < taps[i].count; ++t, pixel += 3) {
        const int weight = whole_weight(taps[i].weights, t);
        r += pixel[0] * weight;
        g += pixel[1] * weight;
        b += pixel[2] * weight;
      }
      out[0] = to_pixel(r);
      out[1] = to_pixel(g);
      out[2] = to_pixel(b);
    }
  }
}

void resample_rows(const std::uint8_t* const* x, int count, const ResizeWeights* weights, int n,
                   std::uint8_t* y) noexcept {
  constexpr int kBlock = 64;  // sums that stay in registers or close by
  for (int begin = 0; begin < n; begin += kBlock) {
    const int size = n - begin < kBlock ? n - begin : kBlock;
    int sums[kBlock];
    for (int i = 0; i < kBlock; ++i) sums[i] = 1 << (kResizeFractionBits - 1);
    for (int t = 0; t < count; ++t) {
      const int weight = whole_weight(weights, t);
      const std::uint8_t* in = x[t] + begin;
      for (int i = 0; i < size; ++i) sums[i] += in[i] * weight;
    }
    for (int i = 0; i < size; ++i) y[begin + i] = to_pixel(sums[i]);
  }
}

}  // namespace fovea::FOVEA_ISA
