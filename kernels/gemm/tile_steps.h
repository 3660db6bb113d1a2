// SPDX-License-Identifier: Apache-2.0
// What products are made of, in whatever kernel: a step of a tile's multiply-adds, the packing of
// columns, and requests for rows that are wanted later.
#pragma once

#include "kernels/gemm/gemm.h"
#include "kernels/simd/loop.h"
#include "kernels/simd/transpose.h"

namespace fovea::FOVEA_ISA {

using kernels::Ahead;
using kernels::RowRange;

inline constexpr int kTileVecs = kGemmCols / Vec::kLanes;
static_assert(kGemmCols % Vec::kLanes == 0);

template <int MR, int NV>
FOVEA_INLINE void clear(Vec (&acc)[MR][NV]) {
  unroll<MR>([&](auto i) FOVEA_INLINE_LAMBDA {
    unroll<NV>([&](auto j) FOVEA_INLINE_LAMBDA {
      acc[decltype(i)::value][decltype(j)::value] = splat(0.0f);
    });
  });
}

// acc(i, :) += element(i) * (one row of B)
template <int MR, int NV, class Element>
FOVEA_INLINE void gemm_step(Vec (&acc)[MR][NV], const float* b, const Element& element) {
  Vec bv[NV];
  unroll<NV>([&](auto j) FOVEA_INLINE_LAMBDA {
    bv[decltype(j)::value] = load(b + decltype(j)::value * Vec::kLanes);
  });
  unroll<MR>([&](auto i) FOVEA_INLINE_LAMBDA {
    constexpr int kRow = decltype(i)::value;
    const Vec av = splat(element(i));
    unroll<NV>([&](auto j) FOVEA_INLINE_LAMBDA {
      constexpr int kVec = decltype(j)::value;
      acc[kRow][kVec] = fma(av, bv[kVec], acc[kRow][kVec]);
    });
  });
}

// Up to kLanes columns of B out of as many rows of its transpose, row(i) + p being element p of the
// i-th: out has k rows, ldo apart, of kLanes floats, of which those from `columns` on are zero.  By
// transposed squares.
template <class Row>
FOVEA_INLINE void pack_columns(const Row& row, int columns, int k, float* out, int ldo) {
  constexpr int kSquare = Vec::kLanes;
  for (int p = 0; p < k; p += kSquare) {
    const int depth = smaller(k - p, kSquare);
    Vec square[kSquare];
    unroll<kSquare>([&](auto i) FOVEA_INLINE_LAMBDA {
      constexpr int kRow = decltype(i)::value;
      square[kRow] = kRow >= columns    ? splat(0.0f)
                     : depth == kSquare ? load(row(kRow) + p)
                                        : load_n(row(kRow) + p, depth);
    });
    transpose(square);
    unroll<kSquare>([&](auto i) FOVEA_INLINE_LAMBDA {
      constexpr int kRow = decltype(i)::value;
      if (kRow < depth) store(out + (p + kRow) * ldo, square[kRow]);
    });
  }
}

// Walks through rows that are wanted later, so many lines with each of `tiles` tiles.
class AheadRows {
 public:
  FOVEA_INLINE AheadRows(const Ahead& ahead, std::ptrdiff_t tiles) : ahead_(ahead) {
    std::ptrdiff_t lines = tiles - 1;
    for (const RowRange& r : ahead.ranges) lines += r.count * ((r.width + kLine - 1) / kLine);
    per_tile_ = static_cast<int>(lines / tiles);
  }

  FOVEA_INLINE void fetch_some() {
    for (int floats = per_tile_ * kLine; floats > 0;) {
      for (; row_ == ahead_.ranges[range_].count; ++range_, row_ = 0) {
        if (range_ == kLast) return;
      }
      const RowRange& r = ahead_.ranges[range_];
      const float* const row = r.rows + row_ * r.ld;
      const int end = smaller(r.width, column_ + floats);
      floats -= end - column_;
      for (; column_ < end; column_ += kLine) __builtin_prefetch(row + column_, 0, 2);
      if (end == r.width) {
        column_ = 0;
        ++row_;
      }
    }
  }

 private:
  static constexpr int kLine = 16;  // floats of a cache line
  static constexpr int kLast = sizeof(Ahead::ranges) / sizeof(RowRange) - 1;

  const Ahead& ahead_;
  std::ptrdiff_t row_ = 0;
  int per_tile_, range_ = 0, column_ = 0;
};

}  // namespace fovea::FOVEA_ISA
