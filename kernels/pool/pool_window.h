// SPDX-License-Identifier: Apache-2.0
// General windows gather their elements pixel by pixel.  The 3 x 3 mixer slides along a line with
// the sums of three neighbouring columns in registers: three loads and four additions for an output
// instead of nine and eight.
#pragma once

#include "kernels/eltwise/epilogue_tile.h"
#include "kernels/pool/pool.h"

namespace fovea::FOVEA_ISA {

using kernels::Window2d;

// The part of a window that lies inside an axis of n elements.
struct Span {
  int begin, end;
  FOVEA_INLINE int count() const { return greater(end - begin, 0); }
};
FOVEA_INLINE Span span_of(int out, int stride, int pad, int kernel, int n) {
  const int first = out * stride - pad;
  return {greater(first, 0), smaller(first + kernel, n)};
}

// acc = op(acc, element) over the elements (iy, ix) of the window, kVecs vectors of channels.
template <int kVecs, class Lanes, class Op>
FOVEA_INLINE void gather(const float* x, std::ptrdiff_t ldx, int w, Span rows, Span columns,
                         Lanes lanes, Vec (&acc)[1][kVecs], const Op& op) {
  for (int iy = rows.begin; iy < rows.end; ++iy) {
    for (int ix = columns.begin; ix < columns.end; ++ix) {
      const float* in = x + (static_cast<std::ptrdiff_t>(iy) * w + ix) * ldx;
      unroll<kVecs>([&](auto v) FOVEA_INLINE_LAMBDA {
        constexpr int kVec = decltype(v)::value;
        acc[0][kVec] = op(acc[0][kVec], load(in + kVec * Vec::kLanes, lanes));
      });
    }
  }
}

// finish(acc, pixel, j, vectors, lanes) for every output pixel and group of channels.
template <class Op, class Finish>
FOVEA_INLINE void pool_rows(const float* x, std::ptrdiff_t ldx, const Window2d& s, int row_begin,
                            int row_end, float start, const Op& op, const Finish& finish) {
  for (int oy = row_begin; oy < row_end; ++oy) {
    const Span rows = span_of(oy, s.stride_h, s.pad_h, s.kernel_h, s.h);
    for (int ox = 0; ox < s.out_w; ++ox) {
      const Span columns = span_of(ox, s.stride_w, s.pad_w, s.kernel_w, s.w);
      const std::ptrdiff_t pixel = static_cast<std::ptrdiff_t>(oy) * s.out_w + ox;
      const int inside = rows.count() * columns.count();
      for_vector_groups<4>(s.c, [&](int j, auto vectors, auto lanes) FOVEA_INLINE_LAMBDA {
        constexpr int kVecs = decltype(vectors)::value;
        Vec acc[1][kVecs];
        unroll<kVecs>([&](auto v)
                          FOVEA_INLINE_LAMBDA { acc[0][decltype(v)::value] = splat(start); });
        gather<kVecs>(x + j, ldx, s.w, rows, columns, lanes, acc, op);
        finish(acc, pixel, j, vectors, lanes, inside);
      });
    }
  }
}

void average_pool(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy,
                  const Window2d& s, bool count_padding, int row_begin, int row_end) noexcept {
  const auto sum = [](Vec a, Vec b) FOVEA_INLINE_LAMBDA { return add(a, b); };
  pool_rows(x, ldx, s, row_begin, row_end, 0.0f, sum,
            [&](auto& acc, std::ptrdiff_t pixel, int j, auto vectors, auto lanes,
                int inside) FOVEA_INLINE_LAMBDA {
              const int count = count_padding ? s.kernel_h * s.kernel_w : inside;
              const Vec divisor = splat(static_cast<float>(count));
              unroll<decltype(vectors)::value>([&](auto v) FOVEA_INLINE_LAMBDA {
                constexpr int kVec = decltype(v)::value;
                store(y + pixel * ldy + j + kVec * Vec::kLanes, lanes, div(acc[0][kVec], divisor));
              });
            });
}

void max_pool(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy, const Window2d& s,
              int row_begin, int row_end) noexcept {
  const auto largest = [](Vec a, Vec b) FOVEA_INLINE_LAMBDA { return max(a, b); };
  pool_rows(x, ldx, s, row_begin, row_end, -__builtin_inff(), largest,
            [&](auto& acc, std::ptrdiff_t pixel, int j, auto vectors, auto lanes, int)
                FOVEA_INLINE_LAMBDA {
                  unroll<decltype(vectors)::value>([&](auto v) FOVEA_INLINE_LAMBDA {
                    constexpr int kVec = decltype(v)::value;
                    store(y + pixel * ldy + j + kVec * Vec::kLanes, lanes, acc[0][kVec]);
                  });
                });
}

// One line of the 3 x 3 mixer, one vector of channels; x, y and e point at the line's first pixel.
template <class Lanes>
FOVEA_INLINE void mix_line_3x3(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy,
                               int w, bool above, bool below, Lanes lanes, const Epilogue& e) {
  const std::ptrdiff_t line = w * ldx;
  const int lines = 1 + (above ? 1 : 0) + (below ? 1 : 0);
  const Vec zero = splat(0.0f);
  const Vec inner = splat(1.0f / static_cast<float>(3 * lines));
  const auto column_sum = [&](int ix, Vec centre) FOVEA_INLINE_LAMBDA {
    if (above) centre = add(centre, load(x + ix * ldx - line, lanes));
    if (below) centre = add(centre, load(x + ix * ldx + line, lanes));
    return centre;
  };
  Vec left = zero;
  Vec centre = load(x, lanes);
  Vec middle = column_sum(0, centre);
  for (int ox = 0; ox < w; ++ox) {
    Vec next = zero;
    Vec right = zero;
    if (ox + 1 < w) {
      next = load(x + (ox + 1) * ldx, lanes);
      right = column_sum(ox + 1, next);
    }
    if (below) {
      fetch(x + ox * ldx + 2 * line, Vec::kLanes);
      fetch(y + (ox + w) * ldy, Vec::kLanes);
    }
    const int columns = 1 + (ox > 0 ? 1 : 0) + (ox + 1 < w ? 1 : 0);
    const Vec share = columns == 3 ? inner : splat(1.0f / static_cast<float>(columns * lines));
    Vec acc[1][1] = {{sub(mul(add(add(left, middle), right), share), centre)}};
    epilogue_tile<1, 1>(acc, y + ox * ldy, ldy, count_of(lanes), kernels::block_of(e, ox, 0));
    left = middle;
    middle = right;
    centre = next;
  }
}

void pool_mix(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy, int h, int w, int c,
              int k, int row_begin, int row_end, const Epilogue& e) noexcept {
  if (k == 3) {
    for (int oy = row_begin; oy < row_end; ++oy) {
      const std::ptrdiff_t pixel = static_cast<std::ptrdiff_t>(oy) * w;
      for_vectors(c, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
        mix_line_3x3(x + pixel * ldx + j, ldx, y + pixel * ldy + j, ldy, w, oy > 0, oy + 1 < h,
                     lanes, kernels::block_of(e, pixel, j));
      });
    }
    return;
  }
  const Window2d s{h, w, c, h, w, k, k, 1, 1, k / 2, k / 2, 1, 1};
  const auto sum = [](Vec a, Vec b) FOVEA_INLINE_LAMBDA { return add(a, b); };
  pool_rows(x, ldx, s, row_begin, row_end, 0.0f, sum,
            [&](auto& acc, std::ptrdiff_t pixel, int j, auto vectors, auto lanes, int inside)
                FOVEA_INLINE_LAMBDA {
                  constexpr int kVecs = decltype(vectors)::value;
                  const Vec share = splat(1.0f / static_cast<float>(inside));
                  unroll<kVecs>([&](auto v) FOVEA_INLINE_LAMBDA {
                    constexpr int kVec = decltype(v)::value;
                    const Vec centre = load(x + pixel * ldx + j + kVec * Vec::kLanes, lanes);
                    acc[0][kVec] = sub(mul(acc[0][kVec], share), centre);
                  });
                  epilogue_tile<1, kVecs>(acc, y + pixel * ldy + j, ldy,
                                          (kVecs - 1) * Vec::kLanes + count_of(lanes),
                                          kernels::block_of(e, pixel, j));
                });
}

}  // namespace fovea::FOVEA_ISA
