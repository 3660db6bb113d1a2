// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "kernels/probe/probe.h"
#include "kernels/simd/loop.h"

namespace fovea::FOVEA_ISA {

std::ptrdiff_t fma_chains(float a, float b, std::ptrdiff_t rounds, float* sum) noexcept {
  const Vec factor = splat(a);
  const Vec term = splat(b);
  Vec x[kFmaChains];
  unroll<kFmaChains>([&](auto i) FOVEA_INLINE_LAMBDA {
    constexpr int kChain = decltype(i)::value;
    x[kChain] = splat(static_cast<float>(kChain));
  });
  for (std::ptrdiff_t round = 0; round < rounds; ++round) {
    unroll<kFmaChains>([&](auto i) FOVEA_INLINE_LAMBDA {
      constexpr int kChain = decltype(i)::value;
      x[kChain] = fma(factor, x[kChain], term);
    });
  }
  Vec total = splat(0.0f);
  unroll<kFmaChains>([&](auto i)
                         FOVEA_INLINE_LAMBDA { total = add(total, x[decltype(i)::value]); });
  *sum = reduce_add(total);
  return rounds * kFmaChains * Vec::kLanes;
}

float read_sum(const float* x, std::ptrdiff_t n) noexcept {
  constexpr int kLoads = 8;
  constexpr std::ptrdiff_t kBlock = kLoads * Vec::kLanes;
  Vec sums[kLoads];
  unroll<kLoads>([&](auto i) FOVEA_INLINE_LAMBDA { sums[decltype(i)::value] = splat(0.0f); });
  std::ptrdiff_t j = 0;
  for (; j + kBlock <= n; j += kBlock) {
    unroll<kLoads>([&](auto i) FOVEA_INLINE_LAMBDA {
      constexpr int kLoad = decltype(i)::value;
      sums[kLoad] = add(sums[kLoad], load(x + j + kLoad * Vec::kLanes));
    });
  }
  for_vectors(static_cast<int>(n - j), [&](int i, auto lanes) FOVEA_INLINE_LAMBDA {
    sums[0] = add(sums[0], load(x + j + i, lanes));
  });
  unroll<kLoads - 1>(
      [&](auto i) FOVEA_INLINE_LAMBDA { sums[0] = add(sums[0], sums[decltype(i)::value + 1]); });
  return reduce_add(sums[0]);
}

}  // namespace fovea::FOVEA_ISA
