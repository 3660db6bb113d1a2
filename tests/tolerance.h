// SPDX-License-Identifier: Apache-2.0
// How far fp32 results may be from exact ones: formulas of the unit roundoff, the number of
// operations and the magnitudes of the operands.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace fovea::test {

// Half a unit in the last place of 1: the largest relative error of one rounding to fp32.
inline constexpr double kRoundoff = 0x1p-24;

// Largest error of a sum of k products, magnitude = sum of |a_i * b_i|: one rounding a step with
// fused multiply-adds, two without (N. Higham, Accuracy and Stability of Numerical
// Algorithms, 3.1).
inline double dot_error(std::ptrdiff_t k, double magnitude) {
  return static_cast<double>(k + 1) * kRoundoff * magnitude;
}

// Largest error of `operations` roundings of values up to `magnitude`.
inline double rounding_error(int operations, double magnitude) {
  return operations * kRoundoff * magnitude;
}

// sqrt(sum (a - b)^2 / sum b^2); the plain norm of a where b is 0.
inline double relative_l2(const float* a, const float* b, std::ptrdiff_t count) {
  double difference = 0;
  double norm = 0;
  for (std::ptrdiff_t i = 0; i < count; ++i) {
    const double d = static_cast<double>(a[i]) - b[i];
    difference += d * d;
    norm += static_cast<double>(b[i]) * b[i];
  }
  return norm > 0 ? std::sqrt(difference / norm) : std::sqrt(difference);
}

// Relative L2 distance that two right fp32 implementations of an operator may have when each output
// sums k products of zero-mean operands: errors of single steps add like a random walk. Factor 8:
// activation, scale and residual follow, and small outputs happen.
inline double operator_l2_bound(std::ptrdiff_t k) {
  return 8 * kRoundoff * std::sqrt(static_cast<double>(std::max<std::ptrdiff_t>(k, 1)));
}

}  // namespace fovea::test
