// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "fovea/core/map.h"
#include "kernels/gemm/gemm.h"

namespace fovea {

// Maps of half a MiB and more have left the caches that are near by the time they are read.
inline bool far_away(std::ptrdiff_t rows, std::ptrdiff_t ld) { return rows * ld > 131072; }

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
