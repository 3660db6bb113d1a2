// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>

namespace fovea::nn {

// 1 / sqrt(width): the scale of products of queries and keys of so many channels
// (arXiv:1706.03762).
inline float attention_scale(int width) {
  return static_cast<float>(1.0 / std::sqrt(static_cast<double>(width)));
}

}  // namespace fovea::nn
