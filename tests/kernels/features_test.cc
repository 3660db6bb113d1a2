// SPDX-License-Identifier: Apache-2.0
#include "kernels/features/features.h"

#include "tests/kernels/kernel_test.h"

namespace {

using namespace fovea::test;
using fovea::kernels::Feature;
using fovea::kernels::KernelTable;

// Row i of feature(x + bias) in double.
std::vector<double> naive_features(Feature feature, const Matrix& x, const Matrix* bias,
                                   std::ptrdiff_t i) {
  std::vector<double> row;
  double before = 0, after = 0;
  for (std::ptrdiff_t j = 0; j < x.columns(); ++j) {
    const float sum = bias != nullptr ? x.at(i, j) + bias->at(i, j) : x.at(i, j);
    const double v = sum, positive = std::max(v, 0.0);
    switch (feature) {
      case Feature::none:
        row.push_back(v);
        break;
      case Feature::relu:
        row.push_back(positive);
        break;
      case Feature::elu_plus_one:
        row.push_back(v > 0 ? v + 1 : std::exp(v));
        break;
      case Feature::exp:
        row.push_back(std::exp(v));
        break;
      case Feature::focused:
        row.push_back(positive * positive * positive);
        before += positive * positive;
        after += row.back() * row.back();
        break;
    }
  }
  if (feature == Feature::focused && after > 0) {
    for (double& v : row) v *= std::sqrt(before / after);
  }
  return row;
}

void check_map_features(const KernelTable& t) {
  for (const Feature feature :
       {Feature::none, Feature::relu, Feature::elu_plus_one, Feature::exp, Feature::focused}) {
    for (int n = 1; n <= 3 * kMaxLanes + 1; ++n) {
      Matrix x(4, n, 2, -3, 3);
      for (int j = 0; j < n; ++j) x.at(3, j) = -1;  // nothing positive
      const Matrix bias(4, n, 1);
      for (const bool biased : {false, true}) {
        Matrix y(4, n, 3), in_place(x);
        const float* const b = biased ? bias.data() : nullptr;
        t.map_features(feature, x.data(), x.ld(), b, bias.ld(), y.data(), y.ld(), 4, n);
        t.map_features(feature, in_place.data(), in_place.ld(), b, bias.ld(), in_place.data(),
                       in_place.ld(), 4, n);
        ASSERT_TRUE(y.canaries_alive() && in_place.canaries_alive());
        for (int i = 0; i < 4; ++i) {
          const std::vector<double> wanted =
              naive_features(feature, x, biased ? &bias : nullptr, i);
          for (int j = 0; j < n; ++j) {
            const double value = wanted[static_cast<std::size_t>(j)];
            ASSERT_NEAR(y.at(i, j), value, rounding_error(n / 4 + 12, std::abs(value)))
                << "feature " << static_cast<int>(feature) << ", n " << n;
            ASSERT_EQ(y.at(i, j), in_place.at(i, j));
          }
        }
      }
    }
  }
}

void check_rotate_pairs(const KernelTable& t) {
  for (int n = 2; n <= 4 * kMaxLanes + 2; n += 2) {
    const Matrix x(3, n, 1), cos(3, n), sin(3, n);
    for (const bool interleaved : {false, true}) {
      Matrix y(3, n, 2), in_place(x);
      t.rotate_pairs(x.data(), x.ld(), cos.data(), sin.data(), n, interleaved, y.data(), y.ld(), 3,
                     n);
      t.rotate_pairs(in_place.data(), in_place.ld(), cos.data(), sin.data(), n, interleaved,
                     in_place.data(), in_place.ld(), 3, n);
      ASSERT_TRUE(y.canaries_alive() && in_place.canaries_alive());
      for (int i = 0; i < 3; ++i) {
        for (int pair = 0; pair < n / 2; ++pair) {
          const int a = interleaved ? 2 * pair : pair, b = interleaved ? a + 1 : pair + n / 2;
          const double first = static_cast<double>(x.at(i, a)) * cos.at(i, a) -
                               static_cast<double>(x.at(i, b)) * sin.at(i, a);
          const double second = static_cast<double>(x.at(i, b)) * cos.at(i, b) +
                                static_cast<double>(x.at(i, a)) * sin.at(i, b);
          ASSERT_NEAR(y.at(i, a), first, dot_error(2, 2));
          ASSERT_NEAR(y.at(i, b), second, dot_error(2, 2));
          ASSERT_EQ(y.at(i, a), in_place.at(i, a));
          ASSERT_EQ(y.at(i, b), in_place.at(i, b));
        }
      }
    }
  }
}

void check_row_dots(const KernelTable& t) {
  for (int n = 1; n <= 3 * kMaxLanes + 1; ++n) {
    const Matrix x(5, n, 1), v(5, n, 2);
    for (const bool one : {false, true}) {
      Matrix y(1, 5);
      t.row_dots(x.data(), x.ld(), v.data(), one ? 0 : v.ld(), y.data(), 5, n);
      ASSERT_TRUE(y.canaries_alive());
      for (int i = 0; i < 5; ++i) {
        double sum = 0, magnitude = 0;
        for (int j = 0; j < n; ++j) {
          const double term = static_cast<double>(x.at(i, j)) * v.at(one ? 0 : i, j);
          sum += term;
          magnitude += std::abs(term);
        }
        ASSERT_NEAR(y.at(0, i), sum, dot_error(n, magnitude));
      }
    }
  }
}

void check_scale_rows(const KernelTable& t) {
  for (int n = 1; n <= 2 * kMaxLanes + 1; ++n) {
    const Matrix x(4, n, 1), s(4, 1, 2);
    for (const bool one : {false, true}) {
      Matrix y(4, n, 2), in_place(x);
      const std::ptrdiff_t step = one ? 0 : s.ld();
      t.scale_rows(x.data(), x.ld(), s.data(), step, y.data(), y.ld(), 4, n);
      t.scale_rows(in_place.data(), in_place.ld(), s.data(), step, in_place.data(), in_place.ld(),
                   4, n);
      ASSERT_TRUE(y.canaries_alive() && in_place.canaries_alive());
      for (int i = 0; i < 4; ++i) {
        for (int j = 0; j < n; ++j) {
          ASSERT_EQ(y.at(i, j), s.at(one ? 0 : i, 0) * x.at(i, j));
          ASSERT_EQ(y.at(i, j), in_place.at(i, j));
        }
      }
    }
  }
}

#define FOVEA_KERNEL FOVEA_KERNEL_TEST
#include "kernels/features/kernels.inc"

}  // namespace
