// SPDX-License-Identifier: Apache-2.0
// What gemm, dwconv, pool and eltwise kernels do to a result before it is stored:
//
//   y(i, j) = residual_scale(j) * residual(i, j) + scale(j) * act(acc(i, j) + bias(j))
//
// Null vectors mean bias 0 and scales 1; a null residual is absent.  The residual may be y itself
// (same pointer, same stride), otherwise it must not overlap y.
#pragma once

#include <cstddef>
#include <cstdint>

namespace fovea::kernels {

enum class Act : std::uint8_t {
  none,
  relu,
  gelu,        // x/2 (1 + erf(x / sqrt 2))
  gelu_tanh,   // x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3)))
  quick_gelu,  // x sigmoid(1.702 x)
  silu,        // x sigmoid(x)
  star_relu,   // act_scale relu(x)^2 + act_bias
  sigmoid,
  tanh,
};

struct Epilogue {
  const float* bias = nullptr;            // (n)
  const float* scale = nullptr;           // (n)
  const float* residual_scale = nullptr;  // (n)
  const float* residual = nullptr;        // (m, n), rows ldr apart
  std::ptrdiff_t ldr = 0;
  Act act = Act::none;
  float act_scale = 1.0f;
  float act_bias = 0.0f;
};

// The epilogue of the block whose corner is (row, column).  Always inlined: the files of an
// instruction set must not export a function that others could link to.
[[gnu::always_inline]] inline Epilogue block_of(Epilogue e, std::ptrdiff_t row,
                                                std::ptrdiff_t column) {
  if (e.bias != nullptr) e.bias += column;
  if (e.scale != nullptr) e.scale += column;
  if (e.residual_scale != nullptr) e.residual_scale += column;
  if (e.residual != nullptr) e.residual += row * e.ldr + column;
  return e;
}

}  // namespace fovea::kernels
