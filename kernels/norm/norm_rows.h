// SPDX-License-Identifier: Apache-2.0
// layer_norm makes three passes over a row, which stays in L1 (c <= 4096 are 16 KiB): sum, sum of
// squared deviations, output.  Two-pass variance because x^2 - mean^2 cancels where the mean is
// large. The sums have four accumulators of kLanes lanes each: a chain of c / (4 kLanes) additions
// rounds little.  What is summed over many rows is summed in double.
#pragma once

#include "kernels/norm/norm.h"
#include "kernels/simd/loop.h"

namespace fovea::FOVEA_ISA {

inline constexpr int kSumUnroll = 4;

// Sum over a row of f(x), f applied to whole vectors.
template <class F>
FOVEA_INLINE float row_sum(const float* x, int c, const F& f) {
  Vec acc[kSumUnroll];
  unroll<kSumUnroll>([&](auto u) FOVEA_INLINE_LAMBDA { acc[decltype(u)::value] = splat(0.0f); });
  for_vector_groups<kSumUnroll>(c, [&](int j, auto vectors, auto lanes) FOVEA_INLINE_LAMBDA {
    unroll<decltype(vectors)::value>([&](auto u) FOVEA_INLINE_LAMBDA {
      constexpr int kVec = decltype(u)::value;
      const Vec term = f(load(x + j + kVec * Vec::kLanes, lanes));
      acc[kVec] = add(acc[kVec], keep(lanes, term, splat(0.0f)));
    });
  });
  return reduce_add(add(add(acc[0], acc[1]), add(acc[2], acc[3])));
}

void layer_norm(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy,
                const float* weight, const float* bias, float eps, std::ptrdiff_t m,
                int c) noexcept {
  const float count = static_cast<float>(c);
  const RowsAhead ahead(ldx, c);
  for (std::ptrdiff_t i = 0; i < m; ++i, x += ldx, y += ldy) {
    ahead.fetch(x);
    const Vec mean = splat(row_sum(x, c, [](Vec v) FOVEA_INLINE_LAMBDA { return v; }) / count);
    const float var = row_sum(x, c,
                              [&](Vec v) FOVEA_INLINE_LAMBDA {
                                const Vec d = sub(v, mean);
                                return mul(d, d);
                              }) /
                      count;
    const Vec rstd = div(splat(1.0f), sqrt(splat(var + eps)));
    for_vectors(c, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
      Vec v = mul(sub(load(x + j, lanes), mean), rstd);
      if (weight != nullptr) v = mul(v, load(weight + j, lanes));
      if (bias != nullptr) v = add(v, load(bias + j, lanes));
      store(y + j, lanes, v);
    });
  }
}

void rms_norm(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy, const float* weight,
              const float* bias, float eps, std::ptrdiff_t m, int c) noexcept {
  const float count = static_cast<float>(c);
  const RowsAhead ahead(ldx, c);
  for (std::ptrdiff_t i = 0; i < m; ++i, x += ldx, y += ldy) {
    ahead.fetch(x);
    const float squares =
        row_sum(x, c, [](Vec v) FOVEA_INLINE_LAMBDA { return mul(v, v); }) / count;
    const Vec scale = div(splat(1.0f), sqrt(splat(squares + eps)));
    for_vectors(c, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
      Vec v = mul(load(x + j, lanes), scale);
      if (weight != nullptr) v = mul(v, load(weight + j, lanes));
      if (bias != nullptr) v = add(v, load(bias + j, lanes));
      store(y + j, lanes, v);
    });
  }
}

void moments(const float* x, std::ptrdiff_t ldx, std::ptrdiff_t m, int c, double* sums) noexcept {
  Wide sum = wide_zero();
  Wide squares = wide_zero();
  for (std::ptrdiff_t i = 0; i < m; ++i, x += ldx) {
    for_vectors(c, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
      const Wide v = widen(load(x + j, lanes));
      sum = add(sum, v);
      squares = fma(v, v, squares);
    });
  }
  sums[0] = reduce_add(sum);
  sums[1] = reduce_add(squares);
}

void scale_shift(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy,
                 const float* scale, const float* shift, std::ptrdiff_t m, int c) noexcept {
  for (std::ptrdiff_t i = 0; i < m; ++i) {
    for_vectors(c, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
      store(y + i * ldy + j, lanes,
            fma(load(x + i * ldx + j, lanes), load(scale + j, lanes), load(shift + j, lanes)));
    });
  }
}

void l2_normalize(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy, float eps,
                  std::ptrdiff_t m, int c) noexcept {
  for (std::ptrdiff_t i = 0; i < m; ++i, x += ldx, y += ldy) {
    const Vec norm =
        sqrt(splat(row_sum(x, c, [](Vec v) FOVEA_INLINE_LAMBDA { return mul(v, v); })));
    const Vec inverse = div(splat(1.0f), max(splat(eps), norm));
    for_vectors(c, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
      store(y + j, lanes, mul(load(x + j, lanes), inverse));
    });
  }
}

// put(j, lanes, sum over the rows of f(Wide)) for every vector of columns.
template <class F, class Put>
FOVEA_INLINE void column_sums(const float* x, std::ptrdiff_t ldx, std::ptrdiff_t m, int c,
                              const F& f, const Put& put) {
  for_vector_groups<2>(c, [&](int j, auto vectors, auto lanes) FOVEA_INLINE_LAMBDA {
    constexpr int kVecs = decltype(vectors)::value;
    Wide acc[kVecs];
    unroll<kVecs>([&](auto u) FOVEA_INLINE_LAMBDA { acc[decltype(u)::value] = wide_zero(); });
    for (std::ptrdiff_t i = 0; i < m; ++i) {
      unroll<kVecs>([&](auto u) FOVEA_INLINE_LAMBDA {
        constexpr int kVec = decltype(u)::value;
        acc[kVec] = f(widen(load(x + i * ldx + j + kVec * Vec::kLanes, lanes)), acc[kVec]);
      });
    }
    unroll<kVecs>([&](auto u) FOVEA_INLINE_LAMBDA {
      constexpr int kVec = decltype(u)::value;
      alignas(64) double sums[Vec::kLanes];
      store(sums, acc[kVec]);
      for (int l = 0; l < count_of(lanes); ++l) put(j + kVec * Vec::kLanes + l, sums[l]);
    });
  });
}

void column_sum_squares(const float* x, std::ptrdiff_t ldx, std::ptrdiff_t m, int c,
                        double* sums) noexcept {
  column_sums(
      x, ldx, m, c, [](Wide v, Wide acc) FOVEA_INLINE_LAMBDA { return fma(v, v, acc); },
      [&](int j, double sum) FOVEA_INLINE_LAMBDA { sums[j] = sum; });
}

void column_mean(const float* x, std::ptrdiff_t ldx, std::ptrdiff_t m, int c, float* y) noexcept {
  const double count = static_cast<double>(m);
  column_sums(
      x, ldx, m, c, [](Wide v, Wide acc) FOVEA_INLINE_LAMBDA { return add(v, acc); },
      [&](int j, double sum) FOVEA_INLINE_LAMBDA { y[j] = static_cast<float>(sum / count); });
}

}  // namespace fovea::FOVEA_ISA
