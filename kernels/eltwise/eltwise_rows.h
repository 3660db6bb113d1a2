// SPDX-License-Identifier: Apache-2.0
// One pass over memory; two loads and a store for a vector bound them all except the activations.
#pragma once

#include "kernels/eltwise/eltwise.h"
#include "kernels/eltwise/epilogue_tile.h"

namespace fovea::FOVEA_ISA {

void epilogue_map(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy,
                  std::ptrdiff_t m, int n, const Epilogue& e) noexcept {
  epilogue_rows(x, ldx, y, ldy, m, n, e);
}

template <class Op>
FOVEA_INLINE void binary_rows(const float* a, std::ptrdiff_t lda, const float* b,
                              std::ptrdiff_t ldb, float* y, std::ptrdiff_t ldy, std::ptrdiff_t m,
                              int n, const Op& op) {
  const RowsAhead ahead_a(lda, n), ahead_b(ldb, n);
  for (std::ptrdiff_t i = 0; i < m; ++i) {
    ahead_a.fetch(a + i * lda);
    ahead_b.fetch(b + i * ldb);
    for_vectors(n, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
      store(y + i * ldy + j, lanes, op(load(a + i * lda + j, lanes), load(b + i * ldb + j, lanes)));
    });
  }
}

void multiply(const float* a, std::ptrdiff_t lda, const float* b, std::ptrdiff_t ldb, float* y,
              std::ptrdiff_t ldy, std::ptrdiff_t m, int n) noexcept {
  binary_rows(a, lda, b, ldb, y, ldy, m, n,
              [](Vec p, Vec q) FOVEA_INLINE_LAMBDA { return mul(p, q); });
}

void add_rows(const float* a, std::ptrdiff_t lda, const float* b, std::ptrdiff_t ldb, float* y,
              std::ptrdiff_t ldy, std::ptrdiff_t m, int n) noexcept {
  binary_rows(a, lda, b, ldb, y, ldy, m, n,
              [](Vec p, Vec q) FOVEA_INLINE_LAMBDA { return add(p, q); });
}

void blend(const float* const* x, const float* weights, float* y, int n) noexcept {
  for_vectors(n, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
    Vec sum = mul(splat(weights[0]), load(x[0] + j, lanes));
    for (int i = 1; i < 4; ++i) sum = fma(splat(weights[i]), load(x[i] + j, lanes), sum);
    store(y + j, lanes, sum);
  });
}

}  // namespace fovea::FOVEA_ISA
