// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/simd/loop.h"
#include "kernels/simd/math.h"
#include "tests/kernels/math_probe.h"

namespace fovea::FOVEA_ISA {

template <class F>
FOVEA_INLINE void probe_rows(const float* x, float* y, int n, const F& f) {
  for_vectors(n, [&](int j, auto lanes)
                     FOVEA_INLINE_LAMBDA { store(y + j, lanes, f(load(x + j, lanes))); });
}

void probe_exp(const float* x, float* y, int n) noexcept {
  probe_rows(x, y, n, [](Vec v) FOVEA_INLINE_LAMBDA { return exp(v); });
}
void probe_erf(const float* x, float* y, int n) noexcept {
  probe_rows(x, y, n, [](Vec v) FOVEA_INLINE_LAMBDA { return erf(v); });
}
void probe_gelu(const float* x, float* y, int n) noexcept {
  probe_rows(x, y, n, [](Vec v) FOVEA_INLINE_LAMBDA { return gelu(v); });
}
void probe_tanh(const float* x, float* y, int n) noexcept {
  probe_rows(x, y, n, [](Vec v) FOVEA_INLINE_LAMBDA { return tanh(v); });
}
void probe_sigmoid(const float* x, float* y, int n) noexcept {
  probe_rows(x, y, n, [](Vec v) FOVEA_INLINE_LAMBDA { return sigmoid(v); });
}
void probe_silu(const float* x, float* y, int n) noexcept {
  probe_rows(x, y, n, [](Vec v) FOVEA_INLINE_LAMBDA { return silu(v); });
}
void probe_exp2_negative(const float* x, float* y, int n) noexcept {
  probe_rows(x, y, n,
             [](Vec v) FOVEA_INLINE_LAMBDA { return exp2_negative(sub(splat(0.0f), abs(v))); });
}
void probe_softplus(const float* x, float* y, int n) noexcept {
  probe_rows(x, y, n, [](Vec v) FOVEA_INLINE_LAMBDA { return softplus(v); });
}

}  // namespace fovea::FOVEA_ISA
