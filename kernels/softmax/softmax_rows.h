// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/softmax/softmax.h"
#include "kernels/softmax/softmax_row.h"

namespace fovea::FOVEA_ISA {

void softmax(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy, std::ptrdiff_t m,
             int n) noexcept {
  for_row_groups(m, [&](auto rows, std::ptrdiff_t first) FOVEA_INLINE_LAMBDA {
    constexpr int kRows = decltype(rows)::value;
    float* const to = y + first * ldy;
    Vec factors[kRows];
    exponentials(x + first * ldx, ldx, to, ldy, n, factors);
    for (int i = 0; i < kRows; ++i) {
      for_vectors(n, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
        store(to + i * ldy + j, lanes, mul(load(to + i * ldy + j, lanes), factors[i]));
      });
    }
  });
}

}  // namespace fovea::FOVEA_ISA
