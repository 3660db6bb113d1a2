// SPDX-License-Identifier: Apache-2.0
// Kernels of 3 x 3, 5 x 5, 7 x 7 and 1 x 7 with stride 1 slide over a strip of columns, one or two
// cache lines of channels at a time: with less, a line would come from memory for each of its
// parts.  The strip's last KH input lines lie in a ring of contiguous, zero-padded lines on the
// stack: each input is fetched from the map once, and the inner loop knows no borders.  A tile of P
// outputs in a line loads P + KW - 1 inputs and KW weights for every P * KW multiply-adds.
//
// Registers: P accumulators + KW weights + 1 input <= 16, so P = 8 (KW = 7: 7 with 16 registers).
#pragma once

#include "kernels/dwconv/dwconv.h"
#include "kernels/eltwise/epilogue_tile.h"

namespace fovea::FOVEA_ISA {

using kernels::Window2d;

inline constexpr int kStrip = 32;        // outputs of a line that share a ring
inline constexpr int kStripOutputs = 8;  // outputs of a tile, at most

// Vectors of channels that share a ring, which should leave room in L1.
template <int KH>
inline constexpr int kRingVecs = greater(1, (KH <= 3 ? 32 : 16) / Vec::kLanes);

template <int KH, int KW, int NV>
struct DwRing {
  static constexpr int kStep = NV * Vec::kLanes;  // from pixel to pixel
  alignas(64) float lines[KH][(kStrip + KW - 1) * kStep];
  alignas(64) float weights[KH * KW * kStep];
};

// One line of the image, columns [first, first + count), into the ring; zeros outside the image.
// What lies `ahead` floats later comes into the cache meanwhile: pixels are too far apart for the
// hardware to foresee them.
template <int NV, class Lanes>
FOVEA_INLINE void fill_line(const float* line, std::ptrdiff_t ldx, int w, int first, int count,
                            std::ptrdiff_t ahead, Lanes lanes, float* to) {
  for (int i = 0; i < count; ++i, to += NV * Vec::kLanes) {
    const int ix = first + i;
    const bool inside = ix >= 0 && ix < w;
    const float* const from = inside ? line + ix * ldx : line;
    if (inside) fetch(from + ahead, NV * Vec::kLanes);
    unroll<NV>([&](auto v) FOVEA_INLINE_LAMBDA {
      constexpr int kFirst = decltype(v)::value * Vec::kLanes;
      store(to + kFirst, inside ? load(from + kFirst, lanes) : splat(0.0f));
    });
  }
}

// P neighbouring outputs of line oy: vector `vec` of the ring's channels, of which `channels`
// exist.
template <int KH, int KW, int NV, int P>
void dwconv_strip_tile(const DwRing<KH, KW, NV>& ring, int oy, int ky_begin, int ky_end, int column,
                       int vec, float* y, std::ptrdiff_t ldy, int channels, const Epilogue& e) {
  constexpr int kStep = DwRing<KH, KW, NV>::kStep;
  Vec acc[P][1];
  unroll<P>([&](auto p) FOVEA_INLINE_LAMBDA { acc[decltype(p)::value][0] = splat(0.0f); });
  for (int ky = ky_begin; ky < ky_end; ++ky) {
    const float* in = ring.lines[(oy + ky) % KH] + column * kStep + vec * Vec::kLanes;
    const float* weights = ring.weights + ky * KW * kStep + vec * Vec::kLanes;
    Vec wv[KW];
    unroll<KW>([&](auto kx) FOVEA_INLINE_LAMBDA {
      wv[decltype(kx)::value] = load(weights + decltype(kx)::value * kStep);
    });
    unroll<P + KW - 1>([&](auto i) FOVEA_INLINE_LAMBDA {
      constexpr int kIn = decltype(i)::value;
      const Vec v = load(in + kIn * kStep);
      unroll<KW>([&](auto kx) FOVEA_INLINE_LAMBDA {
        constexpr int kTap = decltype(kx)::value;
        if constexpr (kIn - kTap >= 0 && kIn - kTap < P) {
          acc[kIn - kTap][0] = fma(wv[kTap], v, acc[kIn - kTap][0]);
        }
      });
    });
  }
  epilogue_tile<P, 1>(acc, y, ldy, channels, e);
}

template <int KH, int KW, int NV>
using DwStripTile = void(const DwRing<KH, KW, NV>& ring, int oy, int ky_begin, int ky_end,
                         int column, int vec, float* y, std::ptrdiff_t ldy, int channels,
                         const Epilogue& e);

template <int KH, int KW, int NV, class Sequence>
struct DwStripTiles;
template <int KH, int KW, int NV, int... I>
struct DwStripTiles<KH, KW, NV, std::integer_sequence<int, I...>> {
  static constexpr DwStripTile<KH, KW, NV>* kTable[] = {&dwconv_strip_tile<KH, KW, NV, I + 1>...};
};

// Columns [first, first + count) of rows [row_begin, row_end), count <= kStrip, NV vectors of
// channels.
template <int KH, int KW, int NV, class Lanes>
FOVEA_INLINE void dwconv_strip(const float* x, std::ptrdiff_t ldx, const float* w,
                               std::ptrdiff_t ldw, float* y, std::ptrdiff_t ldy, const Window2d& s,
                               int row_begin, int row_end, int first, int count, Lanes lanes,
                               const Epilogue& e) {
  using Tiles = DwStripTiles<KH, KW, NV, std::make_integer_sequence<int, kStripOutputs>>;
  DwRing<KH, KW, NV> ring;
  for (int t = 0; t < KH * KW; ++t) {
    unroll<NV>([&](auto v) FOVEA_INLINE_LAMBDA {
      constexpr int kFirst = decltype(v)::value * Vec::kLanes;
      store(ring.weights + t * ring.kStep + kFirst, load(w + t * ldw + kFirst, lanes));
    });
  }
  // Pixels that come next: those of the next line, or of the next strip of an only line.
  const std::ptrdiff_t next_in = KH == 1 ? count : s.w, next_out = KH == 1 ? count : s.out_w;
  const std::ptrdiff_t line = s.w * ldx;
  const auto fill = [&](int shifted) FOVEA_INLINE_LAMBDA {  // input line plus pad_h, so >= 0
    const int iy = shifted - s.pad_h;
    if (iy >= 0 && iy < s.h) {
      fill_line<NV>(x + iy * line, ldx, s.w, first - s.pad_w, count + KW - 1, next_in * ldx, lanes,
                    ring.lines[shifted % KH]);
    }
  };
  for (int t = 0; t < KH - 1; ++t) fill(row_begin + t);
  // Tiles of nearly equal width: 14 columns are 7 + 7 rather than 8 + 6.
  const int widest = Vec::kLanes == 16 || KW < 7 ? kStripOutputs : kStripOutputs - 1;
  const int tiles = (count + widest - 1) / widest;
  for (int oy = row_begin; oy < row_end; ++oy) {
    fill(oy + KH - 1);
    const int ky_begin = greater(0, s.pad_h - oy);
    const int ky_end = smaller(KH, s.h + s.pad_h - oy);
    for (int t = 0; t < tiles; ++t) {
      const int begin = t * count / tiles;
      const int outputs = (t + 1) * count / tiles - begin;
      const std::ptrdiff_t pixel = static_cast<std::ptrdiff_t>(oy) * s.out_w + first + begin;
      for (std::ptrdiff_t next = pixel + next_out; next < pixel + next_out + outputs; ++next) {
        fetch(y + next * ldy, NV * Vec::kLanes);
        if (e.residual != nullptr && e.residual != y) {
          fetch(e.residual + next * e.ldr, NV * Vec::kLanes);
        }
      }
      for (int v = 0; v < NV; ++v) {
        const int c = v * Vec::kLanes;
        Tiles::kTable[outputs - 1](ring, oy, ky_begin, ky_end, begin, v, y + pixel * ldy + c, ldy,
                                   count_of(lanes), kernels::block_of(e, pixel, c));
      }
    }
  }
}

template <int KH, int KW>
void dwconv_slide(const float* x, std::ptrdiff_t ldx, const float* w, std::ptrdiff_t ldw, float* y,
                  std::ptrdiff_t ldy, const Window2d& s, int row_begin, int row_end,
                  const Epilogue& e) {
  const int strips = (s.out_w + kStrip - 1) / kStrip;
  for (int t = 0; t < strips; ++t) {
    const int first = static_cast<int>(static_cast<std::ptrdiff_t>(t) * s.out_w / strips);
    const int end = static_cast<int>((static_cast<std::ptrdiff_t>(t) + 1) * s.out_w / strips);
    for_vector_groups<kRingVecs<KH>>(s.c, [&](int j, auto vectors, auto lanes) FOVEA_INLINE_LAMBDA {
      dwconv_strip<KH, KW, decltype(vectors)::value>(x + j, ldx, w + j, ldw, y + j, ldy, s,
                                                     row_begin, row_end, first, end - first, lanes,
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
  const bool slides = s.stride_h == 1 && s.stride_w == 1 && s.dilation_h == 1 && s.dilation_w == 1;
  const auto kernel_is = [&](int high, int wide) FOVEA_INLINE_LAMBDA {
    return s.kernel_h == high && s.kernel_w == wide;
  };
  if (slides && kernel_is(3, 3)) {
    dwconv_slide<3, 3>(x, ldx, w, ldw, y, ldy, s, row_begin, row_end, e);
  } else if (slides && kernel_is(5, 5)) {
    dwconv_slide<5, 5>(x, ldx, w, ldw, y, ldy, s, row_begin, row_end, e);
  } else if (slides && kernel_is(7, 7)) {
    dwconv_slide<7, 7>(x, ldx, w, ldw, y, ldy, s, row_begin, row_end, e);
  } else if (slides && kernel_is(1, 7)) {
    dwconv_slide<1, 7>(x, ldx, w, ldw, y, ldy, s, row_begin, row_end, e);
  } else {
    dwconv_any(x, ldx, w, ldw, y, ldy, s, row_begin, row_end, e);
  }
}

}  // namespace fovea::FOVEA_ISA
