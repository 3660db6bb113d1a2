// SPDX-License-Identifier: Apache-2.0
// Four lanes by the vector extension of GCC and clang: any processor.  See simd.h for the meaning
// of each word.  There is no fused multiply-add here: fma rounds twice.
#pragma once

#include "kernels/simd/unroll.h"

namespace fovea::FOVEA_ISA {

typedef float Float4 __attribute__((vector_size(16)));
typedef int Int4 __attribute__((vector_size(16)));

struct f32x4 {
  static constexpr int kLanes = 4;
  Float4 v;
};
using Vec = f32x4;

struct Mask {
  Int4 v;  // 0 or -1
};

struct Wide {
  double v[4];
};

FOVEA_INLINE Float4 as_float(Int4 a) { return reinterpret_cast<Float4>(a); }
FOVEA_INLINE Int4 as_int(Float4 a) { return reinterpret_cast<Int4>(a); }
FOVEA_INLINE Float4 blend(Int4 m, Float4 a, Float4 b) {
  return as_float((m & as_int(a)) | (~m & as_int(b)));
}

FOVEA_INLINE Vec splat(float x) { return {Float4{x, x, x, x}}; }
FOVEA_INLINE Vec iota() { return {Float4{0, 1, 2, 3}}; }
FOVEA_INLINE Vec load(const float* p) {
  Vec r;
  __builtin_memcpy(&r.v, p, sizeof r.v);
  return r;
}
FOVEA_INLINE Vec load_n(const float* p, int n, Vec other) {
  for (int i = 0; i < n; ++i) other.v[i] = p[i];
  return other;
}
FOVEA_INLINE Vec load_n(const float* p, int n) { return load_n(p, n, splat(0)); }
FOVEA_INLINE void store(float* p, Vec x) { __builtin_memcpy(p, &x.v, sizeof x.v); }
FOVEA_INLINE void store_n(float* p, int n, Vec x) {
  for (int i = 0; i < n; ++i) p[i] = x.v[i];
}

FOVEA_INLINE Vec add(Vec a, Vec b) { return {a.v + b.v}; }
FOVEA_INLINE Vec sub(Vec a, Vec b) { return {a.v - b.v}; }
FOVEA_INLINE Vec mul(Vec a, Vec b) { return {a.v * b.v}; }
FOVEA_INLINE Vec div(Vec a, Vec b) { return {a.v / b.v}; }
FOVEA_INLINE Vec sqrt(Vec a) {
  for (int i = 0; i < Vec::kLanes; ++i) a.v[i] = __builtin_sqrtf(a.v[i]);
  return a;
}
FOVEA_INLINE Vec fma(Vec a, Vec b, Vec c) { return {a.v * b.v + c.v}; }
FOVEA_INLINE Vec nfma(Vec a, Vec b, Vec c) { return {c.v - a.v * b.v}; }
FOVEA_INLINE Vec min(Vec a, Vec b) { return {blend(a.v < b.v, a.v, b.v)}; }
FOVEA_INLINE Vec max(Vec a, Vec b) { return {blend(a.v > b.v, a.v, b.v)}; }
FOVEA_INLINE Vec abs(Vec a) { return {as_float(as_int(a.v) & 0x7fffffff)}; }
FOVEA_INLINE Vec round(Vec a) {
  // Adding 1.5 * 2^23 leaves no bits behind the point.
  const Float4 magic = splat(12582912.0f).v;
  return {(a.v + magic) - magic};
}
FOVEA_INLINE Mask less(Vec a, Vec b) { return {a.v < b.v}; }
FOVEA_INLINE Vec select(Mask m, Vec a, Vec b) { return {blend(m.v, a.v, b.v)}; }
FOVEA_INLINE Vec scale_pow2(Vec x, Vec n) {
  // In two steps, since the exponent field alone holds neither 2^128 nor 2^-127.  The sum with
  // 1.5 * 2^23 carries n in its low bits, which serves a NaN as well as a number.
  const Int4 whole = as_int(n.v + splat(12582912.0f).v) - 0x4b400000;
  const Int4 half = whole >> 1;
  const Int4 rest = whole - half;
  return {x.v * as_float((half + 127) << 23) * as_float((rest + 127) << 23)};
}

FOVEA_INLINE Vec shift_exponent(Vec x, Vec, Vec shifted) {
  using Bits = unsigned __attribute__((vector_size(16)));  // lanes beyond a row may overflow
  const Bits sum =
      reinterpret_cast<Bits>(as_int(x.v)) + (reinterpret_cast<Bits>(as_int(shifted.v)) << 23);
  return {as_float(reinterpret_cast<Int4>(sum))};
}

FOVEA_INLINE Vec swap_pairs(Vec a) { return {__builtin_shufflevector(a.v, a.v, 1, 0, 3, 2)}; }
FOVEA_INLINE Vec fma_alternating(Vec a, Vec b, Vec c) {
  return {a.v * b.v + c.v * Float4{-1, 1, -1, 1}};
}

FOVEA_INLINE float reduce_add(Vec a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }
FOVEA_INLINE float larger(float a, float b) { return a > b ? a : b; }
FOVEA_INLINE float reduce_max(Vec a) {
  return larger(larger(a.v[0], a.v[2]), larger(a.v[1], a.v[3]));
}

FOVEA_INLINE Wide wide_zero() { return {{0, 0, 0, 0}}; }
FOVEA_INLINE Wide widen(Vec a) { return {{a.v[0], a.v[1], a.v[2], a.v[3]}}; }
FOVEA_INLINE Wide add(Wide a, Wide b) {
  for (int i = 0; i < Vec::kLanes; ++i) a.v[i] += b.v[i];
  return a;
}
FOVEA_INLINE Wide fma(Wide a, Wide b, Wide c) {
  for (int i = 0; i < Vec::kLanes; ++i) c.v[i] += a.v[i] * b.v[i];
  return c;
}
FOVEA_INLINE double reduce_add(Wide a) { return (a.v[0] + a.v[2]) + (a.v[1] + a.v[3]); }
FOVEA_INLINE void store(double* p, Wide a) {
  for (int i = 0; i < Vec::kLanes; ++i) p[i] = a.v[i];
}

// See transpose.h: lanes with bit kBlock clear stay in a, those with it set stay in b, the others
// swap.
template <int kBlock>
FOVEA_INLINE void exchange_blocks(Vec& a, Vec& b) {
  const Vec x = a;
  const Vec y = b;
  for (int i = 0; i < Vec::kLanes; ++i) {
    if ((i & kBlock) != 0) a.v[i] = y.v[i - kBlock];
    if ((i & kBlock) == 0) b.v[i] = x.v[i + kBlock];
  }
}

}  // namespace fovea::FOVEA_ISA
