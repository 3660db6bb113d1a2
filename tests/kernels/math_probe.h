// SPDX-License-Identifier: Apache-2.0
// Out-of-line doors to kernels/simd/math.h, one set for each instruction set: y[i] = f(x[i]), i <
// n.
#pragma once

namespace fovea {

using math_probe_fn = void(const float* x, float* y, int n) noexcept;

#define FOVEA_MATH_PROBES(isa)       \
  namespace isa {                    \
  math_probe_fn probe_exp;           \
  math_probe_fn probe_erf;           \
  math_probe_fn probe_gelu;          \
  math_probe_fn probe_tanh;          \
  math_probe_fn probe_sigmoid;       \
  math_probe_fn probe_silu;          \
  math_probe_fn probe_exp2_negative; \
  math_probe_fn probe_softplus;      \
  }
FOVEA_MATH_PROBES(generic)
FOVEA_MATH_PROBES(avx2)
FOVEA_MATH_PROBES(avx512)
#undef FOVEA_MATH_PROBES

}  // namespace fovea
