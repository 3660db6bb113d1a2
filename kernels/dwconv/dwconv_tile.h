// SPDX-License-Identifier: Apache-2.0
// Square kernels 3, 5, 7 with stride 1 slide over a strip of columns, one or two cache lines of
// channels at a time: with less, a line would come from memory for each of its parts.  The strip's
// last K input lines lie in a ring of contiguous, zero-padded lines on the stack: each input is
// fetched from the map once, and the inner loop knows no borders.  A tile of P outputs in a line
// loads P + K - 1 inputs and K weights for every P * K multiply-adds.
//
// Registers: P accumulators + K weights + 1 input <= 16, so P = 8 (K = 7: 7 with 16 registers).
#pragma once

#include "kernels/dwconv/dwconv.h"
#include "kernels/eltwise/epilogue_tile.h"

namespace fovea::FOVEA_ISA {

using kernels::Window2d;

inline constexpr int kStrip = 32;        // outputs of a line that share a ring
inline constexpr int kStripOutputs = 8;  // outputs of a tile, at most

// Vectors of channels that share a ring, which should leave room in L1.
template <int K>
inline constexpr int kRingVecs = greater(1, (K == 3 ? 32 : 16) / Vec::kLanes);

template <int K, int NV>
struct DwRing {
  static constexpr int kStep = NV * Vec::kLanes;  // from pixel to pixel
  alignas(64) float lines[K][(kStrip + K - 1) * kStep];
  alignas(64) float weights[K * K * kStep];
};

// One line of the image, columns [first, first + count), into the ring; zeros outside the image.
// The line after it comes into the cache meanwhile: pixels are too far apart for the hardware to
// foresee them.
template <int NV, class Lanes>
FOVEA_INLINE void fill_line(const float* line, std::ptrdiff_t ldx, int w, int first, int count,
                            Lanes lanes, float* to) {
  constexpr int kCacheLine = 16;  // floats
  const std::ptrdiff_t next = w * ldx;
  for (int i = 0; i < count; ++i, to += NV * Vec::kLanes) {
    const int ix = first + i;
    const bool inside = ix >= 0 && ix < w;
    const float* const from = line + ix * ldx;
    if (inside) {
      for (int j = 0; j < NV * Vec::kLanes; j += kCacheLine) __builtin_prefetch(from + next + j);
    }
    unroll<NV>([&](auto v) FOVEA_INLINE_LAMBDA {
      constexpr int kFirst = decltype(v)::value * Vec::kLanes;
      store(to + kFirst, inside ? load(from + kFirst, lanes) : splat(0.0f));
    });
  }
}

// P neighbouring outputs of line oy: vector `vec` of the ring's channels, of which `channels`
// exist.
template <int K, int NV, int P>
void dwconv_strip_tile(const DwRing<K, NV>& ring, int oy, int ky_begin, int ky_end, int column,
                       int vec, float* y, std::ptrdiff_t ldy, int channels, const Epilogue& e) {
  constexpr int kStep = DwRing<K, NV>::kStep;
  Vec acc[P][1];
  unroll<P>([&](auto p) FOVEA_INLINE_LAMBDA { acc[decltype(p)::value][0] = splat(0.0f); });
  for (int ky = ky_begin; ky < ky_end; ++ky) {
    const float* in = ring.lines[(oy + ky) % K] + column * kStep + vec * Vec::kLanes;
    const float* weights = ring.weights + ky * K * kStep + vec * Vec::kLanes;
    Vec wv[K];
    unroll<K>([&](auto kx) FOVEA_INLINE_LAMBDA {
      wv[decltype(kx)::value] = load(weights + decltype(kx)::value * kStep);
    });
    unroll<P + K - 1>([&](auto i) FOVEA_INLINE_LAMBDA {
      constexpr int kIn = decltype(i)::value;
      const Vec v = load(in + kIn * kStep);
      unroll<K>([&](auto kx) FOVEA_INLINE_LAMBDA {
        constexpr int kTap = decltype(kx)::value;
        if constexpr (kIn - kTap >= 0 && kIn - kTap < P) {
          acc[kIn - kTap][0] = fma(wv[kTap], v, acc[kIn - kTap][0]);
        }
      });
    });
  }
  epilogue_tile<P, 1>(acc, y, ldy, channels, e);
}

template <int K, int NV>
using DwStripTile = void(const DwRing<K, NV>& ring, int oy, int ky_begin, int ky_end, int column,
                         int vec, float* y, std::ptrdiff_t ldy, int channels, const Epilogue& e);

template <int K, int NV, class Sequence>
struct DwStripTiles;
template <int K, int NV, int... I>
struct DwStripTiles<K, NV, std::integer_sequence<int, I...>> {
  static constexpr DwStripTile<K, NV>* kTable[] = {&dwconv_strip_tile<K, NV, I + 1>...};
};

// Columns [first, first + count) of rows [row_begin, row_end), count <= kStrip, NV vectors of
// channels.
template <int K, int NV, class Lanes>
FOVEA_INLINE void dwconv_strip(const float* x, std::ptrdiff_t ldx, const float* w,
                               std::ptrdiff_t ldw, float* y, std::ptrdiff_t ldy, const Window2d& s,
                               int row_begin, int row_end, int first, int count, Lanes lanes,
                               const Epilogue& e) {
  DwRing<K, NV> ring;
  for (int t = 0; t < K * K; ++t) {
    unroll<NV>([&](auto v) FOVEA_INLINE_LAMBDA {
      constexpr int kFirst = decltype(v)::value * Vec::kLanes;
      store(ring.weights + t * ring.kStep + kFirst, load(w + t * ldw + kFirst, lanes));
    });
  }
  const std::ptrdiff_t line = s.w * ldx;
  const auto fetch = [&](int shifted) FOVEA_INLINE_LAMBDA {  // input line plus pad_h, so >= 0
    const int iy = shifted - s.pad_h;
    if (iy >= 0 && iy < s.h) {
      fill_line<NV>(x + iy * line, ldx, s.w, first - s.pad_w, count + K - 1, lanes,
                    ring.lines[shifted % K]);
    }
  };
  for (int t = 0; t < K - 1; ++t) fetch(row_begin + t);
  // Tiles of nearly equal width: 14 columns are 7 + 7 rather than 8 + 6.
  const int widest = Vec::kLanes == 16 || K < 7 ? kStripOutputs : kStripOutputs - 1;
  const int tiles = (count + widest - 1) / widest;
  for (int oy = row_begin; oy < row_end; ++oy) {
    fetch(oy + K - 1);
    const int ky_begin = greater(0, s.pad_h - oy);
    const int ky_end = smaller(K, s.h + s.pad_h - oy);
    for (int t = 0; t < tiles; ++t) {
      const int begin = t * count / tiles;
      const int outputs = (t + 1) * count / tiles - begin;
      const std::ptrdiff_t pixel = static_cast<std::ptrdiff_t>(oy) * s.out_w + first + begin;
      for (int v = 0; v < NV; ++v) {
        const int c = v * Vec::kLanes;
        DwStripTiles<K, NV, std::make_integer_sequence<int, kStripOutputs>>::kTable[outputs - 1](
            ring, oy, ky_begin, ky_end, begin, v, y + pixel * ldy + c, ldy, count_of(lanes),
            kernels::block_of(e, pixel, c));
      }
    }
  }
}

template <int K>
void dwconv_square(const float* x, std::ptrdiff_t ldx, const float* w, std::ptrdiff_t ldw, float* y,
                   std::ptrdiff_t ldy, const Window2d& s, int row_begin, int row_end,
                   const Epilogue& e) {
  const int strips = (s.out_w + kStrip - 1) / kStrip;
  for (int t = 0; t < strips; ++t) {
    const int first = t * s.out_w / strips;
    const int count = (t + 1) * s.out_w / strips - first;
    for_vector_groups<kRingVecs<K>>(s.c, [&](int j, auto vectors, auto lanes) FOVEA_INLINE_LAMBDA {
      dwconv_strip<K, decltype(vectors)::value>(x + j, ldx, w + j, ldw, y + j, ldy, s, row_begin,
                                                row_end, first, count, lanes,
                                                kernels::block_of(e, 0, j));
    });
  }
}

// Any kernel, stride and dilation: one output pixel at a time, four vectors of channels.
void dwconv_any(const float* x, std::ptrdiff_t ldx, const float* w, std::ptrdiff_t ldw, float* y,
                std::ptrdiff_t ldy, const Window2d& s, int row_begin, int row_end,
                const Epilogue& e) {
  for (int oy = row_begin; oy < row_end; ++oy) {
    for (int ox = 0; ox < s.out_w; ++ox) {
      const std::ptrdiff_t pixel = static_cast<std::ptrdiff_t>(oy) * s.out_w + ox;
      for_vector_groups<4>(s.c, [&](int j, auto vectors, auto lanes) FOVEA_INLINE_LAMBDA {
        constexpr int kVecs = decltype(vectors)::value;
        Vec acc[1][kVecs];
        unroll<kVecs>([&](auto v)
                          FOVEA_INLINE_LAMBDA { acc[0][decltype(v)::value] = splat(0.0f); });
        for (int ky = 0; ky < s.kernel_h; ++ky) {
          const int iy = oy * s.stride_h - s.pad_h + ky * s.dilation_h;
          if (iy < 0 || iy >= s.h) continue;
          for (int kx = 0; kx < s.kernel_w; ++kx) {
            const int ix = ox * s.stride_w - s.pad_w + kx * s.dilation_w;
            if (ix < 0 || ix >= s.w) continue;
            const float* in = x + (static_cast<std::ptrdiff_t>(iy) * s.w + ix) * ldx + j;
            const float* tap = w + (ky * s.kernel_w + kx) * ldw + j;
            unroll<kVecs>([&](auto v) FOVEA_INLINE_LAMBDA {
              constexpr int kVec = decltype(v)::value;
              acc[0][kVec] = fma(load(tap + kVec * Vec::kLanes, lanes),
                                 load(in + kVec * Vec::kLanes, lanes), acc[0][kVec]);
            });
          }
        }
        epilogue_tile<1, kVecs>(acc, y + pixel * ldy + j, ldy,
                                (kVecs - 1) * Vec::kLanes + count_of(lanes),
                                kernels::block_of(e, pixel, j));
      });
    }
  }
}

void dwconv(const float* x, std::ptrdiff_t ldx, const float* w, std::ptrdiff_t ldw, float* y,
            std::ptrdiff_t ldy, const Window2d& s, int row_begin, int row_end,
            const Epilogue& e) noexcept {
  const bool slides = s.stride_h == 1 && s.stride_w == 1 && s.dilation_h == 1 &&
                      s.dilation_w == 1 && s.kernel_h == s.kernel_w;
  if (slides && s.kernel_h == 3) {
    dwconv_square<3>(x, ldx, w, ldw, y, ldy, s, row_begin, row_end, e);
  } else if (slides && s.kernel_h == 5) {
    dwconv_square<5>(x, ldx, w, ldw, y, ldy, s, row_begin, row_end, e);
  } else if (slides && s.kernel_h == 7) {
    dwconv_square<7>(x, ldx, w, ldw, y, ldy, s, row_begin, row_end, e);
  } else {
    dwconv_any(x, ldx, w, ldw, y, ldy, s, row_begin, row_end, e);
  }
}

}  // namespace fovea::FOVEA_ISA
