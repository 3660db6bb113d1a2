// SPDX-License-Identifier: Apache-2.0
// Three passes over a row that stays in L1: maximum; exp and sum; division.  The exponential, about
// 15 operations a vector, is most of the time.
#pragma once

#include "kernels/simd/loop.h"
#include "kernels/simd/math.h"
#include "kernels/softmax/softmax.h"

namespace fovea::FOVEA_ISA {

void softmax(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy, std::ptrdiff_t m,
             int n) noexcept {
  const Vec lowest = splat(-__builtin_inff());
  // What exp_normal gives for all that is too low: without it, masked elements are exactly 0.
  const Vec floor = exp_normal(lowest);
  for (std::ptrdiff_t i = 0; i < m; ++i, x += ldx, y += ldy) {
    Vec top = lowest;
    for_vectors(n, [&](int j, auto lanes)
                       FOVEA_INLINE_LAMBDA { top = max(top, load_or(x + j, lanes, lowest)); });
    const float highest = reduce_max(top);
    const Vec shift = splat(highest);
    Vec sum = splat(0.0f);
    for_vectors(n, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
      const Vec e = sub(exp_normal(sub(load(x + j, lanes), shift)), floor);
      store(y + j, lanes, e);
      sum = add(sum, keep(lanes, e, splat(0.0f)));
    });
    // A maximum that is not finite makes the row NaN, whatever the bits of the exponentials.
    const Vec inverse = splat(1.0f / (reduce_add(sum) + 0.0f * highest));
    for_vectors(n, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
      store(y + j, lanes, mul(load(y + j, lanes), inverse));
    });
  }
}

}  // namespace fovea::FOVEA_ISA
