// SPDX-License-Identifier: Apache-2.0
// Epilogues, products of elements, pooling, merging.
#include <cstring>
#include <limits>

#include "src/backend/activate.h"
#include "src/backend/patch_merge.h"
#include "src/backend/portable/portable_backend.h"

namespace fovea {
namespace {

// The choice of the function outside of the loop.
template <Activation::Kind kind>
void activate_row(const Activation& act, float* x, int count) {
  const Activation fixed(kind, act.scale, act.bias);
  for (int j = 0; j < count; ++j) x[j] = activate(fixed, x[j]);
}

void activate_row(const Activation& act, float* x, int count) {
  using Kind = Activation::Kind;
  switch (act.kind) {
    case Kind::none:
      return;
    case Kind::relu:
      return activate_row<Kind::relu>(act, x, count);
    case Kind::gelu:
      return activate_row<Kind::gelu>(act, x, count);
    case Kind::gelu_tanh:
      return activate_row<Kind::gelu_tanh>(act, x, count);
    case Kind::quick_gelu:
      return activate_row<Kind::quick_gelu>(act, x, count);
    case Kind::silu:
      return activate_row<Kind::silu>(act, x, count);
    case Kind::star_relu:
      return activate_row<Kind::star_relu>(act, x, count);
    case Kind::sigmoid:
      return activate_row<Kind::sigmoid>(act, x, count);
    case Kind::tanh:
      return activate_row<Kind::tanh>(act, x, count);
  }
}

// One output pixel: all channels of the window whose corner is (top, left), maybe outside x.
void pool_pixel(const CMapF& x, const Pool2dSpec& spec, int n, int top, int left, float* y) {
  const bool average = spec.kind == Pool2dSpec::Kind::average;
  const int y_begin = std::max(top, 0), y_end = std::min(top + spec.kernel_h, x.h);
  const int x_begin = std::max(left, 0), x_end = std::min(left + spec.kernel_w, x.w);
  std::fill_n(y, x.c, average ? 0.0f : -std::numeric_limits<float>::infinity());
  for (int iy = y_begin; iy < y_end; ++iy) {
    for (int ix = x_begin; ix < x_end; ++ix) {
      const float* const in = x.pixel(n, iy, ix);
      if (average) {
        for (int c = 0; c < x.c; ++c) y[c] += in[c];
      } else {
        for (int c = 0; c < x.c; ++c) y[c] = std::max(y[c], in[c]);
      }
    }
  }
  if (!average) return;
  const int count = spec.count_include_pad ? spec.kernel_h * spec.kernel_w
                                           : (y_end - y_begin) * (x_end - x_begin);
  for (int c = 0; c < x.c; ++c) y[c] /= static_cast<float>(count);
}

}  // namespace

void finish_row(float* acc, const Epilogue& e, std::ptrdiff_t row, int first, int count, float* y) {
  if (e.bias != nullptr) {
    for (int j = 0; j < count; ++j) acc[j] += e.bias[first + j];
  }
  activate_row(e.act, acc, count);
  if (e.scale != nullptr) {
    for (int j = 0; j < count; ++j) acc[j] *= e.scale[first + j];
  }
  if (e.residual.empty()) {
    std::memcpy(y, acc, sizeof(float) * count);
    return;
  }
  const float* const residual = e.residual.row(row) + first;
  if (e.residual_scale == nullptr) {
    for (int j = 0; j < count; ++j) y[j] = residual[j] + acc[j];
  } else {
    for (int j = 0; j < count; ++j) y[j] = residual[j] * e.residual_scale[first + j] + acc[j];
  }
}

void PortableBackend::do_apply(CMapF x, const Epilogue& epilogue, MapF y, Context& ctx) const {
  constexpr int kPart = 256;  // through a copy, because y may be both x and the residual
  parallel_rows(ctx, x.rows(), x.c, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
    alignas(64) float part[kPart];
    for (std::ptrdiff_t r = first; r < last; ++r) {
      for (int c = 0; c < x.c; c += kPart) {
        const int count = std::min(kPart, x.c - c);
        std::memcpy(part, x.row(r) + c, sizeof(float) * count);
        finish_row(part, epilogue, r, c, count, y.row(r) + c);
      }
    }
  });
}

void PortableBackend::do_multiply(CMapF a, CMapF b, const Activation& act, MapF y,
                                  Context& ctx) const {
  parallel_rows(ctx, a.rows(), a.c, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
    for (std::ptrdiff_t r = first; r < last; ++r) {
      const float* const left = a.row(r);
      const float* const right = b.row(r);
      float* const out = y.row(r);
      for (int c = 0; c < a.c; ++c) out[c] = left[c] * activate(act, right[c]);
    }
  });
}

void PortableBackend::do_pool2d(CMapF x, const Pool2dSpec& spec, MapF y, Context& ctx) const {
  ctx.pool().parallel_for(static_cast<std::ptrdiff_t>(y.n) * y.h, [&](std::ptrdiff_t i, int) {
    const int n = static_cast<int>(i / y.h), oy = static_cast<int>(i % y.h);
    for (int ox = 0; ox < y.w; ++ox) {
      pool_pixel(x, spec, n, oy * spec.stride_h - spec.pad_h, ox * spec.stride_w - spec.pad_w,
                 y.pixel(n, oy, ox));
    }
  });
}

void PortableBackend::do_patch_merge(CMapF x, MapF y, Context& ctx) const {
  merge_patches(x, y, ctx);
}

}  // namespace fovea
