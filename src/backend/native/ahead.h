// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "fovea/core/map.h"
#include "kernels/gemm/gemm.h"

namespace fovea {

// Maps of half a MiB and more have left the caches that are near by the time they are read.
inline bool far_away(std::ptrdiff_t rows, std::ptrdiff_t ld) { return rows * ld > 131072; }

// Whether a product of depth k should ask for its outputs before it stores them: deep ones store so
// seldom that nothing waits.
inline bool fetch_outputs(std::ptrdiff_t rows, std::ptrdiff_t ld, int k) {
  return k <= 256 && far_away(rows, ld);
}

// What a product should ask for while it works on `count` rows from `first` on: the rows after
// them, if they are far away.
inline kernels::RowRange rows_ahead(const float* x, std::ptrdiff_t ld, int width,
                                    std::ptrdiff_t rows, std::ptrdiff_t first,
                                    std::ptrdiff_t count) {
  const std::ptrdiff_t next = first + count;
  if (!far_away(rows, ld)) return {};
  return {x + next * ld, ld, std::min(count, rows - next), width};
}
inline kernels::RowRange rows_ahead(const CMapF& m, std::ptrdiff_t first, std::ptrdiff_t count) {
  return rows_ahead(m.data, m.ld, m.c, m.w, first, count);
}

}  // namespace fovea
