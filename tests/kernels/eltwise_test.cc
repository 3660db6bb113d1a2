// SPDX-License-Identifier: Apache-2.0
#include "kernels/eltwise/eltwise.h"

#include "tests/kernels/kernel_test.h"

namespace {

using namespace fovea::test;
using fovea::kernels::Act;
using fovea::kernels::Epilogue;
using fovea::kernels::KernelTable;

void check_epilogue_map(const KernelTable& t) {
  for (int n = 1; n <= 2 * kMaxLanes + 1; ++n) {
    constexpr int kRows = 3;
    const Matrix x(kRows, n, 4, -6, 6);
    const EpilogueOperands operands(kRows, n);
    for (const Act act : kAllActs) {
      for (int bits = 0; bits < EpilogueOperands::kCombinations; ++bits) {
        const Epilogue e = operands.combination(bits, act);
        Matrix y(kRows, n, 1);
        Matrix in_place(x);
        t.epilogue_map(x.data(), x.ld(), y.data(), y.ld(), kRows, n, e);
        t.epilogue_map(in_place.data(), in_place.ld(), in_place.data(), in_place.ld(), kRows, n, e);
        ASSERT_TRUE(y.canaries_alive() && in_place.canaries_alive());
        for (int i = 0; i < kRows; ++i) {
          for (int j = 0; j < n; ++j) {
            ASSERT_TRUE(close_to(y.at(i, j), naive_epilogue({x.at(i, j), 0}, e, i, j)))
                << "act " << static_cast<int>(act) << " bits " << bits << " x " << x.at(i, j);
            ASSERT_EQ(y.at(i, j), in_place.at(i, j));
          }
        }
      }
    }
  }
}

template <class Op>
void check_binary(fovea::multiply_fn* kernel, const Op& op) {
  for (int n = 1; n <= 2 * kMaxLanes + 1; ++n) {
    const Matrix a(3, n, 2);
    const Matrix b(3, n, 1);
    Matrix y(3, n, 3);
    Matrix left(a);
    Matrix right(b);
    kernel(a.data(), a.ld(), b.data(), b.ld(), y.data(), y.ld(), 3, n);
    kernel(left.data(), left.ld(), b.data(), b.ld(), left.data(), left.ld(), 3, n);
    kernel(a.data(), a.ld(), right.data(), right.ld(), right.data(), right.ld(), 3, n);
    ASSERT_TRUE(y.canaries_alive() && left.canaries_alive() && right.canaries_alive());
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < n; ++j) {
        ASSERT_EQ(y.at(i, j), op(a.at(i, j), b.at(i, j)));
        ASSERT_EQ(y.at(i, j), left.at(i, j));
        ASSERT_EQ(y.at(i, j), right.at(i, j));
      }
    }
  }
}

void check_multiply(const KernelTable& t) {
  check_binary(t.multiply, [](float a, float b) { return a * b; });
}
void check_add_rows(const KernelTable& t) {
  check_binary(t.add_rows, [](float a, float b) { return a + b; });
}

void check_blend(const KernelTable& t) {
  const float weights[4] = {0.125f, 0.5f, -0.25f, 2.0f};
  for (int n = 1; n <= 2 * kMaxLanes + 1; ++n) {
    const Matrix x(4, n, 1);
    Matrix y(1, n);
    const float* const rows[4] = {x.data(), x.data() + x.ld(), x.data() + 2 * x.ld(),
                                  x.data() + 3 * x.ld()};
    t.blend(rows, weights, y.data(), n);
    ASSERT_TRUE(y.canaries_alive());
    for (int j = 0; j < n; ++j) {
      double sum = 0;
      for (int i = 0; i < 4; ++i) sum += static_cast<double>(weights[i]) * x.at(i, j);
      ASSERT_NEAR(y.at(0, j), sum, dot_error(4, 3));
    }
  }
}

#define FOVEA_KERNEL FOVEA_KERNEL_TEST
#include "kernels/eltwise/kernels.inc"

TEST(epilogue_map, lets_a_nan_through_every_activation) {
  for (const auto isa : fovea::kernels::kAllIsas) {
    if (!fovea::kernels::isa_supported(isa)) continue;
    for (const Act act : kAllActs) {
      Epilogue e;
      e.act = act;
      float x = std::nanf("");
      fovea::kernels::kernel_table(isa).epilogue_map(&x, 1, &x, 1, 1, 1, e);
      EXPECT_TRUE(std::isnan(x)) << isa_name(isa) << " act " << static_cast<int>(act);
    }
  }
}

}  // namespace
