// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>

#include "fovea/backend/ops.h"

namespace fovea {

// Where a line of a resized map comes from: two lines and the weight of the second.
struct ResizeSource {
  int low, high;
  double weight;
};

// Line i of `out`, out of `in` lines; torch's rules for align_corners=False.
inline ResizeSource resize_source(int i, int out, int in, Interpolation interpolation) {
  const double scale = static_cast<double>(in) / out;
  if (interpolation == Interpolation::nearest) {
    const int at = std::min(static_cast<int>(std::floor(i * scale)), in - 1);
    return {at, at, 0.0};
  }
  const double centre = std::max((i + 0.5) * scale - 0.5, 0.0);
  const int low = std::min(static_cast<int>(centre), in - 1);
  return {low, std::min(low + 1, in - 1), centre - low};
}

}  // namespace fovea
