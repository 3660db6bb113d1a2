// SPDX-License-Identifier: Apache-2.0
// Sixteen lanes: AVX-512 F, BW, DQ, VL.  See simd.h for the meaning of each word.
#pragma once

#include <immintrin.h>

#include "kernels/simd/unroll.h"

namespace fovea::FOVEA_ISA {

struct f32x16 {
  static constexpr int kLanes = 16;
  __m512 v;
};
using Vec = f32x16;

struct Mask {
  __mmask16 v;
};

struct Wide {
  __m512d lo, hi;
};

FOVEA_INLINE __mmask16 first_lanes(int n) { return static_cast<__mmask16>((1u << n) - 1u); }

FOVEA_INLINE Vec splat(float x) { return {_mm512_set1_ps(x)}; }
FOVEA_INLINE Vec iota() {
  return {_mm512_setr_ps(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15)};
}
FOVEA_INLINE Vec load(const float* p) { return {_mm512_loadu_ps(p)}; }
FOVEA_INLINE Vec load_n(const float* p, int n, Vec other) {
  return {_mm512_mask_loadu_ps(other.v, first_lanes(n), p)};
}
FOVEA_INLINE Vec load_n(const float* p, int n) {
  return {_mm512_maskz_loadu_ps(first_lanes(n), p)};
}
FOVEA_INLINE void store(float* p, Vec x) { _mm512_storeu_ps(p, x.v); }
FOVEA_INLINE void store_n(float* p, int n, Vec x) { _mm512_mask_storeu_ps(p, first_lanes(n), x.v); }

FOVEA_INLINE Vec add(Vec a, Vec b) { return {_mm512_add_ps(a.v, b.v)}; }
FOVEA_INLINE Vec sub(Vec a, Vec b) { return {_mm512_sub_ps(a.v, b.v)}; }
FOVEA_INLINE Vec mul(Vec a, Vec b) { return {_mm512_mul_ps(a.v, b.v)}; }
FOVEA_INLINE Vec div(Vec a, Vec b) { return {_mm512_div_ps(a.v, b.v)}; }
FOVEA_INLINE Vec sqrt(Vec a) { return {_mm512_sqrt_ps(a.v)}; }
FOVEA_INLINE Vec fma(Vec a, Vec b, Vec c) { return {_mm512_fmadd_ps(a.v, b.v, c.v)}; }
FOVEA_INLINE Vec nfma(Vec a, Vec b, Vec c) { return {_mm512_fnmadd_ps(a.v, b.v, c.v)}; }
FOVEA_INLINE Vec min(Vec a, Vec b) { return {_mm512_min_ps(a.v, b.v)}; }
FOVEA_INLINE Vec max(Vec a, Vec b) { return {_mm512_max_ps(a.v, b.v)}; }
FOVEA_INLINE Vec abs(Vec a) { return {_mm512_andnot_ps(_mm512_set1_ps(-0.0f), a.v)}; }
FOVEA_INLINE Vec round(Vec a) {
  return {_mm512_roundscale_ps(a.v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC)};
}
FOVEA_INLINE Mask less(Vec a, Vec b) { return {_mm512_cmp_ps_mask(a.v, b.v, _CMP_LT_OQ)}; }
FOVEA_INLINE Vec select(Mask m, Vec a, Vec b) { return {_mm512_mask_blend_ps(m.v, b.v, a.v)}; }
FOVEA_INLINE Vec scale_pow2(Vec x, Vec n) { return {_mm512_scalef_ps(x.v, n.v)}; }

FOVEA_INLINE Vec shift_exponent(Vec x, Vec n, Vec) { return scale_pow2(x, n); }

FOVEA_INLINE Vec lookup(Vec table, Vec index) {
  return {_mm512_permutexvar_ps(_mm512_castps_si512(index.v), table.v)};
}

FOVEA_INLINE Vec swap_pairs(Vec a) { return {_mm512_permute_ps(a.v, 0xB1)}; }
FOVEA_INLINE Vec fma_alternating(Vec a, Vec b, Vec c) {
  return {_mm512_fmaddsub_ps(a.v, b.v, c.v)};
}

FOVEA_INLINE float reduce_add(Vec a) {
  __m256 s = _mm256_add_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  __m128 t = _mm_add_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
  t = _mm_add_ps(t, _mm_movehl_ps(t, t));
  return _mm_cvtss_f32(_mm_add_ss(t, _mm_movehdup_ps(t)));
}
FOVEA_INLINE float reduce_max(Vec a) {
  __m256 s = _mm256_max_ps(_mm512_castps512_ps256(a.v), _mm512_extractf32x8_ps(a.v, 1));
  __m128 t = _mm_max_ps(_mm256_castps256_ps128(s), _mm256_extractf128_ps(s, 1));
  t = _mm_max_ps(t, _mm_movehl_ps(t, t));
  return _mm_cvtss_f32(_mm_max_ss(t, _mm_movehdup_ps(t)));
}

FOVEA_INLINE Wide wide_zero() { return {_mm512_setzero_pd(), _mm512_setzero_pd()}; }
FOVEA_INLINE Wide widen(Vec a) {
  return {_mm512_cvtps_pd(_mm512_castps512_ps256(a.v)),
          _mm512_cvtps_pd(_mm512_extractf32x8_ps(a.v, 1))};
}
FOVEA_INLINE Wide add(Wide a, Wide b) {
  return {_mm512_add_pd(a.lo, b.lo), _mm512_add_pd(a.hi, b.hi)};
}
FOVEA_INLINE Wide fma(Wide a, Wide b, Wide c) {
  return {_mm512_fmadd_pd(a.lo, b.lo, c.lo), _mm512_fmadd_pd(a.hi, b.hi, c.hi)};
}
FOVEA_INLINE double reduce_add(Wide a) {
  const __m512d s = _mm512_add_pd(a.lo, a.hi);
  const __m256d t = _mm256_add_pd(_mm512_castpd512_pd256(s), _mm512_extractf64x4_pd(s, 1));
  const __m128d u = _mm_add_pd(_mm256_castpd256_pd128(t), _mm256_extractf128_pd(t, 1));
  return _mm_cvtsd_f64(_mm_add_sd(u, _mm_unpackhi_pd(u, u)));
}
FOVEA_INLINE void store(double* p, Wide a) {
  _mm512_storeu_pd(p, a.lo);
  _mm512_storeu_pd(p + 8, a.hi);
}

// See transpose.h: lanes with bit kBlock clear stay in a, those with it set stay in b, the others
// swap.
template <int kBlock>
FOVEA_INLINE void exchange_blocks(Vec& a, Vec& b) {
  const __m512 x = a.v;
  const __m512 y = b.v;
  if constexpr (kBlock == 1) {
    a.v = _mm512_mask_moveldup_ps(x, 0xaaaa, y);
    b.v = _mm512_mask_movehdup_ps(y, 0x5555, x);
  } else if constexpr (kBlock == 2) {
    a.v = _mm512_shuffle_ps(x, y, _MM_SHUFFLE(1, 0, 1, 0));
    b.v = _mm512_shuffle_ps(x, y, _MM_SHUFFLE(3, 2, 3, 2));
  } else if constexpr (kBlock == 4) {
    a.v = _mm512_mask_shuffle_f32x4(x, 0xf0f0, y, y, _MM_SHUFFLE(2, 2, 0, 0));
    b.v = _mm512_mask_shuffle_f32x4(y, 0x0f0f, x, x, _MM_SHUFFLE(3, 3, 1, 1));
  } else {
    a.v = _mm512_shuffle_f32x4(x, y, _MM_SHUFFLE(1, 0, 1, 0));
    b.v = _mm512_shuffle_f32x4(x, y, _MM_SHUFFLE(3, 2, 3, 2));
  }
}

}  // namespace fovea::FOVEA_ISA
