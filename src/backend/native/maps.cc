// SPDX-License-Identifier: Apache-2.0
// Small operators on maps.
#include "src/backend/native/native_backend.h"
#include "src/backend/parallel.h"
#include "src/backend/resize_source.h"

namespace fovea {

void NativeBackend::do_rms_norm(CMapF x, const NormParams& norm, MapF y, Context& ctx) const {
  parallel_rows(ctx, x.rows(), x.c, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
    kernels_.rms_norm(x.row(first), x.ld, y.row(first), y.ld, norm.weight, norm.bias, norm.eps,
                      last - first, x.c);
  });
}

void NativeBackend::do_scale_channels(CMapF x, CMapF s, MapF y, Context& ctx) const {
  const std::ptrdiff_t rows = x.image(0).rows();
  const std::ptrdiff_t range = std::max<std::ptrdiff_t>(1, 8192 / x.c);
  const std::ptrdiff_t ranges = ceil_div(rows, range);
  ctx.pool().parallel_for(x.n * ranges, [&](std::ptrdiff_t i, int) {
    const int n = static_cast<int>(i / ranges);
    const std::ptrdiff_t first = i % ranges * range;
    kernels::Epilogue e;
    e.scale = s.row(n);
    kernels_.epilogue_map(x.image(n).row(first), x.ld, y.image(n).row(first), y.ld,
                          std::min(range, rows - first), x.c, e);
  });
}

void NativeBackend::do_adaptive_average(CMapF x, MapF y, Context& ctx) const {
  const std::ptrdiff_t cells = y.image(0).rows();
  const Workspace::Scope scope(ctx.workspace());
  const SlotScratch lines(ctx, static_cast<std::ptrdiff_t>(ceil_div(x.h, y.h) + 1) * x.c);
  ctx.pool().parallel_for(y.n * cells, [&](std::ptrdiff_t i, int slot) {
    const int n = static_cast<int>(i / cells);
    const std::ptrdiff_t oy = i % cells / y.w, ox = i % cells % y.w;
    const int top = static_cast<int>(oy * x.h / y.h);
    const int bottom = static_cast<int>(ceil_div((oy + 1) * x.h, y.h));
    const int left = static_cast<int>(ox * x.w / y.w);
    const int right = static_cast<int>(ceil_div((ox + 1) * x.w, y.w));
    float* const means = lines[slot];  // of the lines, which are equally long
    for (int iy = top; iy < bottom; ++iy) {
      kernels_.column_mean(x.pixel(n, iy, left), x.ld, right - left, x.c,
                           means + static_cast<std::ptrdiff_t>(iy - top) * x.c);
    }
    kernels_.column_mean(means, x.c, bottom - top, x.c, y.row(i));
  });
}

void NativeBackend::do_resize2d(CMapF x, Interpolation interpolation, MapF y, Context& ctx) const {
  parallel_lines(ctx, y.n, y.h, 1, [&](int n, int first, int last) {
    for (int oy = first; oy < last; ++oy) {
      const ResizeSource v = resize_source(oy, y.h, x.h, interpolation);
      for (int ox = 0; ox < y.w; ++ox) {
        const ResizeSource u = resize_source(ox, y.w, x.w, interpolation);
        const float* const corners[4] = {x.pixel(n, v.low, u.low), x.pixel(n, v.low, u.high),
                                         x.pixel(n, v.high, u.low), x.pixel(n, v.high, u.high)};
        const float weights[4] = {static_cast<float>((1 - v.weight) * (1 - u.weight)),
                                  static_cast<float>((1 - v.weight) * u.weight),
                                  static_cast<float>(v.weight * (1 - u.weight)),
                                  static_cast<float>(v.weight * u.weight)};
        kernels_.blend(corners, weights, y.pixel(n, oy, ox), x.c);
      }
    }
  });
}

void NativeBackend::do_rotary(CMapF x, int heads, const RotarySpec& spec, MapF y,
                              Context& ctx) const {
  const std::ptrdiff_t tokens = x.image(0).rows();
  const int d = x.c / heads;
  const std::ptrdiff_t range = std::max<std::ptrdiff_t>(1, 8192 / x.c);
  const std::ptrdiff_t ranges = ceil_div(tokens, range);
  ctx.pool().parallel_for(x.n * ranges, [&](std::ptrdiff_t i, int) {
    const int n = static_cast<int>(i / ranges);
    const std::ptrdiff_t first = i % ranges * range, count = std::min(range, tokens - first);
    for (int head = 0; head < heads; ++head) {
      kernels_.rotate_pairs(x.image(n).row(first) + head * d, x.ld, spec.cos + first * d,
                            spec.sin + first * d, d, spec.interleaved,
                            y.image(n).row(first) + head * d, y.ld, count, d);
    }
  });
}

}  // namespace fovea
