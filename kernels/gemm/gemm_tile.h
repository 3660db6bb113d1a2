// SPDX-License-Identifier: Apache-2.0
// C[MR x NV * kLanes] = A[MR x k] * B.  Registers: MR * NV accumulators, NV of B, one of A:
// 6 * 2 + 2 + 1 = 15 of 16 with AVX2, 8 * 3 + 3 + 1 = 28 of 32 with AVX-512.  MR is at most 8
// because A is read in place: more rows a power of two apart would compete for one set of an 8-way
// L1.
#pragma once

#include "kernels/eltwise/epilogue_tile.h"
#include "kernels/gemm/gemm.h"
#include "kernels/simd/transpose.h"

namespace fovea::FOVEA_ISA {

using kernels::Ahead;
using kernels::RowRange;

inline constexpr int kTileVecs = kGemmCols / Vec::kLanes;
static_assert(kGemmCols % Vec::kLanes == 0);

// What is fetched into L2 while a tile is computed: every two steps in k, the cache line at `from`,
// which then moves on by `step` floats.
struct Fetch {
  const float* from;
  std::ptrdiff_t step;
};

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

// A of the product, or its transpose, in place.
template <int MR, int NV, bool kTransposed>
void gemm_tile(const float* a, std::ptrdiff_t lda, const float* b, Fetch fetch, float* c,
               std::ptrdiff_t ldc, int n, int k, const Epilogue& e) {
  Vec acc[MR][NV];
  clear(acc);
  const std::ptrdiff_t next = kTransposed ? lda : 1;
  const auto step = [&](int p) FOVEA_INLINE_LAMBDA {
    gemm_step(acc, b + p * kGemmCols, [&](auto i) FOVEA_INLINE_LAMBDA {
      constexpr int kRow = decltype(i)::value;
      return kTransposed ? a[p * lda + kRow] : a[kRow * lda + p];
    });
  };
  int p = 0;
  for (; p + 2 <= k; p += 2, a += 2 * next, b += 2 * kGemmCols, fetch.from += fetch.step) {
    __builtin_prefetch(fetch.from, 0, 2);
    step(0);
    step(1);
  }
  if (p < k) step(0);
  epilogue_tile<MR, NV>(acc, c, ldc, n, e);
}

template <int MR, int NV>
void gemm_indirect_tile(const float* const* a, std::ptrdiff_t lda, int pieces, int depth,
                        const float* b, Fetch fetch, float* c, std::ptrdiff_t ldc, int n,
                        const Epilogue& e) {
  Vec acc[MR][NV];
  clear(acc);
  for (int s = 0; s < pieces; ++s, a += lda) {
    const float* rows[MR];
    unroll<MR>([&](auto i)
                   FOVEA_INLINE_LAMBDA { rows[decltype(i)::value] = a[decltype(i)::value]; });
    const auto step = [&](std::ptrdiff_t p) FOVEA_INLINE_LAMBDA {
      gemm_step(acc, b, [&](auto i) FOVEA_INLINE_LAMBDA { return rows[decltype(i)::value][p]; });
      b += kGemmCols;
    };
    std::ptrdiff_t p = 0;
    for (; p + 2 <= depth; p += 2, fetch.from += fetch.step) {
      __builtin_prefetch(fetch.from, 0, 2);
      step(p);
      step(p + 1);
    }
    if (p < depth) step(p);
  }
  epilogue_tile<MR, NV>(acc, c, ldc, n, e);
}

// All tiles with MR = 1 .. kGemmRows rows and NV = 1 .. kTileVecs vectors.
template <class Sequence>
struct GemmTiles;
template <int... I>
struct GemmTiles<std::integer_sequence<int, I...>> {
  static constexpr decltype(&gemm_tile<1, 1, false>) kDirect[] = {
      &gemm_tile<I / kTileVecs + 1, I % kTileVecs + 1, false>...};
  static constexpr decltype(&gemm_tile<1, 1, true>) kTransposed[] = {
      &gemm_tile<I / kTileVecs + 1, I % kTileVecs + 1, true>...};
  static constexpr decltype(&gemm_indirect_tile<1, 1>) kIndirect[] = {
      &gemm_indirect_tile<I / kTileVecs + 1, I % kTileVecs + 1>...};
};
using AllGemmTiles = GemmTiles<std::make_integer_sequence<int, kGemmRows * kTileVecs>>;

// Walks through rows that are wanted later, so many lines with each of `tiles` tiles.
class AheadLines {
 public:
  FOVEA_INLINE AheadLines(const Ahead& ahead, std::ptrdiff_t tiles) : ahead_(ahead) {
    std::ptrdiff_t lines = tiles - 1;
    for (const RowRange& r : ahead.ranges) lines += r.count * ((r.width + kLine - 1) / kLine);
    per_tile_ = lines / tiles;
  }

  FOVEA_INLINE void fetch_some() {
    for (std::ptrdiff_t i = 0; i < per_tile_; ++i) {
      for (; row_ == ahead_.ranges[range_].count; ++range_, row_ = 0) {
        if (range_ == kLast) return;
      }
      const RowRange& r = ahead_.ranges[range_];
      __builtin_prefetch(r.rows + row_ * r.ld + column_, 0, 2);
      column_ += kLine;
      if (column_ >= r.width) {
        column_ = 0;
        ++row_;
      }
    }
  }

 private:
  static constexpr int kLine = 16;  // floats of a cache line
  static constexpr int kLast = sizeof(Ahead::ranges) / sizeof(RowRange) - 1;

  const Ahead& ahead_;
  std::ptrdiff_t per_tile_, row_ = 0;
  int range_ = 0, column_ = 0;
};

// tile(index, i, j, columns, b, fetch) for all tiles of C: `index` among AllGemmTiles, the first
// row and column, how many columns there are, the panel of B and what to fetch meanwhile.
template <class Tile>
FOVEA_INLINE void for_tiles(const float* b, std::ptrdiff_t m, int n, std::ptrdiff_t k,
                            const Ahead& ahead, const Tile& tile) {
  // Tiles of nearly equal rows: 49 rows are four of 6 and five of 5, not eight of 6 and one of 1,
  // whose two accumulators would wait for each other.
  const std::ptrdiff_t tiles = (m + kGemmRows - 1) / kGemmRows;
  const int rows = static_cast<int>(m / tiles);
  const std::ptrdiff_t larger = m % tiles;  // tiles of one row more
  const std::ptrdiff_t panel = k * kGemmCols;
  // While a panel is used, the next one comes from memory, evenly, so that neither the reads in
  // flight nor the memory's rate limit it; after the last one the first, for the next block of
  // rows.
  constexpr std::ptrdiff_t kCacheLine = 16;  // floats
  const std::ptrdiff_t pairs = (k < 2 ? 1 : k / 2) * tiles;
  const std::ptrdiff_t even = (panel + pairs - 1) / pairs;
  const std::ptrdiff_t step = even < kCacheLine ? even : kCacheLine;
  const float* const first_panel = b;
  AheadLines later(ahead, tiles * ((n + kGemmCols - 1) / kGemmCols));
  for (int j = 0; j < n; j += kGemmCols, b += panel) {
    const int columns = smaller(n - j, kGemmCols);
    const int vecs = (columns + Vec::kLanes - 1) / Vec::kLanes;
    Fetch fetch{j + kGemmCols < n ? b + panel : first_panel, step};
    std::ptrdiff_t i = 0;
    for (std::ptrdiff_t t = 0; t < tiles; ++t) {
      const int count = t < larger ? rows + 1 : rows;
      later.fetch_some();
      tile((count - 1) * kTileVecs + vecs - 1, i, j, columns, b, fetch);
      i += count;
      fetch.from += k / 2 * step;
    }
  }
}

void gemm(const float* a, std::ptrdiff_t lda, const float* b, float* c, std::ptrdiff_t ldc,
          std::ptrdiff_t m, int n, int k, const Epilogue& e, const Ahead& ahead) noexcept {
  for_tiles(b, m, n, k, ahead,
            [&](int index, std::ptrdiff_t i, int j, int columns, const float* panel, Fetch fetch)
                FOVEA_INLINE_LAMBDA {
                  AllGemmTiles::kDirect[index](a + i * lda, lda, panel, fetch, c + i * ldc + j, ldc,
                                               columns, k, kernels::block_of(e, i, j));
                });
}

void gemm_transposed(const float* a, std::ptrdiff_t lda, const float* b, float* c,
                     std::ptrdiff_t ldc, std::ptrdiff_t m, int n, int k, const Epilogue& e,
                     const Ahead& ahead) noexcept {
  for_tiles(b, m, n, k, ahead,
            [&](int index, std::ptrdiff_t i, int j, int columns, const float* panel, Fetch fetch)
                FOVEA_INLINE_LAMBDA {
                  AllGemmTiles::kTransposed[index](a + i, lda, panel, fetch, c + i * ldc + j, ldc,
                                                   columns, k, kernels::block_of(e, i, j));
                });
}

void gemm_indirect(const float* const* a, std::ptrdiff_t lda, int pieces, int depth, const float* b,
                   float* c, std::ptrdiff_t ldc, std::ptrdiff_t m, int n, const Epilogue& e,
                   const Ahead& ahead) noexcept {
  for_tiles(b, m, n, static_cast<std::ptrdiff_t>(pieces) * depth, ahead,
            [&](int index, std::ptrdiff_t i, int j, int columns, const float* panel, Fetch fetch)
                FOVEA_INLINE_LAMBDA {
                  AllGemmTiles::kIndirect[index](a + i, lda, pieces, depth, panel, fetch,
                                                 c + i * ldc + j, ldc, columns,
                                                 kernels::block_of(e, i, j));
                });
}

// Columns [0, columns) of one panel, rows [0, k), by transposed squares of kLanes; the rest is
// zero.
FOVEA_INLINE void pack_panel_nk(const float* w, std::ptrdiff_t ldw, int columns, int k,
                                float* panel) {
  constexpr int kSquare = Vec::kLanes;
  for (int v = 0; v < kTileVecs; ++v) {
    const int have = smaller(greater(columns - v * kSquare, 0), kSquare);
    for (int p = 0; p < k; p += kSquare) {
      const int depth = smaller(k - p, kSquare);
      Vec square[kSquare];
      unroll<kSquare>([&](auto i) FOVEA_INLINE_LAMBDA {
        constexpr int kRow = decltype(i)::value;
        const float* from = w + (v * kSquare + kRow) * ldw + p;
        square[kRow] = kRow >= have       ? splat(0.0f)
                       : depth == kSquare ? load(from)
                                          : load_n(from, depth);
      });
      transpose(square);
      unroll<kSquare>([&](auto i) FOVEA_INLINE_LAMBDA {
        constexpr int kRow = decltype(i)::value;
        if (kRow < depth) store(panel + (p + kRow) * kGemmCols + v * kSquare, square[kRow]);
      });
    }
  }
}

void pack_nk(const float* w, std::ptrdiff_t ldw, int n, int k, float* packed) noexcept {
  for (int j = 0; j < n; j += kGemmCols) {
    pack_panel_nk(w + j * ldw, ldw, smaller(n - j, kGemmCols), k, packed);
    packed += static_cast<std::ptrdiff_t>(k) * kGemmCols;
  }
}

void pack_kn(const float* w, std::ptrdiff_t ldw, int n, int k, float* packed) noexcept {
  const RowsAhead ahead(ldw, smaller(n, kGemmCols));
  for (int j = 0; j < n; j += kGemmCols) {
    const int columns = smaller(n - j, kGemmCols);
    for (int p = 0; p < k; ++p, packed += kGemmCols) {
      ahead.fetch(w + p * ldw + j);
      unroll<kTileVecs>([&](auto v) FOVEA_INLINE_LAMBDA {
        constexpr int kFirst = decltype(v)::value * Vec::kLanes;
        const float* from = w + p * ldw + j + kFirst;
        const int have = columns - kFirst;
        store(packed + kFirst, have >= Vec::kLanes ? load(from)
                               : have > 0          ? load_n(from, have)
                                                   : splat(0.0f));
      });
    }
  }
}

}  // namespace fovea::FOVEA_ISA
