// SPDX-License-Identifier: Apache-2.0
// C[MR x NV * kLanes] = A[MR x k] * B.  Registers: MR * NV accumulators, NV of B, one of A:
// 6 * 2 + 2 + 1 = 15 of 16 with AVX2, 8 * 3 + 3 + 1 = 28 of 32 with AVX-512.  MR is at most 8
// because A is read in place: more rows a power of two apart would compete for one set of an 8-way
// L1.
#pragma once

#include "kernels/eltwise/epilogue_tile.h"
#include "kernels/gemm/tile_steps.h"

namespace fovea::FOVEA_ISA {

// What is fetched into L2 while a tile is computed: every two steps in k, the cache line at `from`,
// which then moves on by `step` floats.
struct Fetch {
  const float* from;
  std::ptrdiff_t step;
};

// `count` floats, evenly over so many requests.
FOVEA_INLINE Fetch even_fetch(const float* from, std::ptrdiff_t count, std::ptrdiff_t requests) {
  constexpr std::ptrdiff_t kCacheLine = 16;  // floats
  const std::ptrdiff_t even = (count + requests - 1) / requests;
  return {from, even < kCacheLine ? even : kCacheLine};
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

// What the tile in the next panel will store to, and add: for one of the last panel, that is the
// first panel in the next block of rows.
FOVEA_INLINE void fetch_next_tile(const float* c, std::ptrdiff_t ldc, int rows, int columns,
                                  const Epilogue& e) {
  constexpr int kCacheLine = 16;  // floats
  for (int i = 0; i < rows; ++i) {
    for (int j = 0; j < columns; j += kCacheLine) __builtin_prefetch(c + i * ldc + j, 0, 2);
    if (e.residual == nullptr || e.residual == c) continue;
    for (int j = 0; j < columns; j += kCacheLine) {
      __builtin_prefetch(e.residual + i * e.ldr + j, 0, 2);
    }
  }
}

// tile(index, i, j, columns, b, fetch) for all tiles of C: `index` among AllGemmTiles, the first
// row and column, how many columns there are, the panel of B and what to fetch meanwhile.
template <class Tile>
FOVEA_INLINE void for_tiles(const float* b, const float* c, std::ptrdiff_t ldc, std::ptrdiff_t m,
                            int n, std::ptrdiff_t k, const Epilogue& e, const Ahead& ahead,
                            const Tile& tile) {
  // Tiles of nearly equal rows: 49 rows are four of 6 and five of 5, not eight of 6 and one of 1,
  // whose two accumulators would wait for each other.
  const std::ptrdiff_t tiles = (m + kGemmRows - 1) / kGemmRows;
  const int rows = static_cast<int>(m / tiles);
  const std::ptrdiff_t larger = m % tiles;  // tiles of one row more
  const std::ptrdiff_t panel = k * kGemmCols;
  const std::ptrdiff_t panels = (n + kGemmCols - 1) / kGemmCols;
  // While a panel is used, the next one comes from memory, evenly, so that neither the reads in
  // flight nor the memory's rate limit it; after the last one the first, for the next block of
  // rows.  A small B is in the cache anyway: then rows that are wanted later take its place, if
  // they follow each other without gaps.
  constexpr std::ptrdiff_t kSmall = 65536;  // floats
  const std::ptrdiff_t pairs = (k < 2 ? 1 : k / 2) * tiles;
  const float* const first_panel = b;
  Ahead rest = ahead;
  const RowRange whole = ahead.ranges[0];
  const bool fetch_rows = panels * panel <= kSmall && whole.count > 0 && whole.ld == whole.width;
  if (fetch_rows) rest.ranges[0] = {};
  Fetch fetch = fetch_rows ? even_fetch(whole.rows, whole.count * whole.width, pairs * panels)
                           : even_fetch(nullptr, panel, pairs);
  AheadRows later(rest, tiles * panels);
  for (int j = 0; j < n; j += kGemmCols, b += panel) {
    const int columns = smaller(n - j, kGemmCols);
    const int vecs = (columns + Vec::kLanes - 1) / Vec::kLanes;
    if (!fetch_rows) fetch.from = j + kGemmCols < n ? b + panel : first_panel;
    std::ptrdiff_t i = 0;
    for (std::ptrdiff_t t = 0; t < tiles; ++t) {
      const int count = t < larger ? rows + 1 : rows;
      later.fetch_some();
      const bool last = j + kGemmCols >= n;
      const std::ptrdiff_t row = last ? i + m : i;
      const int column = last ? 0 : j + kGemmCols;
      fetch_next_tile(c + row * ldc + column, ldc, count, smaller(n - column, kGemmCols),
                      kernels::block_of(e, row, column));
      tile((count - 1) * kTileVecs + vecs - 1, i, j, columns, b, fetch);
      i += count;
      fetch.from += k / 2 * fetch.step;
    }
  }
}

void gemm(const float* a, std::ptrdiff_t lda, const float* b, float* c, std::ptrdiff_t ldc,
          std::ptrdiff_t m, int n, int k, const Epilogue& e, const Ahead& ahead) noexcept {
  for_tiles(b, c, ldc, m, n, k, e, ahead,
            [&](int index, std::ptrdiff_t i, int j, int columns, const float* panel, Fetch fetch)
                FOVEA_INLINE_LAMBDA {
                  AllGemmTiles::kDirect[index](a + i * lda, lda, panel, fetch, c + i * ldc + j, ldc,
                                               columns, k, kernels::block_of(e, i, j));
                });
}

void gemm_transposed(const float* a, std::ptrdiff_t lda, const float* b, float* c,
                     std::ptrdiff_t ldc, std::ptrdiff_t m, int n, int k, const Epilogue& e,
                     const Ahead& ahead) noexcept {
  for_tiles(b, c, ldc, m, n, k, e, ahead,
            [&](int index, std::ptrdiff_t i, int j, int columns, const float* panel, Fetch fetch)
                FOVEA_INLINE_LAMBDA {
                  AllGemmTiles::kTransposed[index](a + i, lda, panel, fetch, c + i * ldc + j, ldc,
                                                   columns, k, kernels::block_of(e, i, j));
                });
}

void gemm_indirect(const float* const* a, std::ptrdiff_t lda, int pieces, int depth, const float* b,
                   float* c, std::ptrdiff_t ldc, std::ptrdiff_t m, int n, const Epilogue& e,
                   const Ahead& ahead) noexcept {
  for_tiles(b, c, ldc, m, n, static_cast<std::ptrdiff_t>(pieces) * depth, e, ahead,
            [&](int index, std::ptrdiff_t i, int j, int columns, const float* panel, Fetch fetch)
                FOVEA_INLINE_LAMBDA {
                  AllGemmTiles::kIndirect[index](a + i, lda, pieces, depth, panel, fetch,
                                                 c + i * ldc + j, ldc, columns,
                                                 kernels::block_of(e, i, j));
                });
}

// Columns [0, columns) of one panel, rows [0, k); the rest is zero.
FOVEA_INLINE void pack_panel_nk(const float* w, std::ptrdiff_t ldw, int columns, int k,
                                float* panel) {
  for (int v = 0; v < kTileVecs; ++v) {
    const float* const first = w + v * Vec::kLanes * ldw;
    pack_columns([&](int i) FOVEA_INLINE_LAMBDA { return first + i * ldw; },
                 columns - v * Vec::kLanes, k, panel + v * Vec::kLanes, kGemmCols);
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
