// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fovea {

// Element types that checkpoints carry.
enum class DType : std::uint8_t { f64, f32, f16, bf16, i64, i32, i16, i8, u8, boolean };

std::size_t size_of(DType type);         // bytes per element
std::string_view to_string(DType type);  // "f32", ...

// Widening to fp32, exact but for f64 and wide integers, which are rounded to nearest.
float f16_to_f32(std::uint16_t bits);
inline float bf16_to_f32(std::uint16_t bits) {
  const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
  return __builtin_bit_cast(float, wide);
}

}  // namespace fovea
