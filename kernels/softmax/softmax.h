// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace fovea {

// y(i, j) = exp(x(i, j) - max_j x(i, j)) / sum over j, for m rows of n >= 1 elements, rows ldx and
// ldy apart.  y may be x.  Elements of minus infinity give 0; a row of nothing else gives NaN.
using softmax_fn = void(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy,
                        std::ptrdiff_t m, int n) noexcept;

#define FOVEA_KERNEL(isa, name) \
  namespace isa {               \
  name##_fn name;               \
  }
#include "kernels/softmax/kernels.inc"
#undef FOVEA_KERNEL

}  // namespace fovea
