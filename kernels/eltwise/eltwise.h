// SPDX-License-Identifier: Apache-2.0
// Elementwise kernels on matrices of m rows and n columns whose rows are ld* elements apart.
// m, n >= 0; no alignment is needed.
#pragma once

#include <cstddef>

#include "kernels/epilogue.h"

namespace fovea {

// y = epilogue(x).  y may be x (same pointer and stride).
using epilogue_map_fn = void(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy,
                             std::ptrdiff_t m, int n, const kernels::Epilogue& e) noexcept;
// y = a * b and y = a + b.  y may be a or b.
using multiply_fn = void(const float* a, std::ptrdiff_t lda, const float* b, std::ptrdiff_t ldb,
                         float* y, std::ptrdiff_t ldy, std::ptrdiff_t m, int n) noexcept;
using add_rows_fn = multiply_fn;
// y[j] = sum over i < 4 of weights[i] * x[i][j]: bilinear interpolation of a pixel.
using blend_fn = void(const float* const* x, const float* weights, float* y, int n) noexcept;

#define FOVEA_KERNEL(isa, name) \
  namespace isa {               \
  name##_fn name;               \
  }
#include "kernels/eltwise/kernels.inc"
#undef FOVEA_KERNEL

}  // namespace fovea
