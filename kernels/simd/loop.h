// SPDX-License-Identifier: Apache-2.0
// Loops over a row of n floats: whole vectors, then one masked tail.  The tail's width is a type,
// so that one lambda serves both.
#pragma once

#include <cstddef>

#include "kernels/simd/simd.h"

namespace fovea::FOVEA_ISA {

struct AllLanes {};
struct FirstLanes {
  int n;  // 1 .. kLanes - 1
};

FOVEA_INLINE int count_of(AllLanes) { return Vec::kLanes; }
FOVEA_INLINE int count_of(FirstLanes lanes) { return lanes.n; }
FOVEA_INLINE Vec load(const float* p, AllLanes) { return load(p); }
FOVEA_INLINE Vec load(const float* p, FirstLanes lanes) { return load_n(p, lanes.n); }
FOVEA_INLINE Vec load_or(const float* p, AllLanes, Vec) { return load(p); }
FOVEA_INLINE Vec load_or(const float* p, FirstLanes lanes, Vec other) {
  return load_n(p, lanes.n, other);
}
FOVEA_INLINE void store(float* p, AllLanes, Vec x) { store(p, x); }
FOVEA_INLINE void store(float* p, FirstLanes lanes, Vec x) { store_n(p, lanes.n, x); }
// Lanes beyond the tail become `other`.
FOVEA_INLINE Vec keep(AllLanes, Vec x, Vec) { return x; }
FOVEA_INLINE Vec keep(FirstLanes lanes, Vec x, Vec other) {
  return select(less(iota(), splat(static_cast<float>(lanes.n))), x, other);
}

// f(j, lanes) for j = 0, kLanes, 2 kLanes, ... < n.
template <class F>
FOVEA_INLINE void for_vectors(int n, const F& f) {
  int j = 0;
  for (; j + Vec::kLanes <= n; j += Vec::kLanes) f(j, AllLanes());
  if (j < n) f(j, FirstLanes{n - j});
}

// f(j, vectors, lanes): kUnroll vectors at a time (vectors = Index<kUnroll>), then single ones.
template <int kUnroll, class F>
FOVEA_INLINE void for_vector_groups(int n, const F& f) {
  int j = 0;
  for (; j + kUnroll * Vec::kLanes <= n; j += kUnroll * Vec::kLanes) {
    f(j, Index<kUnroll>(), AllLanes());
  }
  for (; j + Vec::kLanes <= n; j += Vec::kLanes) f(j, Index<1>(), AllLanes());
  if (j < n) f(j, Index<1>(), FirstLanes{n - j});
}

inline constexpr int kRowsAbreast = 4;

// f(Index<rows>, first) for all m rows, kRowsAbreast at a time where there are as many: rows whose
// work is a chain of steps, such as sums and roots, wait for them together.
template <class F>
FOVEA_INLINE void for_row_groups(std::ptrdiff_t m, const F& f) {
  std::ptrdiff_t i = 0;
  for (; i + kRowsAbreast <= m; i += kRowsAbreast) f(Index<kRowsAbreast>(), i);
  for (; i < m; ++i) f(Index<1>(), i);
}

FOVEA_INLINE constexpr int smaller(int a, int b) { return a < b ? a : b; }
FOVEA_INLINE constexpr int greater(int a, int b) { return a > b ? a : b; }

// Asks for `count` floats that are read or written some time later. For rows that are slices of
// longer ones, or columns of a map: too far apart for the hardware to foresee them. Into L2, since
// requests for L1 would hold its few places for misses until memory answers.
FOVEA_INLINE void fetch(const float* from, int count) {
  constexpr int kCacheLine = 16;
  for (int i = 0; i < count; i += kCacheLine) __builtin_prefetch(from + i, 0, 2);
}

// What a kernel that passes over rows of n floats, ld apart, asks for while it is at one of them:
// the row some hundred nanoseconds later, unless the rows follow each other without a gap.
class RowsAhead {
 public:
  FOVEA_INLINE RowsAhead(std::ptrdiff_t ld, int n)
      : n_(ld == n ? 0 : n), step_((1 + 1024 / n) * ld) {}
  FOVEA_INLINE void fetch(const float* row) const { FOVEA_ISA::fetch(row + step_, n_); }

 private:
  int n_;
  std::ptrdiff_t step_;
};

}  // namespace fovea::FOVEA_ISA
