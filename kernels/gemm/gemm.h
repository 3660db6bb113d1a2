// SPDX-License-Identifier: Apache-2.0
// Matrix product with packed right-hand side, fp32.
//
//   C(m, n) = epilogue(A(m, k) * B(k, n))
//
// A is row-major and read in place, rows lda apart.  B lies in panels of nr columns, [n /
// nr][k][nr], the last one padded with zeros: packed_size(n, k) floats, nr from the kernel table.
// C has rows ldc apart.  m, n, k >= 1; no alignment is needed; C must not overlap A or B (for the
// residual see epilogue.h).  Nothing is written beyond column n.
//
// Every element is one chain of k multiply-adds in order of k, whatever the tile: a row's result
// depends neither on m nor on its place in the block.  A caller that wants several threads gives
// each a block: some rows, and columns from a multiple of nr on (b + column * k, block_of(e, row,
// column)). Panels are the outer loop, so that a panel stays in cache for all rows of the block.
#pragma once

#include <cstddef>

#include "kernels/epilogue.h"

namespace fovea {
namespace kernels {

// `count` rows of `width` floats.
struct RowRange {
  const float* rows = nullptr;
  std::ptrdiff_t ld = 0, count = 0;
  int width = 0;
};

// Rows that are wanted after a product. It asks for them while it computes, a few lines with every
// tile, as it does for its own outputs; nothing of it changes a result. What lies far apart, or in
// no cache, would be waited for.
struct Ahead {
  RowRange ranges[3];
};

}  // namespace kernels

using gemm_fn = void(const float* a, std::ptrdiff_t lda, const float* b, float* c,
                     std::ptrdiff_t ldc, std::ptrdiff_t m, int n, int k, const kernels::Epilogue& e,
                     const kernels::Ahead& ahead) noexcept;
// The same for an A given by its transpose: element (i, p) is a[p * lda + i].
using gemm_transposed_fn = gemm_fn;
// The same for an A whose rows lie in pieces of `depth` elements, as the lines under a
// convolution's kernel do: element s depth + p of row i is a[s * lda + i][p], and k = pieces *
// depth.
using gemm_indirect_fn = void(const float* const* a, std::ptrdiff_t lda, int pieces, int depth,
                              const float* b, float* c, std::ptrdiff_t ldc, std::ptrdiff_t m, int n,
                              const kernels::Epilogue& e, const kernels::Ahead& ahead) noexcept;
// Packs B out of its transpose w(n, k), rows ldw apart: the weight of a linear layer, keys.
using pack_nk_fn = void(const float* w, std::ptrdiff_t ldw, int n, int k, float* packed) noexcept;
// Packs B out of w(k, n), rows ldw apart: values.
using pack_kn_fn = pack_nk_fn;

// Declares the kernels, and the tile of each level: mr rows by nr columns.
#define FOVEA_TILE(isa, mr, nr)        \
  namespace isa {                      \
  inline constexpr int kGemmRows = mr; \
  inline constexpr int kGemmCols = nr; \
  }
#define FOVEA_KERNEL(isa, name) \
  namespace isa {               \
  name##_fn name;               \
  }
#include "kernels/gemm/kernels.inc"
#undef FOVEA_KERNEL
#undef FOVEA_TILE

}  // namespace fovea
