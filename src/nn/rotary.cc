// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/rotary.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "fovea/core/error.h"

namespace fovea::nn {

AxialRotary::AxialRotary(int head_dim) {
  if (head_dim < 4 || head_dim % 4 != 0) {
    throw Error(Error::Kind::argument,
                "rotary position embedding: wanted heads of a multiple of 4 "
                "channels, found " +
                    std::to_string(head_dim));
  }
  const int count = head_dim / 4;
  angle_ = FloatBuffer(static_cast<std::size_t>(head_dim) / 2);
  for (int i = 0; i < count; ++i) {
    // In single precision, as the reference has them.
    const float t = count > 1 ? static_cast<float>(i) / static_cast<float>(count - 1) : 0.0f;
    const float angle = 1.0f / std::pow(10000.0f, t);
    angle_[2 * static_cast<std::size_t>(i)] = angle_[2 * static_cast<std::size_t>(i) + 1] = angle;
  }
}

RotarySpec AxialRotary::tables(int h, int w, Context& ctx) const {
  const std::size_t half = angle_.size(), d = 2 * half;
  const std::size_t tokens = static_cast<std::size_t>(h) * static_cast<std::size_t>(w);
  float* const cos = ctx.workspace().floats(tokens * d);
  float* const sin = ctx.workspace().floats(tokens * d);
  if (!ctx.dry_run()) {
    // Computed in the first row and column, copied from there.
    const auto width = static_cast<std::size_t>(w);
    for (std::size_t token = 0; token < tokens; ++token) {
      const std::size_t y = token / width, x = token % width;
      float* const c = cos + token * d;
      float* const s = sin + token * d;
      for (const bool second : {false, true}) {
        const std::size_t at = second ? x : y, across = second ? y : x, first = second ? half : 0;
        if (across > 0) {
          const std::size_t from = (second ? x : y * width) * d + first;
          std::copy_n(cos + from, half, c + first);
          std::copy_n(sin + from, half, s + first);
          continue;
        }
        for (std::size_t i = 0; i < half; ++i) {
          const double angle = static_cast<double>(angle_[i]) * static_cast<double>(at);
          c[first + i] = static_cast<float>(std::cos(angle));
          s[first + i] = static_cast<float>(std::sin(angle));
        }
      }
    }
  }
  return {cos, sin, true};
}

}  // namespace fovea::nn
