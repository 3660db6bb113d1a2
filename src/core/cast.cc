// SPDX-License-Identifier: Apache-2.0
#include "fovea/core/cast.h"

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "fovea/core/error.h"

namespace fovea {

std::uint16_t f32_to_bf16(float value) {
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, value);
  if ((bits & 0x7FFFFFFFu) > 0x7F800000u) {
    return static_cast<std::uint16_t>(bits >> 16 | 0x40u);  // stays not-a-number when cut
  }
  const std::uint32_t half = 0x7FFFu + (bits >> 16 & 1u);
  return static_cast<std::uint16_t>((bits + half) >> 16);
}

std::uint16_t f32_to_f16(float value) {
  const std::uint32_t bits = __builtin_bit_cast(std::uint32_t, value);
  const std::uint32_t sign = bits >> 16 & 0x8000u;
  const std::uint32_t magnitude = bits & 0x7FFFFFFFu;
  if (magnitude > 0x7F800000u) return static_cast<std::uint16_t>(sign | 0x7E00u);
  if (magnitude >= 0x47800000u) return static_cast<std::uint16_t>(sign | 0x7C00u);  // 65536
  if (magnitude < 0x38800000u) {  // below 2^-14: a multiple of 2^-24
    const float scaled = __builtin_bit_cast(float, magnitude) * 0x1p24f;  // exact
    // Adding 2^23 leaves the integer nearest to it in the low bits.
    const float shifted = scaled + 0x1p23f;
    return static_cast<std::uint16_t>(sign | (__builtin_bit_cast(std::uint32_t, shifted) & 0x7FFu));
  }
  const std::uint32_t half = 0xFFFu + (magnitude >> 13 & 1u);
  return static_cast<std::uint16_t>(sign | ((magnitude + half - 0x38000000u) >> 13));
}

Tensor cast(const Tensor& tensor, DType dtype) {
  if (tensor.dtype() == dtype) return tensor;
  if (!tensor.has_data()) return Tensor::shape_only(tensor.shape(), dtype);
  if (dtype == DType::f32) return Tensor::take(tensor.shape(), tensor.to_floats());
  if (dtype != DType::f16 && dtype != DType::bf16) {
    throw Error(Error::Kind::argument,
                "tensors can become f32, f16 or bf16, not " + std::string(to_string(dtype)));
  }
  const FloatBuffer values = tensor.to_floats();
  auto narrow = std::make_shared<std::vector<std::uint16_t>>(values.size() + 1);
  for (std::size_t i = 0; i < values.size(); ++i) {
    (*narrow)[i] = dtype == DType::f16 ? f32_to_f16(values[i]) : f32_to_bf16(values[i]);
  }
  const auto* bytes = reinterpret_cast<const std::byte*>(narrow->data());
  return {tensor.shape(), dtype, std::move(narrow), bytes};
}

}  // namespace fovea
