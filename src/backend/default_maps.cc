// SPDX-License-Identifier: Apache-2.0
// Small operators on maps, in double where they compute at all. Every backend has these until it
// has its own.
#include <algorithm>
#include <cmath>

#include "fovea/backend/backend.h"
#include "src/backend/feature_map.h"
#include "src/backend/parallel.h"
#include "src/backend/resize_source.h"

namespace fovea {

void Backend::do_rms_norm(CMapF x, const NormParams& norm, MapF y, Context& ctx) const {
  parallel_rows(ctx, x.rows(), x.c, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
    for (std::ptrdiff_t r = first; r < last; ++r) {
      double squares = 0.0;
      for (int c = 0; c < x.c; ++c) squares += static_cast<double>(x.row(r)[c]) * x.row(r)[c];
      const double rms = std::sqrt(squares / x.c + norm.eps);
      for (int c = 0; c < x.c; ++c) {
        const double weight = norm.weight != nullptr ? norm.weight[c] : 1.0;
        const double bias = norm.bias != nullptr ? norm.bias[c] : 0.0;
        y.row(r)[c] = static_cast<float>(x.row(r)[c] / rms * weight + bias);
      }
    }
  });
}

void Backend::do_scale_channels(CMapF x, CMapF s, MapF y, Context& ctx) const {
  const std::ptrdiff_t tokens = x.image(0).rows();
  parallel_rows(ctx, x.rows(), x.c, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
    for (std::ptrdiff_t r = first; r < last; ++r) {
      const float* const factor = s.row(r / tokens);
      for (int c = 0; c < x.c; ++c) y.row(r)[c] = x.row(r)[c] * factor[c];
    }
  });
}

void Backend::do_adaptive_average(CMapF x, MapF y, Context& ctx) const {
  const std::ptrdiff_t cells = y.image(0).rows();
  ctx.pool().parallel_for(y.n * cells, [&](std::ptrdiff_t i, int) {
    const int n = static_cast<int>(i / cells);
    const int oy = static_cast<int>(i % cells) / y.w, ox = static_cast<int>(i % cells) % y.w;
    const int top = oy * x.h / y.h, bottom = static_cast<int>(ceil_div((oy + 1) * x.h, y.h));
    const int left = ox * x.w / y.w, right = static_cast<int>(ceil_div((ox + 1) * x.w, y.w));
    for (int c = 0; c < x.c; ++c) {
      double sum = 0.0;
      for (int iy = top; iy < bottom; ++iy) {
        for (int ix = left; ix < right; ++ix) sum += x.pixel(n, iy, ix)[c];
      }
      y.row(i)[c] = static_cast<float>(sum / ((bottom - top) * (right - left)));
    }
  });
}

void Backend::do_resize2d(CMapF x, Interpolation interpolation, MapF y, Context& ctx) const {
  parallel_lines(ctx, y.n, y.h, 1, [&](int n, int first, int last) {
    for (int oy = first; oy < last; ++oy) {
      const ResizeSource v = resize_source(oy, y.h, x.h, interpolation);
      for (int ox = 0; ox < y.w; ++ox) {
        const ResizeSource u = resize_source(ox, y.w, x.w, interpolation);
        const auto between = [](double a, double b, double t) { return a + t * (b - a); };
        const float* const corners[4] = {x.pixel(n, v.low, u.low), x.pixel(n, v.low, u.high),
                                         x.pixel(n, v.high, u.low), x.pixel(n, v.high, u.high)};
        float* const out = y.pixel(n, oy, ox);
        for (int c = 0; c < x.c; ++c) {
          out[c] = static_cast<float>(between(between(corners[0][c], corners[1][c], u.weight),
                                              between(corners[2][c], corners[3][c], u.weight),
                                              v.weight));
        }
      }
    }
  });
}

void Backend::do_gather(CMapF x, const int* index, MapF y, Context& ctx) const {
  const std::ptrdiff_t tokens = y.image(0).rows();
  parallel_rows(ctx, y.rows(), y.c, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
    for (std::ptrdiff_t r = first; r < last; ++r) {
      const int from = index[r % tokens];
      if (from < 0) {
        std::fill_n(y.row(r), y.c, 0.0f);
      } else {
        std::copy_n(x.image(static_cast<int>(r / tokens)).row(from), y.c, y.row(r));
      }
    }
  });
}

void Backend::do_rotary(CMapF x, int heads, const RotarySpec& spec, MapF y, Context& ctx) const {
  const std::ptrdiff_t tokens = x.image(0).rows();
  const int d = x.c / heads;
  parallel_rows(ctx, x.rows(), x.c, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
    for (std::ptrdiff_t r = first; r < last; ++r) {
      for (int head = 0; head < heads; ++head) {
        rotate_features(spec, r % tokens, x.row(r) + head * d, d, y.row(r) + head * d);
      }
    }
  });
}

}  // namespace fovea
