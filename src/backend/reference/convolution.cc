// SPDX-License-Identifier: Apache-2.0
// Operators with a window that slides over the image.
#include <algorithm>
#include <limits>

#include "src/backend/float_packed.h"
#include "src/backend/reference/reference_backend.h"

namespace fovea {

void ReferenceBackend::do_conv2d(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y,
                                 Context&) const {
  const Conv2dSpec& s = w.conv;
  const int group_in = w.in / s.groups, group_out = w.out / s.groups;
  const float* const weight = float_values(w);  // (out, in / groups, kernel_h, kernel_w)

  const auto at = [&](int n, int oy, int ox, int o) {
    const int first_in = o / group_out * group_in;
    double acc = 0;
    for (int i = 0; i < group_in; ++i) {
      for (int ky = 0; ky < w.kernel_h; ++ky) {
        for (int kx = 0; kx < w.kernel_w; ++kx) {
          const int iy = oy * s.stride_h - s.pad_h + ky * s.dilation_h;
          const int ix = ox * s.stride_w - s.pad_w + kx * s.dilation_w;
          if (iy < 0 || iy >= x.h || ix < 0 || ix >= x.w) continue;
          const std::ptrdiff_t plane = static_cast<std::ptrdiff_t>(o) * group_in + i;
          acc += static_cast<double>(x.pixel(n, iy, ix)[first_in + i]) *
                 weight[(plane * w.kernel_h + ky) * w.kernel_w + kx];
        }
      }
    }
    return acc;
  };

  for (int n = 0; n < y.n; ++n) {
    for (int oy = 0; oy < y.h; ++oy) {
      for (int ox = 0; ox < y.w; ++ox) {
        const std::ptrdiff_t row = (static_cast<std::ptrdiff_t>(n) * y.h + oy) * y.w + ox;
        for (int o = 0; o < w.out; ++o) {
          y.row(row)[o] = finished(at(n, oy, ox, o), epilogue, row, o);
        }
      }
    }
  }
}

namespace {

// The pooled value of channel c in the window whose corner is (top, left), maybe outside x.
double pooled(const CMapF& x, const Pool2dSpec& spec, int n, int top, int left, int c) {
  double sum = 0;
  double largest = -std::numeric_limits<double>::infinity();
  int count = 0;
  for (int iy = std::max(top, 0); iy < std::min(top + spec.kernel_h, x.h); ++iy) {
    for (int ix = std::max(left, 0); ix < std::min(left + spec.kernel_w, x.w); ++ix) {
      const double value = x.pixel(n, iy, ix)[c];
      sum += value;
      largest = std::max(largest, value);
      ++count;
    }
  }
  if (spec.kind == Pool2dSpec::Kind::max) return largest;
  return sum / (spec.count_include_pad ? spec.kernel_h * spec.kernel_w : count);
}

}  // namespace

void ReferenceBackend::do_pool2d(CMapF x, const Pool2dSpec& spec, MapF y, Context&) const {
  for (int n = 0; n < y.n; ++n) {
    for (int oy = 0; oy < y.h; ++oy) {
      for (int ox = 0; ox < y.w; ++ox) {
        const int top = oy * spec.stride_h - spec.pad_h;
        const int left = ox * spec.stride_w - spec.pad_w;
        for (int c = 0; c < y.c; ++c) {
          y.pixel(n, oy, ox)[c] = static_cast<float>(pooled(x, spec, n, top, left, c));
        }
      }
    }
  }
}

void ReferenceBackend::do_pooling(CMapF x, int k, const Epilogue& epilogue, MapF y,
                                  Context&) const {
  const Pool2dSpec spec = Pool2dSpec::square(Pool2dSpec::Kind::average, k, 1, k / 2, false);
  for (int n = 0; n < y.n; ++n) {
    for (int oy = 0; oy < y.h; ++oy) {
      for (int ox = 0; ox < y.w; ++ox) {
        const std::ptrdiff_t row = (static_cast<std::ptrdiff_t>(n) * y.h + oy) * y.w + ox;
        for (int c = 0; c < y.c; ++c) {
          const double mixed = pooled(x, spec, n, oy - k / 2, ox - k / 2, c) - x.row(row)[c];
          y.row(row)[c] = finished(mixed, epilogue, row, c);
        }
      }
    }
  }
}

void ReferenceBackend::do_global_average(CMapF x, MapF y, Context&) const {
  for (int n = 0; n < x.n; ++n) {
    const CMapF image = x.image(n);
    for (int c = 0; c < x.c; ++c) {
      double sum = 0;
      for (std::ptrdiff_t r = 0; r < image.rows(); ++r) sum += image.row(r)[c];
      y.row(n)[c] = static_cast<float>(sum / static_cast<double>(image.rows()));
    }
  }
}

void ReferenceBackend::do_patch_merge(CMapF x, MapF y, Context&) const {
  for (int n = 0; n < y.n; ++n) {
    for (int oy = 0; oy < y.h; ++oy) {
      for (int ox = 0; ox < y.w; ++ox) {
        for (int part = 0; part < 4; ++part) {
          const int iy = 2 * oy + part % 2, ix = 2 * ox + part / 2;
          const bool inside = iy < x.h && ix < x.w;
          for (int c = 0; c < x.c; ++c) {
            y.pixel(n, oy, ox)[part * x.c + c] = inside ? x.pixel(n, iy, ix)[c] : 0.0f;
          }
        }
      }
    }
  }
}

}  // namespace fovea
