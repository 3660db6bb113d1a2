// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "fovea/backend/backend.h"
#include "fovea/core/buffer.h"

namespace fovea {

// Weights as plain fp32 values, in an order that its backend chooses.
struct FloatPacked : Packed {
  explicit FloatPacked(FloatBuffer v) : values(std::move(v)) {}
  std::size_t bytes() const override { return values.size() * sizeof(float); }
  FloatBuffer values;
};

inline const float* float_values(const Packed& w) {
  return static_cast<const FloatPacked&>(w).values.data();
}

}  // namespace fovea
