// SPDX-License-Identifier: Apache-2.0
#include "kernels/probe/probe.h"

#include "tests/kernels/kernel_test.h"

namespace {

using namespace fovea::test;
using fovea::kernels::KernelTable;

void check_fma_chains(const KernelTable& t) {
  for (const std::ptrdiff_t rounds : {1, 2, 7, 40}) {
    float sum = -1;
    const std::ptrdiff_t fmas = t.fma_chains(0.5f, 1.0f, rounds, &sum);
    const std::ptrdiff_t lanes = fmas / (rounds * fovea::kFmaChains);
    ASSERT_GE(lanes, 1);
    ASSERT_EQ(fmas, lanes * rounds * fovea::kFmaChains);
    double want = 0;
    for (int chain = 0; chain < fovea::kFmaChains; ++chain) {
      double x = chain;
      for (std::ptrdiff_t i = 0; i < rounds; ++i) x = 0.5 * x + 1;
      want += x * static_cast<double>(lanes);
    }
    const Expected expected{
        want, rounding_error(static_cast<int>(2 * rounds + fovea::kFmaChains + lanes), want)};
    EXPECT_TRUE(close_to(sum, expected)) << rounds << " rounds of " << lanes << " lanes";
  }
}

void check_read_sum(const KernelTable& t) {
  // Every number of vectors around a block of eight, and every tail.
  for (int n = 1; n <= 2 * 8 * kMaxLanes + kMaxLanes + 1; ++n) {
    const Matrix x(1, n);
    Expected want{0, 0};
    double magnitude = 0;
    for (int j = 0; j < n; ++j) {
      want.value += x.at(0, j);
      magnitude += std::abs(x.at(0, j));
    }
    want.error = rounding_error(n, magnitude);
    ASSERT_TRUE(close_to(t.read_sum(x.data(), n), want)) << n;
  }
}

#define FOVEA_KERNEL FOVEA_KERNEL_TEST
#include "kernels/probe/kernels.inc"

}  // namespace
