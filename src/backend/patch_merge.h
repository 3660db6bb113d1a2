// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstring>

#include "src/backend/parallel.h"

namespace fovea {

// Backend::patch_merge: nothing but copies, the same for every backend that runs in threads.
inline void merge_patches(const CMapF& x, const MapF& y, const Context& ctx) {
  parallel_lines(ctx, y.n, y.h, 1, [&](int n, int first, int last) {
    for (int oy = first; oy < last; ++oy) {
      for (int ox = 0; ox < y.w; ++ox) {
        for (int part = 0; part < 4; ++part) {
          const int iy = 2 * oy + part % 2, ix = 2 * ox + part / 2;
          float* const out = y.pixel(n, oy, ox) + part * x.c;
          if (iy < x.h && ix < x.w) {
            std::memcpy(out, x.pixel(n, iy, ix), sizeof(float) * static_cast<std::size_t>(x.c));
          } else {
            std::fill_n(out, x.c, 0.0f);
          }
        }
      }
    }
  });
}

}  // namespace fovea
