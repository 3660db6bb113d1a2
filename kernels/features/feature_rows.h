// SPDX-License-Identifier: Apache-2.0
// One pass over rows that lie in L1 or L2.
#pragma once

#include "kernels/features/features.h"
#include "kernels/simd/loop.h"
#include "kernels/simd/math.h"

namespace fovea::FOVEA_ISA {

using kernels::Feature;

template <class F>
FOVEA_INLINE void map_row(const float* x, const float* bias, float* y, int n, const F& f) {
  for_vectors(n, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
    Vec v = load(x + j, lanes);
    if (bias != nullptr) v = add(v, load(bias + j, lanes));
    store(y + j, lanes, f(j, lanes, v));
  });
}

// relu(x)^3 |relu(x)| / |relu(x)^3|.
FOVEA_INLINE void focus_row(const float* x, const float* bias, float* y, int n) {
  const Vec zero = splat(0.0f);
  Vec before = zero, after = zero;
  map_row(x, bias, y, n, [&](int, auto lanes, Vec v) FOVEA_INLINE_LAMBDA {
    const Vec positive = keep(lanes, max(zero, v), zero);
    const Vec square = mul(positive, positive);
    const Vec cube = mul(square, positive);
    before = add(before, square);
    after = fma(cube, cube, after);
    return cube;
  });
  const float cubes = reduce_add(after);
  const Vec length = cubes > 0.0f ? sqrt(splat(reduce_add(before) / cubes)) : zero;
  map_row(y, nullptr, y, n, [&](int, auto, Vec v) FOVEA_INLINE_LAMBDA { return mul(v, length); });
}

void map_features(Feature feature, const float* x, std::ptrdiff_t ldx, const float* bias,
                  std::ptrdiff_t ldb, float* y, std::ptrdiff_t ldy, std::ptrdiff_t m,
                  int n) noexcept {
  const Vec zero = splat(0.0f);
  const RowsAhead ahead(ldx, n);
  for (std::ptrdiff_t i = 0; i < m; ++i, x += ldx, y += ldy) {
    ahead.fetch(x);
    switch (feature) {
      case Feature::none:
        map_row(x, bias, y, n, [&](int, auto, Vec v) FOVEA_INLINE_LAMBDA { return v; });
        break;
      case Feature::relu:
        map_row(x, bias, y, n, [&](int, auto, Vec v) FOVEA_INLINE_LAMBDA { return max(zero, v); });
        break;
      case Feature::elu_plus_one:
        map_row(x, bias, y, n, [&](int, auto, Vec v) FOVEA_INLINE_LAMBDA {
          const Vec below = exp_normal(min(zero, v));
          return select(less(zero, v), add(v, splat(1.0f)), below);
        });
        break;
      case Feature::exp:
        map_row(x, bias, y, n, [&](int, auto, Vec v) FOVEA_INLINE_LAMBDA { return exp(v); });
        break;
      case Feature::focused:
        focus_row(x, bias, y, n);
        break;
    }
    if (bias != nullptr) bias += ldb;
  }
}

void rotate_pairs(const float* x, std::ptrdiff_t ldx, const float* cos, const float* sin,
                  std::ptrdiff_t ldt, bool interleaved, float* y, std::ptrdiff_t ldy,
                  std::ptrdiff_t m, int n) noexcept {
  const int half = n / 2;
  for (std::ptrdiff_t i = 0; i < m; ++i, x += ldx, y += ldy, cos += ldt, sin += ldt) {
    if (interleaved) {
      for_vectors(n, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
        const Vec a = load(x + j, lanes);
        const Vec turned = mul(swap_pairs(a), load(sin + j, lanes));
        store(y + j, lanes, fma_alternating(a, load(cos + j, lanes), turned));
      });
    } else {
      for_vectors(half, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
        const Vec a = load(x + j, lanes), b = load(x + half + j, lanes);
        store(y + j, lanes, nfma(b, load(sin + j, lanes), mul(a, load(cos + j, lanes))));
        store(y + half + j, lanes,
              fma(a, load(sin + half + j, lanes), mul(b, load(cos + half + j, lanes))));
      });
    }
  }
}

void row_dots(const float* x, std::ptrdiff_t ldx, const float* v, std::ptrdiff_t ldv, float* y,
              std::ptrdiff_t m, int n) noexcept {
  for (std::ptrdiff_t i = 0; i < m; ++i, x += ldx, v += ldv) {
    Vec sum = splat(0.0f);
    for_vectors(n, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
      sum = fma(load(x + j, lanes), load(v + j, lanes), sum);
    });
    y[i] = reduce_add(sum);
  }
}

void scale_rows(const float* x, std::ptrdiff_t ldx, const float* s, std::ptrdiff_t s_step, float* y,
                std::ptrdiff_t ldy, std::ptrdiff_t m, int n) noexcept {
  const RowsAhead ahead(ldx, n);
  for (std::ptrdiff_t i = 0; i < m; ++i, x += ldx, y += ldy, s += s_step) {
    ahead.fetch(x);
    const Vec factor = splat(*s);
    for_vectors(n, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
      store(y + j, lanes, mul(factor, load(x + j, lanes)));
    });
  }
}

}  // namespace fovea::FOVEA_ISA
