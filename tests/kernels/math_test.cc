// SPDX-License-Identifier: Apache-2.0
// The error of each function over every binade, both signs: 4096 arguments in each of the 254
// binades of normal numbers, the powers of two and their neighbours, zeros and infinities.
#include <limits>

#include "tests/kernels/kernel_test.h"
#include "tests/kernels/math_probe.h"

namespace {

using namespace fovea::test;
using fovea::kernels::Isa;

std::vector<float> arguments() {
  std::vector<float> x;
  for (int exponent = -126; exponent < 128; ++exponent) {
    const float power = std::ldexp(1.0f, exponent);
    for (const float v : {power, std::nextafter(power, 0.0f), std::nextafter(power, 1e30f)}) {
      x.push_back(v);
      x.push_back(-v);
    }
    const int count = exponent >= -30 && exponent <= 7 ? 4096 : 16;
    for (int i = 0; i < count; ++i) {
      x.push_back(power * uniform(1, 2));
      x.push_back(-power * uniform(1, 2));
    }
  }
  for (const float v : {0.0f, std::numeric_limits<float>::infinity(), 3.925f, 9.02f, 88.72f}) {
    x.push_back(v);
    x.push_back(-v);
  }
  return x;
}

// The largest error of f, in units of 2^-24 relative to the exact result, must stay below `limit`.
// Results below the normal numbers may be off by one subnormal unit for each such unit.
void expect_accurate(fovea::math_probe_fn* f, double (*exact)(double), double limit,
                     double smallest_normal, const char* what) {
  const std::vector<float> x = arguments();
  std::vector<float> y(x.size());
  f(x.data(), y.data(), static_cast<int>(x.size()));
  double worst = 0;
  float worst_at = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const double want = exact(x[i]);
    if (std::abs(want) > std::numeric_limits<float>::max()) {
      ASSERT_EQ(y[i], want > 0 ? INFINITY : -INFINITY) << what << " of " << x[i];
      continue;
    }
    const double unit = kRoundoff * std::max(std::abs(want), smallest_normal);
    const double error = std::abs(y[i] - want) / unit;
    ASSERT_FALSE(std::isnan(y[i])) << what << " of " << x[i];
    if (error > worst) {
      worst = error;
      worst_at = x[i];
    }
  }
  EXPECT_LT(worst, limit) << what << ", worst at " << worst_at;
  ::testing::Test::RecordProperty(what, std::to_string(worst));
  const float nan = std::nanf("");
  float through = 0;
  f(&nan, &through, 1);
  EXPECT_TRUE(std::isnan(through)) << what;
}

double exact_sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
double exact_silu(double x) { return std::max(x, -87.0) * exact_sigmoid(std::max(x, -87.0)); }
// Of -|x|, and never below the smallest power that the function knows.
double exact_exp2_negative(double x) { return std::exp2(std::max(-std::abs(x), -125.0)); }
double exact_softplus(double x) { return std::max(x, 0.0) + std::log1p(std::exp(-std::abs(x))); }

// gelu(x) / x, whose error is measured against 1: where x is far below zero, little is left of it.
void expect_accurate_gelu(fovea::math_probe_fn* f, double limit) {
  const std::vector<float> x = arguments();
  std::vector<float> y(x.size());
  f(x.data(), y.data(), static_cast<int>(x.size()));
  for (std::size_t i = 0; i < x.size(); ++i) {
    if (std::isinf(x[i])) continue;
    const double v = static_cast<double>(x[i]);
    // Below 1e-36 the products of the evaluation are subnormal.
    const double unit = kRoundoff * std::max(std::abs(v), 1e-36);
    EXPECT_LT(std::abs(static_cast<double>(y[i]) - v / 2 * std::erfc(-v * M_SQRT1_2)), limit * unit)
        << "gelu of " << x[i];
    if (std::abs(v) > 6) {
      EXPECT_EQ(y[i], std::max(x[i], 0.0f));
    }
  }
}

#define FOVEA_MATH_TEST(level)                                                                 \
  TEST(simd_math, level##_is_accurate_in_every_binade) {                                       \
    if (!isa_supported(Isa::level)) GTEST_SKIP() << "this processor has no " #level;           \
    constexpr double kNormal = std::numeric_limits<float>::min();                              \
    expect_accurate(                                                                           \
        &fovea::level::probe_exp, [](double x) { return std::exp(x); }, 3, kNormal, "exp");    \
    expect_accurate(                                                                           \
        &fovea::level::probe_erf, [](double x) { return std::erf(x); }, 6, kNormal, "erf");    \
    expect_accurate(                                                                           \
        &fovea::level::probe_tanh, [](double x) { return std::tanh(x); }, 6, kNormal, "tanh"); \
    expect_accurate(&fovea::level::probe_sigmoid, exact_sigmoid, 5, 0x1p-100, "sigmoid");      \
    expect_accurate(&fovea::level::probe_silu, exact_silu, 5, kNormal, "silu");                \
    expect_accurate(&fovea::level::probe_exp2_negative, exact_exp2_negative, 3, kNormal,       \
                    "exp2_negative");                                                          \
    expect_accurate(&fovea::level::probe_softplus, exact_softplus, 6, 0x1p-8, "softplus");     \
    expect_accurate_gelu(&fovea::level::probe_gelu, Isa::level == Isa::avx512 ? 2 : 5);        \
  }

FOVEA_MATH_TEST(generic)
#ifdef FOVEA_BUILD_AVX2
FOVEA_MATH_TEST(avx2)
#endif
#ifdef FOVEA_BUILD_AVX512
FOVEA_MATH_TEST(avx512)
#endif

}  // namespace
