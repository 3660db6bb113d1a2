// SPDX-License-Identifier: Apache-2.0
// The two passes of a separable resampling of 8-bit pixels, in Pillow's arithmetic: a result is
//   clamp((1 / 2 + sum of weight * pixel), 0, 255), rounded down,
// with weights of 22 fractional bits and exact sums in 32 bits, so that every byte equals Pillow's.
// y must not overlap x.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fovea {
namespace kernels {

inline constexpr int kResizeFractionBits = 22;
inline constexpr int kResizeLowBits = 11;
inline constexpr int kResizeGroup = 4;

// Weights of four neighbouring taps, weight = high * 2^11 + low with 0 <= low < 2^11: both parts
// fit the 16-bit multiplications that processors have most of, and no bit is lost. Those behind the
// last tap are 0.
struct ResizeWeights {
  std::int16_t low[kResizeGroup];
  std::int16_t high[kResizeGroup];
};

// The taps of one output: inputs first .. first + count - 1, weights in ceil(count / 4) groups.
struct ResizeTaps {
  int first;
  int count;
  const ResizeWeights* weights;
};

// Bytes that resample_columns may read behind the last tap of a row: three pixels without a weight,
// and the rest of a load.
inline constexpr std::size_t kResizeOverread = 13;

}  // namespace kernels

// Along x, on RGB pixels: output i of row r is the sum over t of weight t of taps[i] times pixel
// taps[i].first + t of x[r]. x: `rows` pointers to the pixels 0 of rows, which are readable for
// kResizeOverread bytes behind their last tap; y: rows of n pixels, ldy bytes apart.
using resample_columns_fn = void(const std::uint8_t* const* x, int rows,
                                 const kernels::ResizeTaps* taps, int n, std::uint8_t* y,
                                 std::ptrdiff_t ldy) noexcept;
// Along y: byte i of y is the sum over t of weight t times x[t][i], for i < n. x: `count` rows.
using resample_rows_fn = void(const std::uint8_t* const* x, int count,
                              const kernels::ResizeWeights* weights, int n,
                              std::uint8_t* y) noexcept;

#define FOVEA_KERNEL(isa, name) \
  namespace isa {               \
  name##_fn name;               \
  }
#include "kernels/resize/kernels.inc"
#undef FOVEA_KERNEL

}  // namespace fovea
