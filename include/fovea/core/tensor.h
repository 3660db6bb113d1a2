// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "fovea/core/buffer.h"
#include "fovea/core/dtype.h"
#include "fovea/core/shape.h"

namespace fovea {

// A weight before packing: any rank, contiguous, in the checkpoint's own layout and dtype. Values
// are immutable and shared; the owner of the bytes (a mapped file, a heap block) lives as long as
// the last tensor on it.
//
// A tensor without data ("shape only") stands for a weight while a network is being checked or
// listed; its values read as zeros and packing it gives nothing.
class Tensor {
 public:
  Tensor() = default;
  // `owner` keeps `data` alive; numel(shape) * size_of(dtype) bytes are readable at data. The
  // bytes need no alignment: they may lie anywhere in a mapped file.
  Tensor(Shape shape, DType dtype, std::shared_ptr<const void> owner, const std::byte* data)
      : shape_(std::move(shape)), dtype_(dtype), owner_(std::move(owner)), data_(data) {}

  static Tensor shape_only(Shape shape, DType dtype = DType::f32) {
    return {std::move(shape), dtype, nullptr, nullptr};
  }
  // Copies `values` (numel(shape) of them).
  static Tensor from_floats(Shape shape, std::span<const float> values);
  // Takes `values` over instead.
  static Tensor take(Shape shape, FloatBuffer values);

  const Shape& shape() const { return shape_; }
  DType dtype() const { return dtype_; }
  std::int64_t size() const { return numel(shape_); }
  bool has_data() const { return data_ != nullptr; }
  const std::byte* bytes() const { return data_; }

  // All values, widened or rounded to fp32; zeros when there is no data.
  FloatBuffer to_floats() const;
  // The same for out.size() values from the first-th on.
  void read_floats(std::int64_t first, std::span<float> out) const;
  // The values where they lie, when they are fp32 and aligned; else null.
  const float* as_floats() const;
  // The same bytes under another shape of equal size.
  Tensor reshaped(Shape shape) const;
  // Entries first .. first + count along the first dimension, where they lie.
  Tensor rows(std::int64_t first, std::int64_t count) const;

 private:
  Shape shape_;
  DType dtype_ = DType::f32;
  std::shared_ptr<const void> owner_;
  const std::byte* data_ = nullptr;
};

}  // namespace fovea
