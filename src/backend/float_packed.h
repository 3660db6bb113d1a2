// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <utility>

#include "fovea/backend/backend.h"
#include "fovea/core/buffer.h"

namespace fovea {

// Weights as plain fp32 values, in an order that its backend chooses.
struct FloatPacked : Packed {
  FloatPacked(std::shared_ptr<const float> v, std::size_t n) : values(std::move(v)), count(n) {}
  explicit FloatPacked(FloatBuffer v) : count(v.size()) {
    const auto buffer = std::make_shared<const FloatBuffer>(std::move(v));
    values = {buffer, buffer->data()};
  }
  std::size_t bytes() const override { return count * sizeof(float); }

  std::shared_ptr<const float> values;
  std::size_t count;
};

inline const float* float_values(const Packed& w) {
  return static_cast<const FloatPacked&>(w).values.get();
}

}  // namespace fovea
