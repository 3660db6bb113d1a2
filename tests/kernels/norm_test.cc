// SPDX-License-Identifier: Apache-2.0
#include "kernels/norm/norm.h"

#include "tests/kernels/kernel_test.h"

namespace {

using namespace fovea::test;
using fovea::kernels::KernelTable;

// 1 .. 2 * 4 * kMaxLanes + 1 would be every path of the unrolled sums; beyond 70 some suffice.
std::vector<int> row_lengths() {
  std::vector<int> lengths;
  for (int c = 1; c <= 70; ++c) lengths.push_back(c);
  for (const int c : {95, 96, 127, 128, 129, 768, 1001}) lengths.push_back(c);
  return lengths;
}

struct RowStatistics {
  double mean = 0, var = 0, square_sum = 0, largest = 0;
};
RowStatistics naive_statistics(const Matrix& x, std::ptrdiff_t i) {
  RowStatistics s;
  const double c = static_cast<double>(x.columns());
  for (std::ptrdiff_t j = 0; j < x.columns(); ++j) {
    s.mean += x.at(i, j) / c;
    s.square_sum += static_cast<double>(x.at(i, j)) * x.at(i, j);
    s.largest = std::max(s.largest, std::abs(static_cast<double>(x.at(i, j))));
  }
  for (std::ptrdiff_t j = 0; j < x.columns(); ++j) {
    s.var += (x.at(i, j) - s.mean) * (x.at(i, j) - s.mean) / c;
  }
  return s;
}

// Some that the kernels take together, and some that they take one by one.
constexpr int kRows = 7;

// Rows of a wide range and a large mean, where a one-pass variance would fail.
void check_layer_norm(const KernelTable& t) {
  for (const int c : row_lengths()) {
    const Matrix x(kRows, c, 2, 9, 11);
    const Matrix weight(1, c);
    const Matrix bias(1, c);
    for (int bits = 0; bits < 4; ++bits) {
      const float* w = bits & 1 ? weight.data() : nullptr;
      const float* b = bits & 2 ? bias.data() : nullptr;
      const float eps = 1e-5f;
      Matrix y(kRows, c, 1);
      Matrix in_place(x);
      t.layer_norm(x.data(), x.ld(), y.data(), y.ld(), w, b, eps, kRows, c);
      t.layer_norm(in_place.data(), in_place.ld(), in_place.data(), in_place.ld(), w, b, eps, kRows,
                   c);
      ASSERT_TRUE(y.canaries_alive() && in_place.canaries_alive());
      for (int i = 0; i < kRows; ++i) {
        const RowStatistics s = naive_statistics(x, i);
        const double rstd = 1 / std::sqrt(s.var + eps);
        // The mean rounds a few times relative to the largest element, and so does each deviation.
        const double deviation_error = rounding_error(8, s.largest);
        for (int j = 0; j < c; ++j) {
          const double normal = (x.at(i, j) - s.mean) * rstd;
          const double factor = w != nullptr ? w[j] : 1;
          const double value = normal * factor + (b != nullptr ? b[j] : 0);
          // Deviations enter the variance with weight |normal| <= sqrt(c).
          const double error = std::abs(factor) * rstd * deviation_error * (1 + std::abs(normal)) +
                               rounding_error(8, std::abs(normal * factor) + std::abs(value));
          ASSERT_TRUE(close_to(y.at(i, j), {value, error}))
              << "c " << c << " at " << i << ", " << j;
          ASSERT_EQ(y.at(i, j), in_place.at(i, j));
        }
      }
    }
  }
}

void check_moments(const KernelTable& t) {
  for (const int c : row_lengths()) {
    const Matrix x(4, c, 1);
    double sums[2];
    t.moments(x.data(), x.ld(), 4, c, sums);
    double sum = 0, squares = 0, magnitude = 0;
    for (int i = 0; i < 4; ++i) {
      for (int j = 0; j < c; ++j) {
        sum += x.at(i, j);
        magnitude += std::abs(x.at(i, j));
        squares += static_cast<double>(x.at(i, j)) * x.at(i, j);
      }
    }
    ASSERT_NEAR(sums[0], sum, 4 * c * 0x1p-52 * magnitude);
    ASSERT_NEAR(sums[1], squares, 4 * c * 0x1p-52 * squares);
  }
}

void check_scale_shift(const KernelTable& t) {
  for (const int c : row_lengths()) {
    const Matrix x(3, c, 2);
    const Matrix scale(1, c);
    const Matrix shift(1, c);
    Matrix y(3, c, 1);
    Matrix in_place(x);
    t.scale_shift(x.data(), x.ld(), y.data(), y.ld(), scale.data(), shift.data(), 3, c);
    t.scale_shift(in_place.data(), in_place.ld(), in_place.data(), in_place.ld(), scale.data(),
                  shift.data(), 3, c);
    ASSERT_TRUE(y.canaries_alive() && in_place.canaries_alive());
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < c; ++j) {
        const double product = static_cast<double>(x.at(i, j)) * scale.at(0, j);
        const double value = product + shift.at(0, j);
        ASSERT_TRUE(
            close_to(y.at(i, j), {value, rounding_error(1, std::abs(product) + std::abs(value))}));
        ASSERT_EQ(y.at(i, j), in_place.at(i, j));
      }
    }
  }
}

void check_l2_normalize(const KernelTable& t) {
  for (const int c : row_lengths()) {
    Matrix x(kRows, c, 2);
    for (int j = 0; j < c; ++j) x.at(1, j) *= 1e-15f;  // shorter than eps
    const float eps = 1e-12f;
    Matrix y(kRows, c, 1);
    const float* rows[kRows];  // from the last to the first
    for (int i = 0; i < kRows; ++i) rows[i] = &x.at(kRows - 1 - i, 0);
    t.l2_normalize(rows, y.data(), y.ld(), eps, kRows, c);
    ASSERT_TRUE(y.canaries_alive());
    for (int i = 0; i < kRows; ++i) {
      const double norm =
          std::max(std::sqrt(naive_statistics(x, i).square_sum), static_cast<double>(eps));
      for (int j = 0; j < c; ++j) {
        const double value = x.at(i, j) / norm;
        // Chain of the sum: c / (4 lanes) steps, the tree of accumulators and lanes, then four
        // more.
        const double error = rounding_error(c / 16 + 12, std::abs(value));
        ASSERT_TRUE(close_to(y.at(kRows - 1 - i, j), {value, error})) << "c " << c;
      }
    }
  }
}

void check_column_sum_squares(const KernelTable& t) {
  for (const int c : row_lengths()) {
    const Matrix x(5, c, 2);
    std::vector<double> sums(static_cast<std::size_t>(c) + 1, -7.0);
    t.column_sum_squares(x.data(), x.ld(), 5, c, sums.data());
    ASSERT_EQ(sums.back(), -7.0);
    for (int j = 0; j < c; ++j) {
      double want = 0;
      for (int i = 0; i < 5; ++i) want += static_cast<double>(x.at(i, j)) * x.at(i, j);
      ASSERT_NEAR(sums[static_cast<std::size_t>(j)], want, 5 * 0x1p-52 * want);
    }
  }
}

void check_column_mean(const KernelTable& t) {
  for (const int c : row_lengths()) {
    const Matrix x(7, c, 2);
    Matrix y(1, c);
    t.column_mean(x.data(), x.ld(), 7, c, y.data());
    ASSERT_TRUE(y.canaries_alive());
    for (int j = 0; j < c; ++j) {
      double mean = 0;
      for (int i = 0; i < 7; ++i) mean += x.at(i, j) / 7.0;
      ASSERT_TRUE(close_to(y.at(0, j), {mean, rounding_error(1, std::abs(mean)) + 1e-15}));
    }
  }
}

void check_rms_norm(const KernelTable& t) {
  for (const int c : row_lengths()) {
    const Matrix x(kRows, c, 2, -3, 4), weight(1, c), bias(1, c);
    for (int bits = 0; bits < 4; ++bits) {
      const float* w = bits & 1 ? weight.data() : nullptr;
      const float* b = bits & 2 ? bias.data() : nullptr;
      Matrix y(kRows, c, 1), in_place(x);
      t.rms_norm(x.data(), x.ld(), y.data(), y.ld(), w, b, 1e-6f, kRows, c);
      t.rms_norm(in_place.data(), in_place.ld(), in_place.data(), in_place.ld(), w, b, 1e-6f, kRows,
                 c);
      ASSERT_TRUE(y.canaries_alive() && in_place.canaries_alive());
      for (int i = 0; i < kRows; ++i) {
        const double scale = 1 / std::sqrt(naive_statistics(x, i).square_sum / c + 1e-6);
        for (int j = 0; j < c; ++j) {
          const double normal = x.at(i, j) * scale * (w != nullptr ? w[j] : 1);
          const double value = normal + (b != nullptr ? b[j] : 0);
          ASSERT_NEAR(
              y.at(i, j), value,
              rounding_error(c / 8 + 16, std::abs(normal)) + rounding_error(1, std::abs(value)));
          ASSERT_EQ(y.at(i, j), in_place.at(i, j));
        }
      }
    }
  }
}

#define FOVEA_KERNEL FOVEA_KERNEL_TEST
#include "kernels/norm/kernels.inc"

}  // namespace
