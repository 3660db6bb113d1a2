// SPDX-License-Identifier: Apache-2.0
#include "kernels/softmax/softmax.h"

#include <limits>

#include "tests/kernels/kernel_test.h"

namespace {

using namespace fovea::test;
using fovea::kernels::KernelTable;

void check_softmax(const KernelTable& t) {
  for (int n = 1; n <= 4 * kMaxLanes + 1; ++n) {
    Matrix x(5, n, 2, -10, 10);
    for (int j = 0; j < n; ++j) x.at(1, j) += 1000;    // must not overflow
    for (int j = 0; j < n; j += 2) x.at(2, j) -= 100;  // masked
    if (n > 1) x.at(3, n - 1) = -std::numeric_limits<float>::infinity();
    Matrix y(5, n, 1);
    Matrix in_place(x);
    t.softmax(x.data(), x.ld(), y.data(), y.ld(), 5, n);
    t.softmax(in_place.data(), in_place.ld(), in_place.data(), in_place.ld(), 5, n);
    ASSERT_TRUE(y.canaries_alive() && in_place.canaries_alive());
    for (int i = 0; i < 5; ++i) {
      double top = x.at(i, 0);
      for (int j = 0; j < n; ++j) top = std::max(top, static_cast<double>(x.at(i, j)));
      double sum = 0;
      for (int j = 0; j < n; ++j) sum += std::exp(x.at(i, j) - top);
      for (int j = 0; j < n; ++j) {
        const double value = std::exp(x.at(i, j) - top) / sum;
        // The difference from the maximum rounds once, which exp turns into a relative error; then
        // exp, the sum and two more roundings.
        const double shift = std::isinf(x.at(i, j)) ? 0 : std::abs(x.at(i, j) - top);
        const double error = rounding_error(1, value * shift) + rounding_error(n / 4 + 12, value);
        ASSERT_TRUE(close_to(y.at(i, j), {value, error})) << "n " << n << " at " << i << ", " << j;
        ASSERT_EQ(y.at(i, j), in_place.at(i, j));
      }
    }
  }
}

#define FOVEA_KERNEL FOVEA_KERNEL_TEST
#include "kernels/softmax/kernels.inc"

TEST(softmax, of_a_row_without_finite_elements_is_nan) {
  for (const auto isa : fovea::kernels::kAllIsas) {
    if (!fovea::kernels::isa_supported(isa)) continue;
    Matrix x(1, 5);
    for (int j = 0; j < 5; ++j) x.at(0, j) = -std::numeric_limits<float>::infinity();
    fovea::kernels::kernel_table(isa).softmax(x.data(), 5, x.data(), 5, 1, 5);
    for (int j = 0; j < 5; ++j) EXPECT_TRUE(std::isnan(x.at(0, j)));
  }
}

}  // namespace
