// SPDX-License-Identifier: Apache-2.0
// What a processor can do at most: the ceilings that every other kernel is measured against.
#pragma once

#include <cstddef>

namespace fovea {

// Twelve chains hide the latency of a multiply-add (two begin in a cycle, each takes four or five)
// and leave four of sixteen registers.
inline constexpr int kFmaChains = 12;

// x = a * x + b, `rounds` times, in every lane of kFmaChains independent vectors, which start at 0,
// 1, 2, ... (equal ones would be merged) and never leave the registers. Returns how many
// multiply-adds that were; *sum is the sum of all lanes.
using fma_chains_fn = std::ptrdiff_t(float a, float b, std::ptrdiff_t rounds, float* sum) noexcept;
// The sum of n floats, read once from front to back, a vector of partial sums for each load in
// flight. No alignment is needed.
using read_sum_fn = float(const float* x, std::ptrdiff_t n) noexcept;

#define FOVEA_KERNEL(isa, name) \
  namespace isa {               \
  name##_fn name;               \
  }
#include "kernels/probe/kernels.inc"
#undef FOVEA_KERNEL

}  // namespace fovea
