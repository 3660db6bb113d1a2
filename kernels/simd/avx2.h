// SPDX-License-Identifier: Apache-2.0
// Eight lanes: AVX2 and FMA.  See simd.h for the meaning of each word.
#pragma once

#include <immintrin.h>

#include "kernels/simd/unroll.h"

namespace fovea::FOVEA_ISA {

struct f32x8 {
  static constexpr int kLanes = 8;
  __m256 v;
};
using Vec = f32x8;

struct Mask {
  __m256 v;  // all bits of a lane alike
};

struct Wide {
  __m256d lo, hi;
};

FOVEA_INLINE __m256i first_lanes(int n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(n), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}

FOVEA_INLINE Vec splat(float x) { return {_mm256_set1_ps(x)}; }
FOVEA_INLINE Vec iota() { return {_mm256_setr_ps(0, 1, 2, 3, 4, 5, 6, 7)}; }
FOVEA_INLINE Vec load(const float* p) { return {_mm256_loadu_ps(p)}; }
FOVEA_INLINE Vec load_n(const float* p, int n) { return {_mm256_maskload_ps(p, first_lanes(n))}; }
FOVEA_INLINE Vec load_n(const float* p, int n, Vec other) {
  const __m256i m = first_lanes(n);
  return {_mm256_blendv_ps(other.v, _mm256_maskload_ps(p, m), _mm256_castsi256_ps(m))};
}
FOVEA_INLINE void store(float* p, Vec x) { _mm256_storeu_ps(p, x.v); }
FOVEA_INLINE void store_n(float* p, int n, Vec x) { _mm256_maskstore_ps(p, first_lanes(n), x.v); }

FOVEA_INLINE Vec add(Vec a, Vec b) { return {_mm256_add_ps(a.v, b.v)}; }
FOVEA_INLINE Vec sub(Vec a, Vec b) { return {_mm256_sub_ps(a.v, b.v)}; }
FOVEA_INLINE Vec mul(Vec a, Vec b) { return {_mm256_mul_ps(a.v, b.v)}; }
FOVEA_INLINE Vec div(Vec a, Vec b) { return {_mm256_div_ps(a.v, b.v)}; }
FOVEA_INLINE Vec sqrt(Vec a) { return {_mm256_sqrt_ps(a.v)}; }
FOVEA_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm256_fmadd_ps(a.v, b.v, c.v)}; }
FOVEA_INLINE Vec nfma(Vec a, Vec b, Vec c) { return {_mm256_fnmadd_ps(a.v, b.v, c.v)}; }
FOVEA_INLINE Vec min(Vec a, Vec b) { return {_mm256_min_ps(a.v, b.v)}; }
FOVEA_INLINE Vec max(Vec a, Vec b) { return {_mm256_max_ps(a.v, b.v)}; }
FOVEA_INLINE Vec abs(Vec a) { return {_mm256_andnot_ps(_mm256_set1_ps(-0.0f), a.v)}; }
FOVEA_INLINE Vec round(Vec a) {
  return {_mm256_round_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
FOVEA_INLINE Mask less(Vec a, Vec b) { return {_mm256_cmp_ps(a.v, b.v, _CMP_LT_OQ)}; }
FOVEA_INLINE Vec select(Mask m, Vec a, Vec b) { return {_mm256_blendv_ps(b.v, a.v, m.v)}; }
FOVEA_INLINE Vec scale_pow2(Vec x, Vec n) {
  // In two steps, since the exponent field alone holds neither 2^128 nor 2^-127.
  const __m256i whole = _mm256_cvtps_epi32(n.v);
  const __m256i half = _mm256_srai_epi32(whole, 1);
  const __m256i rest = _mm256_sub_epi32(whole, half);
  const __m256i one = _mm256_set1_epi32(127);
  const __m256i a = _mm256_slli_epi32(_mm256_add_epi32(half, one), 23);
  const __m256i b = _mm256_slli_epi32(_mm256_add_epi32(rest, one), 23);
  return {_mm256_mul_ps(_mm256_mul_ps(x.v, _mm256_castsi256_ps(a)), _mm256_castsi256_ps(b))};
}

FOVEA_INLINE Vec shift_exponent(Vec x, Vec, Vec shifted) {
  const __m256i n = _mm256_slli_epi32(_mm256_castps_si256(shifted.v), 23);
  return {_mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x.v), n))};
}

FOVEA_INLINE Vec swap_pairs(Vec a) { return {_mm256_permute_ps(a.v, 0xB1)}; }
FOVEA_INLINE Vec fma_alternating(Vec a, Vec b, Vec c) {
  return {_mm256_fmaddsub_ps(a.v, b.v, c.v)};
}

FOVEA_INLINE float reduce_add(Vec a) {
  __m128 t = _mm_add_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  t = _mm_add_ps(t, _mm_movehl_ps(t, t));
  return _mm_cvtss_f32(_mm_add_ss(t, _mm_movehdup_ps(t)));
}
FOVEA_INLINE float reduce_max(Vec a) {
  __m128 t = _mm_max_ps(_mm256_castps256_ps128(a.v), _mm256_extractf128_ps(a.v, 1));
  t = _mm_max_ps(t, _mm_movehl_ps(t, t));
  return _mm_cvtss_f32(_mm_max_ss(t, _mm_movehdup_ps(t)));
}

FOVEA_INLINE Wide wide_zero() { return {_mm256_setzero_pd(), _mm256_setzero_pd()}; }
FOVEA_INLINE Wide widen(Vec a) {
  return {_mm256_cvtps_pd(_mm256_castps256_ps128(a.v)),
          _mm256_cvtps_pd(_mm256_extractf128_ps(a.v, 1))};
}
FOVEA_INLINE Wide add(Wide a, Wide b) {
  return {_mm256_add_pd(a.lo, b.lo), _mm256_add_pd(a.hi, b.hi)};
}
FOVEA_INLINE Wide fma(Wide a, Wide b, Wide c) {
  return {_mm256_fmadd_pd(a.lo, b.lo, c.lo), _mm256_fmadd_pd(a.hi, b.hi, c.hi)};
}
FOVEA_INLINE double reduce_add(Wide a) {
  const __m256d s = _mm256_add_pd(a.lo, a.hi);
  const __m128d t = _mm_add_pd(_mm256_castpd256_pd128(s), _mm256_extractf128_pd(s, 1));
  return _mm_cvtsd_f64(_mm_add_sd(t, _mm_unpackhi_pd(t, t)));
}
FOVEA_INLINE void store(double* p, Wide a) {
  _mm256_storeu_pd(p, a.lo);
  _mm256_storeu_pd(p + 4, a.hi);
}

// See transpose.h: lanes with bit kBlock clear stay in a, those with it set stay in b, the others
// swap.
template <int kBlock>
FOVEA_INLINE void exchange_blocks(Vec& a, Vec& b) {
  const __m256 x = a.v;
  const __m256 y = b.v;
  if constexpr (kBlock == 1) {
    a.v = _mm256_blend_ps(x, _mm256_moveldup_ps(y), 0xaa);
    b.v = _mm256_blend_ps(_mm256_movehdup_ps(x), y, 0xaa);
  } else if constexpr (kBlock == 2) {
    a.v = _mm256_shuffle_ps(x, y, _MM_SHUFFLE(1, 0, 1, 0));
    b.v = _mm256_shuffle_ps(x, y, _MM_SHUFFLE(3, 2, 3, 2));
  } else {
    a.v = _mm256_permute2f128_ps(x, y, 0x20);
    b.v = _mm256_permute2f128_ps(x, y, 0x31);
  }
}

}  // namespace fovea::FOVEA_ISA
