// SPDX-License-Identifier: Apache-2.0
// Three passes over a row that stays in L1: maximum; exp and sum; division.  The exponential, about
// 20 operations a vector, is most of the time.
#pragma once

#include "kernels/simd/loop.h"
#include "kernels/simd/math.h"
#include "kernels/softmax/softmax.h"

namespace fovea::FOVEA_ISA {

void softmax(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy, std::ptrdiff_t m,
             int n) noexcept {
  const Vec lowest = splat(-__builtin_inff());
  for (std::ptrdiff_t i = 0; i < m; ++i, x += ldx, y += ldy) {
    Vec top = lowest;
    for_vectors(n, [&](int j, auto lanes)
                       FOVEA_INLINE_LAMBDA { top = max(top, load_or(x + j, lanes, lowest)); });
    const Vec shift = splat(reduce_max(top));
    Vec sum = splat(0.0f);
    for_vectors(n, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
      const Vec e = exp(sub(load(x + j, lanes), shift));
      store(y + j, lanes, e);
      sum = add(sum, keep(lanes, e, splat(0.0f)));
    });
    const Vec inverse = splat(1.0f / reduce_add(sum));
    for_vectors(n, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
      store(y + j, lanes, mul(load(y + j, lanes), inverse));
    });
  }
}

}  // namespace fovea::FOVEA_ISA
