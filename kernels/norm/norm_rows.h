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

// Sum over a row of f(x), f applied to whole vectors; in lanes that reduce_add() brings together.
template <class F>
FOVEA_INLINE Vec row_lanes(const float* x, int c, const F& f) {
  Vec acc[kSumUnroll];
  unroll<kSumUnroll>([&](auto u) FOVEA_INLINE_LAMBDA { acc[decltype(u)::value] = splat(0.0f); });
  for_vector_groups<kSumUnroll>(c, [&](int j, auto vectors, auto lanes) FOVEA_INLINE_LAMBDA {
    unroll<decltype(vectors)::value>([&](auto u) FOVEA_INLINE_LAMBDA {
      constexpr int kVec = decltype(u)::value;
      const Vec term = f(load(x + j + kVec * Vec::kLanes, lanes));
      acc[kVec] = add(acc[kVec], keep(lanes, term, splat(0.0f)));
    });
  });
  return add(add(acc[0], acc[1]), add(acc[2], acc[3]));
}

// Of one number: root and division of whole vectors take several times as long.
FOVEA_INLINE float root(float x) { return __builtin_sqrtf(x); }

// y = (x - mean) * scale * weight + bias of a row.
FOVEA_INLINE void write_normalized(const float* x, float* y, Vec mean, Vec scale,
                                   const float* weight, const float* bias, int c) {
  for_vectors(c, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
    Vec v = mul(sub(load(x + j, lanes), mean), scale);
    if (weight != nullptr) v = mul(v, load(weight + j, lanes));
    if (bias != nullptr) v = add(v, load(bias + j, lanes));
    store(y + j, lanes, v);
  });
}

void layer_norm(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy,
                const float* weight, const float* bias, float eps, std::ptrdiff_t m,
                int c) noexcept {
  const float count = static_cast<float>(c);
  const RowsAhead ahead(ldx, c);
  for_row_groups(m, [&](auto rows, std::ptrdiff_t first) FOVEA_INLINE_LAMBDA {
    constexpr int kRows = decltype(rows)::value;
    const auto row = [&](int i) FOVEA_INLINE_LAMBDA { return x + (first + i) * ldx; };
    Vec lanes[kRows], mean[kRows], scale[kRows];
    unroll<kRows>([&](auto i) FOVEA_INLINE_LAMBDA {
      constexpr int kRow = decltype(i)::value;
      ahead.fetch(row(kRow));
      lanes[kRow] = row_lanes(row(kRow), c, [](Vec v) FOVEA_INLINE_LAMBDA { return v; });
    });
    unroll<kRows>([&](auto i) FOVEA_INLINE_LAMBDA {
      constexpr int kRow = decltype(i)::value;
      mean[kRow] = splat(reduce_add(lanes[kRow]) / count);
    });
    unroll<kRows>([&](auto i) FOVEA_INLINE_LAMBDA {
      constexpr int kRow = decltype(i)::value;
      lanes[kRow] = row_lanes(row(kRow), c, [&](Vec v) FOVEA_INLINE_LAMBDA {
        const Vec d = sub(v, mean[kRow]);
        return mul(d, d);
      });
    });
    unroll<kRows>([&](auto i) FOVEA_INLINE_LAMBDA {
      constexpr int kRow = decltype(i)::value;
      scale[kRow] = splat(1.0f / root(reduce_add(lanes[kRow]) / count + eps));
    });
    for (int i = 0; i < kRows; ++i) {
      write_normalized(row(i), y + (first + i) * ldy, mean[i], scale[i], weight, bias, c);
    }
  });
}

// The factors of `kRows` rows row(0), row(1), ..., out of the sums of their squares.
template <int kRows, class Row, class Factor>
FOVEA_INLINE void square_factors(const Row& row, int c, Vec (&factors)[kRows],
                                 const Factor& factor) {
  Vec lanes[kRows];
  unroll<kRows>([&](auto i) FOVEA_INLINE_LAMBDA {
    constexpr int kRow = decltype(i)::value;
    lanes[kRow] = row_lanes(row(kRow), c, [](Vec v) FOVEA_INLINE_LAMBDA { return mul(v, v); });
  });
  unroll<kRows>([&](auto i) FOVEA_INLINE_LAMBDA {
    constexpr int kRow = decltype(i)::value;
    factors[kRow] = splat(factor(reduce_add(lanes[kRow])));
  });
}

void rms_norm(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy, const float* weight,
              const float* bias, float eps, std::ptrdiff_t m, int c) noexcept {
  const float count = static_cast<float>(c);
  const RowsAhead ahead(ldx, c);
  for_row_groups(m, [&](auto rows, std::ptrdiff_t first) FOVEA_INLINE_LAMBDA {
    constexpr int kRows = decltype(rows)::value;
    const auto row = [&](int i) FOVEA_INLINE_LAMBDA { return x + (first + i) * ldx; };
    for (int i = 0; i < kRows; ++i) ahead.fetch(row(i));
    Vec scale[kRows];
    square_factors(row, c, scale, [&](float squares) FOVEA_INLINE_LAMBDA {
      return 1.0f / root(squares / count + eps);
    });
    for (int i = 0; i < kRows; ++i) {
      write_normalized(row(i), y + (first + i) * ldy, splat(0.0f), scale[i], weight, bias, c);
    }
  });
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

void l2_normalize(const float* const* x, float* y, std::ptrdiff_t ldy, float eps, std::ptrdiff_t m,
                  int c) noexcept {
  for_row_groups(m, [&](auto rows, std::ptrdiff_t first) FOVEA_INLINE_LAMBDA {
    constexpr int kRows = decltype(rows)::value;
    const auto row = [&](int i) FOVEA_INLINE_LAMBDA { return x[first + i]; };
    Vec inverse[kRows];
    square_factors(row, c, inverse, [&](float squares) FOVEA_INLINE_LAMBDA {
      const float norm = root(squares);
      return 1.0f / (eps > norm ? eps : norm);
    });
    for (int i = 0; i < kRows; ++i) {
      for_vectors(c, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
        store(y + (first + i) * ldy + j, lanes, mul(load(row(i) + j, lanes), inverse[i]));
      });
    }
  });
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
