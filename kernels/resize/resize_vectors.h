// SPDX-License-Identifier: Apache-2.0
// On the words of kernels/simd/pixels.h: two taps at a time, the low and the high parts of the
// weights in sums of their own.
#pragma once

#include "kernels/resize/resize.h"
#include "kernels/simd/pixels.h"

namespace fovea::FOVEA_ISA {

using kernels::kResizeFractionBits;
using kernels::kResizeLowBits;
using kernels::ResizeTaps;
using kernels::ResizeWeights;

// Both halves of a sum of weight * pixel, and what they make together.
struct SplitSums {
  Ints low, high;
};
FOVEA_INLINE void add_products(SplitSums& sums, Ints pixels, Ints low, Ints high) {
  sums.low = add(sums.low, pair_products(pixels, low));
  sums.high = add(sums.high, pair_products(pixels, high));
}
FOVEA_INLINE Ints joined(SplitSums sums) {
  return add(sums.low, shift_left<kResizeLowBits>(sums.high));
}

constexpr int kHalf = 1 << (kResizeFractionBits - 1);

// kRows rows, of which a register holds kRowsOfTaps: their common weights are loaded once. The last
// pixel of a row is written byte by byte, since there may be nothing behind it.
template <int kRows>
FOVEA_INLINE void columns_of_rows(const std::uint8_t* const* x, const ResizeTaps* taps, int n,
                                  std::uint8_t* y, std::ptrdiff_t ldy) {
  constexpr int kSums = (kRows + kRowsOfTaps - 1) / kRowsOfTaps;
  for (int i = 0; i < n; ++i) {
    SplitSums sums[kSums];
    unroll<kSums>([&](auto s) FOVEA_INLINE_LAMBDA {
      sums[decltype(s)::value] = {ints_zero(), ints_zero()};
    });
    std::ptrdiff_t byte = std::ptrdiff_t{taps[i].first} * 3;
    const ResizeWeights* weights = taps[i].weights;
    for (int t = 0; t < taps[i].count; t += kernels::kResizeGroup, ++weights, byte += 12) {
      const TapWeights w = load_tap_weights(weights->low);
      unroll<kSums>([&](auto s) FOVEA_INLINE_LAMBDA {
        constexpr int kFirst = decltype(s)::value * kRowsOfTaps;
        constexpr int kLast = smaller_of(kFirst + kRowsOfTaps, kRows) - 1;
        add_products(sums[decltype(s)::value], load_taps(x[kFirst] + byte, x[kLast] + byte), w.low,
                     w.high);
      });
    }
    Ints whole[kSums];
    unroll<kSums>([&](auto s) FOVEA_INLINE_LAMBDA {
      constexpr int kSum = decltype(s)::value;
      whole[kSum] = joined(sums[kSum]);
    });
    int pixels[4];  // R, G, B, 0 of each row
    rounded_pixels<kResizeFractionBits>(whole, kHalf, pixels);
    const int bytes = i + 1 < n ? 4 : 3;
    unroll<kRows>([&](auto r) FOVEA_INLINE_LAMBDA {
      constexpr int kRow = decltype(r)::value;
      std::uint8_t* out = y + kRow * ldy + std::ptrdiff_t{i} * 3;
      if (bytes == 4) {
        __builtin_memcpy(out, &pixels[kRow], 4);
      } else {
        __builtin_memcpy(out, &pixels[kRow], 3);
      }
    });
  }
}

void resample_columns(const std::uint8_t* const* x, int rows, const ResizeTaps* taps, int n,
                      std::uint8_t* y, std::ptrdiff_t ldy) noexcept {
  int row = 0;
  for (; row + 4 <= rows; row += 4) columns_of_rows<4>(x + row, taps, n, y + row * ldy, ldy);
  for (; row < rows; ++row) columns_of_rows<1>(x + row, taps, n, y + row * ldy, ldy);
}

// kBytes bytes of all rows, from byte i on.
FOVEA_INLINE void block_of_rows(const std::uint8_t* const* x, int count,
                                const ResizeWeights* weights, std::ptrdiff_t i, std::uint8_t* y) {
  SplitSums sums[4];
  unroll<4>([&](auto s) FOVEA_INLINE_LAMBDA {
    sums[decltype(s)::value] = {splat_int(kHalf), ints_zero()};
  });
  for (int t = 0; t < count; t += 2) {
    const ResizeWeights& group = weights[t / kernels::kResizeGroup];
    const int part = t % kernels::kResizeGroup;
    // An odd last tap meets itself, with a weight of 0.
    Ints pixels[4];
    load_row_pairs(x[t] + i, x[t + 1 < count ? t + 1 : t] + i, pixels);
    const Ints low = splat_pair(group.low + part);
    const Ints high = splat_pair(group.high + part);
    unroll<4>([&](auto s) FOVEA_INLINE_LAMBDA {
      constexpr int kSum = decltype(s)::value;
      add_products(sums[kSum], pixels[kSum], low, high);
    });
  }
  store_bytes(y + i, shift_right<kResizeFractionBits>(joined(sums[0])),
              shift_right<kResizeFractionBits>(joined(sums[1])),
              shift_right<kResizeFractionBits>(joined(sums[2])),
              shift_right<kResizeFractionBits>(joined(sums[3])));
}

// Fewer bytes than a block: the same sums, one by one.
FOVEA_INLINE void few_bytes_of_rows(const std::uint8_t* const* x, int count,
                                    const ResizeWeights* weights, int n, std::uint8_t* y) {
  for (int i = 0; i < n; ++i) {
    int sum = kHalf;
    for (int t = 0; t < count; ++t) {
      const ResizeWeights& group = weights[t / kernels::kResizeGroup];
      const int part = t % kernels::kResizeGroup;
      sum += x[t][i] * (group.high[part] * (1 << kResizeLowBits) + group.low[part]);
    }
    const int value = sum >> kResizeFractionBits;
    y[i] = static_cast<std::uint8_t>(value < 0 ? 0 : value > 255 ? 255 : value);
  }
}

void resample_rows(const std::uint8_t* const* x, int count, const ResizeWeights* weights, int n,
                   std::uint8_t* y) noexcept {
  if (n < kBytes) {
    few_bytes_of_rows(x, count, weights, n, y);
    return;
  }
  int i = 0;
  for (; i + kBytes <= n; i += kBytes) block_of_rows(x, count, weights, i, y);
  // The last block ends with the row: bytes that were computed before are computed again.
  if (i < n) block_of_rows(x, count, weights, n - kBytes, y);
}

}  // namespace fovea::FOVEA_ISA
