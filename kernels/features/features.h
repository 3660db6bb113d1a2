// SPDX-License-Identifier: Apache-2.0
// What linear attention does to rows of queries, keys and values around its products. Rows are ld*
// elements apart; m, n >= 1; no alignment is needed; y may be x where that is said.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fovea {
namespace kernels {

enum class Feature : std::uint8_t { none, relu, elu_plus_one, exp, focused };

}  // namespace kernels

// y = feature(x + bias), bias (m, n) with rows ldb apart, or null. focused: relu(x)^3 with the
// length of relu(x), over the row. y may be x.
using map_features_fn = void(kernels::Feature feature, const float* x, std::ptrdiff_t ldx,
                             const float* bias, std::ptrdiff_t ldb, float* y, std::ptrdiff_t ldy,
                             std::ptrdiff_t m, int n) noexcept;
// Rotates the pairs (2j, 2j + 1), or with `interleaved` false (j, n/2 + j), of row i by the angle
// whose cosine and sine stand at the same places of row i of cos and sin: y = x cos + rot(x) sin,
// rot(a, b) = (-b, a). n is even. y may be x.
using rotate_pairs_fn = void(const float* x, std::ptrdiff_t ldx, const float* cos, const float* sin,
                             std::ptrdiff_t ldt, bool interleaved, float* y, std::ptrdiff_t ldy,
                             std::ptrdiff_t m, int n) noexcept;
// y[i] = sum over j of x(i, j) v(i, j), rows of v ldv apart: 0 where all are one.
using row_dots_fn = void(const float* x, std::ptrdiff_t ldx, const float* v, std::ptrdiff_t ldv,
                         float* y, std::ptrdiff_t m, int n) noexcept;
// y(i, j) = s[i * s_step] x(i, j). y may be x.
using scale_rows_fn = void(const float* x, std::ptrdiff_t ldx, const float* s,
                           std::ptrdiff_t s_step, float* y, std::ptrdiff_t ldy, std::ptrdiff_t m,
                           int n) noexcept;

#define FOVEA_KERNEL(isa, name) \
  namespace isa {               \
  name##_fn name;               \
  }
#include "kernels/features/kernels.inc"
#undef FOVEA_KERNEL

}  // namespace fovea
