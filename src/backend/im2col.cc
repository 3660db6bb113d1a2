// SPDX-License-Identifier: Apache-2.0
#include "src/backend/im2col.h"

#include <algorithm>
#include <cstring>

namespace fovea {
namespace {

float* gather_row(const CMapF& x, const Packed& w, int n, int oy, int ox, int first_channel,
                  float* out) {
  const Conv2dSpec& s = w.conv;
  const int group_in = w.in / s.groups;
  const std::size_t bytes = sizeof(float) * static_cast<std::size_t>(group_in);
  for (int ky = 0; ky < w.kernel_h; ++ky) {
    const int iy = oy * s.stride_h - s.pad_h + ky * s.dilation_h;
    for (int kx = 0; kx < w.kernel_w; ++kx, out += group_in) {
      const int ix = ox * s.stride_w - s.pad_w + kx * s.dilation_w;
      if (iy < 0 || iy >= x.h || ix < 0 || ix >= x.w) {
        std::fill_n(out, group_in, 0.0f);
      } else {
        std::memcpy(out, x.pixel(n, iy, ix) + first_channel, bytes);
      }
    }
  }
  return out;
}

}  // namespace

void gather_rows(const CMapF& x, const Packed& w, const MapF& y, std::ptrdiff_t first,
                 std::ptrdiff_t count, int group, float* out) {
  const int first_channel = group * (w.in / w.conv.groups);
  for (std::ptrdiff_t row = first; row < first + count; ++row) {
    out = gather_row(x, w, static_cast<int>(row / y.w / y.h), static_cast<int>(row / y.w % y.h),
                     static_cast<int>(row % y.w), first_channel, out);
  }
}

void positions_outside(const float* w, std::ptrdiff_t outer, std::ptrdiff_t inner,
                       std::ptrdiff_t positions, float* out) {
  for (std::ptrdiff_t o = 0; o < outer; ++o, w += inner * positions) {
    for (std::ptrdiff_t p = 0; p < positions; ++p) {
      for (std::ptrdiff_t i = 0; i < inner; ++i) *out++ = w[i * positions + p];
    }
  }
}

FloatBuffer positions_outside(const FloatBuffer& w, std::ptrdiff_t outer, std::ptrdiff_t inner,
                              std::ptrdiff_t positions) {
  FloatBuffer result(w.size());
  positions_outside(w.data(), outer, inner, positions, result.data());
  return result;
}

}  // namespace fovea
