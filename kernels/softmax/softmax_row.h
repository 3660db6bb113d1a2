// SPDX-License-Identifier: Apache-2.0
// Two passes over rows that stay in L1: maximum; exp and sum.  The exponential, about 15 operations
// a vector, is most of the time.
#pragma once

#include "kernels/simd/loop.h"
#include "kernels/simd/math.h"

namespace fovea::FOVEA_ISA {

// y = exp(x - max x) of each row, where y may be x; factors are 1 / the sum of y.  Elements of
// minus infinity, and all that lie 87 or more below the maximum, become exactly 0.  A maximum that
// is not finite makes the factor NaN.  Each step is done for all rows before the next one, so that
// they wait for their maxima and sums together.
template <int kRows>
FOVEA_INLINE void exponentials(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy,
                               int n, Vec (&factors)[kRows]) {
  const Vec lowest = splat(-__builtin_inff());
  // What exp_normal gives for all that is too low.
  const Vec floor = exp_normal(lowest);
  for (int i = 0; i < kRows; ++i) {
    Vec top = lowest;
    for_vectors(n, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
      top = max(top, load_or(x + i * ldx + j, lanes, lowest));
    });
    factors[i] = top;
  }
  for (int i = 0; i < kRows; ++i) factors[i] = splat(reduce_max(factors[i]));
  for (int i = 0; i < kRows; ++i) {
    const Vec shift = factors[i];
    Vec sum = mul(splat(0.0f), shift);  // 0, or NaN
    for_vectors(n, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
      const Vec e = sub(exp_normal(sub(load(x + i * ldx + j, lanes), shift)), floor);
      store(y + i * ldy + j, lanes, e);
      sum = add(sum, keep(lanes, e, splat(0.0f)));
    });
    factors[i] = sum;
  }
  for (int i = 0; i < kRows; ++i) factors[i] = splat(1.0f / reduce_add(factors[i]));
}

}  // namespace fovea::FOVEA_ISA
