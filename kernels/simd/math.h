// SPDX-License-Identifier: Apache-2.0
// Elementary functions on vectors.  The coefficients are our own weighted rational fits; the errors
// are the largest seen over all binades (tests/kernels/math_test.cc asserts them, in units of 2^-24
// relative to the result).  NaN goes in and comes out.
#pragma once

#include "kernels/simd/simd.h"

namespace fovea::FOVEA_ISA {

// c0 + c1 x + c2 x^2 + ..., by Horner's rule.
template <class V>
FOVEA_INLINE V polynomial(V, float c0) {
  return splat(c0);
}
template <class V, class... Rest>
FOVEA_INLINE V polynomial(V x, float c0, Rest... rest) {
  return fma(polynomial(x, rest...), x, splat(c0));
}

// x limited to [lo, hi]; a NaN stays.
template <class V>
FOVEA_INLINE V clamp(V x, float lo, float hi) {
  return min(splat(hi), max(splat(lo), x));
}

// e^x.  Subnormal results are right; 0 below -104, infinity above 88.73.  Error below 3.
template <class V>
FOVEA_INLINE V exp(V x) {
  x = clamp(x, -104.0f, 89.0f);
  // x = n ln 2 + r with |r| <= ln 2 / 2; the first part of ln 2 has few bits, so n times it is
  // exact.
  const V n = round(mul(x, splat(1.44269504f)));
  V r = nfma(n, splat(0.693359375f), x);
  r = nfma(n, splat(-2.12194440e-4f), r);
  const V q = polynomial(r, 0.500000010077f, 0.166665129456f, 0.0416661878282f, 0.00836959321073f,
                         0.00139516854141f);
  return scale_pow2(add(splat(1.0f), fma(mul(r, r), q, r)), n);
}

inline constexpr float kLog2e = 1.44269504f;

// 1.5 * 2^23: a sum with it has no bits behind the point, but the integer nearest to the other term
// in its last ones.
inline constexpr float kRounder = 12582912.0f;

// e^x for x <= 87, cheaply: e^-87, about 2^-125, for everything below -87.  Error below 3.
template <class V>
FOVEA_INLINE V exp_normal(V x) {
  x = max(splat(-87.0f), x);
  const V shifted = fma(x, splat(kLog2e), splat(kRounder));
  const V n = sub(shifted, splat(kRounder));
  V r = nfma(n, splat(0.693359375f), x);
  r = nfma(n, splat(-2.12194440e-4f), r);
  const V p = polynomial(r, 1.0f, 1.0f, 0.500000010077f, 0.166665129456f, 0.0416661878282f,
                         0.00836959321073f, 0.00139516854141f);
  return shift_exponent(p, n, shifted);
}

// 2^x for x <= 0, cheaply: 2^-125, about 2e-38, for everything below -125.  Error below 3.
template <class V>
FOVEA_INLINE V exp2_negative(V x) {
  x = max(splat(-125.0f), x);
  const V shifted = add(x, splat(kRounder));
  const V n = sub(shifted, splat(kRounder));
  const V r = sub(x, n);
  const V q = polynomial(r, 0.693147202855f, 0.240226479136f, 0.0555033247092f, 0.00961843735895f,
                         0.00133988744777f, 0.000153533617173f);
  return shift_exponent(fma(r, q, splat(1.0f)), n, shifted);
}

// log(1 + e^x) as max(x, 0) + log(1 + t), t = e^-|x|; the logarithm is 2 artanh(s) with s = t / (2
// + t) <= 1/3.  t is not below e^-87.
template <class V>
FOVEA_INLINE V softplus(V x) {
  const V t = exp_normal(sub(splat(0.0f), abs(x)));
  const V s = div(t, add(splat(2.0f), t));
  const V p = polynomial(mul(s, s), 1.0f, 0.333331573411f, 0.200124551371f, 0.139803014336f,
                         0.140891671994f);
  return fma(add(s, s), p, max(splat(0.0f), x));
}

// An odd function that is p/q times x up to |x| = limit and +-1 beyond.
template <class V>
FOVEA_INLINE V saturate_odd(V x, V value, float limit) {
  value = select(less(splat(limit), x), splat(1.0f), value);
  return select(less(x, splat(-limit)), splat(-1.0f), value);
}

// 2/sqrt(pi) times the integral of exp(-t^2) from 0 to x.  Error below 6 (over all floats from
// 1e-12 to 4 at most 5.82): the last bits of the coefficients are chosen for it, with fused
// multiply-adds and without.  From 3.92 on the result is exactly 1 without a selection: the limit
// is a number whose quotient rounds to 1 both ways.
template <class V>
FOVEA_INLINE V erf(V x) {
  constexpr float kLimit = 3.92000413f;
  const V c = clamp(x, -kLimit, kLimit);
  const V t = mul(c, c);
  const V p = polynomial(t, 1.12837923f, 0.185145348f, 0.0542491786f, 0.00383955915f,
                         3.76938871e-4f, 4.61401032e-6f, -1.2826904e-8f);
  const V q =
      polynomial(t, 1.0f, 0.49741438f, 0.113881268f, 0.0154325301f, 0.00130195508f, 6.24432869e-5f);
  return div(mul(c, p), q);
}

// Phi(a) - 1/2 for a >= 0, Phi the distribution function of the normal distribution, by segments of
// 3/8: powers of the distance from the middle of a segment, in segments.  From the last one on it
// is 1/2. Our own fit, by interpolation at Chebyshev's points.
inline constexpr float kNormalSegments = 8.0f / 3.0f;
alignas(64) inline constexpr float kNormalPowers[6][16] = {
    {0.0f, 0.146169767f, 0.27337265f, 0.369705468f, 0.43319279f, 0.469603628f, 0.487775534f,
     0.495667547f, 0.498650104f, 0.499630928f, 0.499911577f, 0.499981463f, 0.499996603f,
     0.499999464f, 0.499999911f, 0.5f},
    {0.149603352f, 0.139445662f, 0.112926535f, 0.079453744f, 0.0485690981f, 0.0257948525f,
     0.0119023696f, 0.00477156788f, 0.00166194316f, 0.000502919604f, 0.000132223402f,
     3.02026783e-05f, 5.99390796e-06f, 1.0334802e-06f, 1.5481811e-07f, 0.0f},
    {4.5817913e-08f, -0.00980451703f, -0.015879998f, -0.0167596471f, -0.0136601226f,
     -0.00906863902f, -0.00502140867f, -0.00234853546f, -0.00093483238f, -0.000318234932f,
     -9.29566158e-05f, -2.33537921e-05f, -5.05516664e-06f, -9.44033161e-07f, -1.52249669e-07f,
     0.0f},
    {-0.00350669981f, -0.00280863466f, -0.00115795061f, 0.000494615524f, 0.00142290245f,
     0.00152086292f, 0.00113329187f, 0.000658778241f, 0.000311617448f, 0.000122475874f,
     4.04793936e-05f, 1.13362794e-05f, 2.70392479e-06f, 5.51311302e-07f, 9.63504334e-08f, 0.0f},
    {1.28568297e-06f, 0.000325804605f, 0.000450453692f, 0.000339276245f, 0.000120737808f,
     -5.3346128e-05f, -0.000120332094f, -0.000106763458f, -6.58448989e-05f, -3.14946046e-05f,
     -1.21905841e-05f, -3.90159721e-06f, -1.04564879e-06f, -2.36593749e-07f, -4.54507294e-08f,
     0.0f},
    {7.22323675e-05f, 4.97470282e-05f, -9.57081056e-07f, -3.88484987e-05f, -4.33037094e-05f,
     -2.43677969e-05f, -3.52748361e-06f, 7.09600135e-06f, 8.18328499e-06f, 5.34052924e-06f,
     2.54765109e-06f, 9.56192707e-07f, 2.91785767e-07f, 7.3708847e-08f, 1.55868509e-08f, 0.0f}};

// x Phi(x) = x/2 (1 + erf(x / sqrt 2)).  Error below 2 (with 16 lanes) or 5, in units of 2^-24
// relative to x.
template <class V>
FOVEA_INLINE V gelu(V x) {
  const V half = mul(splat(0.5f), x);
  if constexpr (V::kLanes == 16) {  // a register holds a power of all segments
    const V a = abs(x);
    const V at = min(splat(15.0f), mul(a, splat(kNormalSegments)));
    const V shifted = add(at, splat(kRounder));
    const V u = sub(at, sub(shifted, splat(kRounder)));
    const auto power = [&](int i)
                           FOVEA_INLINE_LAMBDA { return lookup(load(kNormalPowers[i]), shifted); };
    V p = power(5);
    p = fma(p, u, power(4));
    p = fma(p, u, power(3));
    p = fma(p, u, power(2));
    p = fma(p, u, power(1));
    p = fma(p, u, power(0));
    return fma(a, p, half);
  } else {
    return fma(half, erf(mul(x, splat(0.70710678f))), half);
  }
}

// Error below 6.
template <class V>
FOVEA_INLINE V tanh(V x) {
  constexpr float kLimit = 9.02f;
  const V c = clamp(x, -kLimit, kLimit);
  const V t = mul(c, c);
  const V p = polynomial(t, 0.999999998694f, 0.136799109463f, 0.00386832178497f, 2.80072911021e-5f,
                         3.05844353053e-8f, -1.22028692396e-11f);
  const V q =
      polynomial(t, 1.0f, 0.470132430123f, 0.0272458190488f, 3.93861889914e-4f, 1.2873524034e-6f);
  return saturate_odd(x, div(mul(c, p), q), kLimit);
}

// 1 / (1 + e^-x).  Error below 5 where the result is normal; 0 where e^-x overflows.
template <class V>
FOVEA_INLINE V sigmoid(V x) {
  return div(splat(1.0f), add(splat(1.0f), exp(sub(splat(0.0f), x))));
}

// x / (1 + e^-x), with one rounding less than x sigmoid(x).  Error below 5; what is below -87
// counts as -87, for which the result is about -2^-119.
template <class V>
FOVEA_INLINE V silu(V x) {
  x = max(splat(-87.0f), x);
  return div(x, add(splat(1.0f), exp_normal(sub(splat(0.0f), x))));
}

}  // namespace fovea::FOVEA_ISA
