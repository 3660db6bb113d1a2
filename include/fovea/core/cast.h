// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/core/tensor.h"

namespace fovea {

// Rounding to the nearest, ties to even; what is too large becomes infinite, not-a-number stays.
std::uint16_t f32_to_f16(float value);
std::uint16_t f32_to_bf16(float value);

// A tensor in another floating point type: f32, f16 or bf16. Values go by way of fp32. The tensor
// itself when it has the type already. Throws Error (argument) for other types.
Tensor cast(const Tensor& tensor, DType dtype);

}  // namespace fovea
