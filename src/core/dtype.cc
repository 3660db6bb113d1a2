// SPDX-License-Identifier: Apache-2.0
#include "fovea/core/dtype.h"

#include <bit>

namespace fovea {

std::size_t size_of(DType type) {
  switch (type) {
    case DType::f64:
    case DType::i64:
      return 8;
    case DType::f32:
    case DType::i32:
      return 4;
    case DType::f16:
    case DType::bf16:
    case DType::i16:
      return 2;
    case DType::i8:
    case DType::u8:
    case DType::boolean:
      return 1;
  }
  return 0;
}

std::string_view to_string(DType type) {
  switch (type) {
    case DType::f64:
      return "f64";
    case DType::f32:
      return "f32";
    case DType::f16:
      return "f16";
    case DType::bf16:
      return "bf16";
    case DType::i64:
      return "i64";
    case DType::i32:
      return "i32";
    case DType::i16:
      return "i16";
    case DType::i8:
      return "i8";
    case DType::u8:
      return "u8";
    case DType::boolean:
      return "bool";
  }
  return "invalid";
}

float f16_to_f32(std::uint16_t bits) {
  constexpr std::uint32_t kExponentShift = 23;
  constexpr std::uint32_t kRebias = 127 - 15;
  const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
  const std::uint32_t exponent = (bits >> 10) & 0x1Fu;
  const std::uint32_t mantissa = bits & 0x3FFu;
  std::uint32_t wide = 0;
  if (exponent == 0x1F) {  // infinity, or a NaN with its payload
    wide = 0x7F800000u | (mantissa << 13);
  } else if (exponent != 0) {
    wide = ((exponent + kRebias) << kExponentShift) | (mantissa << 13);
  } else if (mantissa != 0) {
    // A subnormal is normal in fp32: move its leading one to the hidden bit. Integer arithmetic, so
    // that a flush-to-zero mode does not matter.
    const auto shift = static_cast<std::uint32_t>(std::countl_zero(mantissa)) - 21;
    wide = ((kRebias + 1 - shift) << kExponentShift) | (((mantissa << shift) & 0x3FFu) << 13);
  }
  return std::bit_cast<float>(sign | wide);
}

}  // namespace fovea
