// SPDX-License-Identifier: Apache-2.0
// Transposes a square of kLanes x kLanes floats in registers.
#pragma once

#include "kernels/simd/simd.h"

namespace fovea::FOVEA_ISA {

// Stage with blocks of kBlock lanes: rows i and i + kBlock swap the off-diagonal blocks of each
// 2 kBlock x 2 kBlock square.  log2(kLanes) stages transpose the whole.
template <int kBlock>
FOVEA_INLINE void transpose_stages(Vec (&rows)[Vec::kLanes]) {
  if constexpr (kBlock < Vec::kLanes) {
    unroll<Vec::kLanes>([&](auto i) FOVEA_INLINE_LAMBDA {
      constexpr int kRow = decltype(i)::value;
      if constexpr ((kRow & kBlock) == 0) {
        exchange_blocks<kBlock>(rows[kRow], rows[kRow + kBlock]);
      }
    });
    transpose_stages<2 * kBlock>(rows);
  }
}

FOVEA_INLINE void transpose(Vec (&rows)[Vec::kLanes]) { transpose_stages<1>(rows); }

}  // namespace fovea::FOVEA_ISA
