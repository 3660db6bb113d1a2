// SPDX-License-Identifier: Apache-2.0
// Normalisations and the sums they need, on matrices of m rows and c columns whose rows are ld*
// elements apart.  m, c >= 1; no alignment is needed.  Sums run in a fixed order, so that a result
// depends on nothing but its operands.
#pragma once

#include <cstddef>

namespace fovea {

// y = (x - mean) / sqrt(var + eps) * weight + bias over the c columns of each row (Ba et al.,
// arXiv:1607.06450), var without Bessel's correction.  weight and bias (c) may be null.  y may be
// x.
using layer_norm_fn = void(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy,
                           const float* weight, const float* bias, float eps, std::ptrdiff_t m,
                           int c) noexcept;
// y = x / sqrt(mean of x^2 + eps) * weight + bias over the columns of each row.  weight and bias
// may be null.  y may be x.
using rms_norm_fn = layer_norm_fn;
// sums[0] = sum of all m * c elements, sums[1] = sum of their squares, in double.
using moments_fn = void(const float* x, std::ptrdiff_t ldx, std::ptrdiff_t m, int c,
                        double* sums) noexcept;
// y = x * scale + shift, vectors over the columns.  y may be x.
using scale_shift_fn = void(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy,
                            const float* scale, const float* shift, std::ptrdiff_t m,
                            int c) noexcept;
// y = x / max(|x|, eps), |x| the Euclidean norm of the row, whose rows are given by pointers.
using l2_normalize_fn = void(const float* const* x, float* y, std::ptrdiff_t ldy, float eps,
                             std::ptrdiff_t m, int c) noexcept;
// sums[j] = sum over the rows of x(i, j)^2, in double.
using column_sum_squares_fn = void(const float* x, std::ptrdiff_t ldx, std::ptrdiff_t m, int c,
                                   double* sums) noexcept;
// y[j] = mean over the rows of x(i, j), summed in double.
using column_mean_fn = void(const float* x, std::ptrdiff_t ldx, std::ptrdiff_t m, int c,
                            float* y) noexcept;

#define FOVEA_KERNEL(isa, name) \
  namespace isa {               \
  name##_fn name;               \
  }
#include "kernels/norm/kernels.inc"
#undef FOVEA_KERNEL

}  // namespace fovea
