// SPDX-License-Identifier: Apache-2.0
#include "fovea/core/tensor.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "fovea/core/error.h"

namespace fovea {
namespace {

// out[i] = widen(element i of the unaligned array at `bytes`).
template <class Stored, class Widen>
void convert(const std::byte* bytes, std::span<float> out, Widen widen) {
  for (std::size_t i = 0; i < out.size(); ++i) {
    Stored value;
    std::memcpy(&value, bytes + i * sizeof(Stored), sizeof(Stored));
    out[i] = widen(value);
  }
}

template <class Number>
void convert_number(const std::byte* bytes, std::span<float> out) {
  convert<Number>(bytes, out, [](Number value) { return static_cast<float>(value); });
}

std::int64_t numel_at_door(const Shape& shape) {
  const auto count = checked_numel(shape);
  if (!count) {
    throw Error(Error::Kind::argument, "a tensor cannot have the shape " + to_string(shape));
  }
  return *count;
}

}  // namespace

Tensor Tensor::from_floats(Shape shape, std::span<const float> values) {
  FloatBuffer copy(values.size());
  std::copy(values.begin(), values.end(), copy.begin());
  return take(std::move(shape), std::move(copy));
}

Tensor Tensor::take(Shape shape, FloatBuffer values) {
  const std::int64_t wanted = numel_at_door(shape);
  if (wanted != static_cast<std::int64_t>(values.size())) {
    throw Error(Error::Kind::argument, "a tensor of shape " + to_string(shape) + " wants " +
                                           std::to_string(wanted) + " values, found " +
                                           std::to_string(values.size()));
  }
  // An empty tensor is one with data all the same, and not a shape only.
  if (values.empty()) values = FloatBuffer(1);
  auto owner = std::make_shared<FloatBuffer>(std::move(values));
  const auto* bytes = reinterpret_cast<const std::byte*>(owner->data());
  return {std::move(shape), DType::f32, std::move(owner), bytes};
}

FloatBuffer Tensor::to_floats() const {
  FloatBuffer out(static_cast<std::size_t>(numel_at_door(shape_)));
  read_floats(0, {out.data(), out.size()});
  return out;
}

const float* Tensor::as_floats() const {
  const bool aligned = reinterpret_cast<std::uintptr_t>(data_) % alignof(float) == 0;
  return dtype_ == DType::f32 && aligned ? reinterpret_cast<const float*>(data_) : nullptr;
}

void Tensor::read_floats(std::int64_t first, std::span<float> out) const {
  if (!has_data()) {
    std::fill(out.begin(), out.end(), 0.0f);
    return;
  }
  const std::byte* const from = data_ + static_cast<std::size_t>(first) * size_of(dtype_);
  switch (dtype_) {
    case DType::f64:
      convert_number<double>(from, out);
      break;
    case DType::f32:
      if (!out.empty()) std::memcpy(out.data(), from, out.size() * sizeof(float));
      break;
    case DType::f16:
      convert<std::uint16_t>(from, out, f16_to_f32);
      break;
    case DType::bf16:
      convert<std::uint16_t>(from, out, bf16_to_f32);
      break;
    case DType::i64:
      convert_number<std::int64_t>(from, out);
      break;
    case DType::i32:
      convert_number<std::int32_t>(from, out);
      break;
    case DType::i16:
      convert_number<std::int16_t>(from, out);
      break;
    case DType::i8:
      convert_number<std::int8_t>(from, out);
      break;
    case DType::u8:
      convert_number<std::uint8_t>(from, out);
      break;
    case DType::boolean:
      convert<std::uint8_t>(from, out, [](std::uint8_t value) { return value != 0 ? 1.0f : 0.0f; });
      break;
  }
}

Tensor Tensor::reshaped(Shape shape) const {
  if (numel_at_door(shape) != numel_at_door(shape_)) {
    throw Error(Error::Kind::argument, "a tensor of shape " + to_string(shape_) +
                                           " cannot become one of shape " + to_string(shape));
  }
  return {std::move(shape), dtype_, owner_, data_};
}

Tensor Tensor::rows(std::int64_t first, std::int64_t count) const {
  if (shape_.empty() || first < 0 || count < 0 || first > shape_[0] - count) {
    throw Error(Error::Kind::argument, "a tensor of shape " + to_string(shape_) + " has no rows " +
                                           std::to_string(first) + " to " +
                                           std::to_string(first + count));
  }
  Shape shape = shape_;
  shape[0] = count;
  if (!has_data()) return shape_only(std::move(shape), dtype_);
  const std::int64_t row = shape_[0] == 0 ? 0 : size() / shape_[0];
  const std::byte* const data = data_ + static_cast<std::size_t>(first * row) * size_of(dtype_);
  return {std::move(shape), dtype_, owner_, data};
}

}  // namespace fovea
