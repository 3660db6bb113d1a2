// SPDX-License-Identifier: Apache-2.0
#include "kernels/resize/resize.h"

#include <algorithm>
#include <deque>

#include "tests/kernels/kernel_test.h"

namespace {

using namespace fovea::test;
using fovea::kernels::KernelTable;
using fovea::kernels::kResizeFractionBits;
using fovea::kernels::kResizeLowBits;
using fovea::kernels::ResizeTaps;
using fovea::kernels::ResizeWeights;

int random_int(int lo, int hi) { return std::uniform_int_distribution<int>(lo, hi)(generator()); }

// n random bytes whose last one stands before an unmapped page.
class Bytes {
 public:
  explicit Bytes(int n) : size_(n), memory_(1, (n + 3) / 4) {
    for (int i = 0; i < n; ++i) data()[i] = static_cast<std::uint8_t>(random_int(0, 255));
  }
  std::uint8_t* data() { return end() - size_; }
  const std::uint8_t* data() const { return const_cast<Bytes*>(this)->data(); }

 private:
  std::uint8_t* end() {
    return reinterpret_cast<std::uint8_t*>(memory_.data() + memory_.columns());
  }

  int size_;
  Matrix memory_;
};

// Weights of `count` taps: mostly those of a filter with negative lobes, whose sum is 1 and which
// may exceed 1, sometimes so large that results leave 0 .. 255 on either side.
struct Weights {
  explicit Weights(int count)
      : whole(static_cast<std::size_t>(count)),
        groups(static_cast<std::size_t>(count + 3) / 4, ResizeWeights{}) {
    constexpr int kOne = 1 << kResizeFractionBits;
    int rest = random_int(0, 3) == 0 ? random_int(-kOne / 4, kOne + kOne / 4) : kOne;
    for (std::size_t t = 0; t < whole.size(); ++t) {
      const bool last = t + 1 == whole.size();
      whole[t] = last ? rest : random_int(-kOne / (2 * count), 3 * kOne / (2 * count));
      rest -= whole[t];
      groups[t / 4].low[t % 4] = static_cast<std::int16_t>(whole[t] & ((1 << kResizeLowBits) - 1));
      groups[t / 4].high[t % 4] = static_cast<std::int16_t>(whole[t] >> kResizeLowBits);
    }
  }
  std::vector<int> whole;
  std::vector<ResizeWeights> groups;
};

// Pillow's formula, in more bits than it can need.
int naive_pixel(std::int64_t sum) {
  sum += std::int64_t{1} << (kResizeFractionBits - 1);
  return static_cast<int>(std::clamp<std::int64_t>(sum >> kResizeFractionBits, 0, 255));
}

constexpr std::uint8_t kCanary = 0xA5;

void expect_columns(const KernelTable& t, int rows, int n, int most_taps) {
  const int width = most_taps + 20;
  std::vector<Weights> weights;
  std::vector<ResizeTaps> taps;
  for (int i = 0; i < n; ++i) {
    weights.emplace_back(random_int(1, most_taps));
    const int count = static_cast<int>(weights.back().whole.size());
    taps.push_back({random_int(0, width - count), count, nullptr});
  }
  // The last taps of a row, so that reading more than the contract allows faults.
  taps.back().first = width - taps.back().count;
  for (std::size_t i = 0; i < taps.size(); ++i) taps[i].weights = weights[i].groups.data();

  std::deque<Bytes> x;  // whose elements stay where they are
  std::vector<const std::uint8_t*> pointers;
  for (int row = 0; row < rows; ++row) {
    x.emplace_back(width * 3 + static_cast<int>(fovea::kernels::kResizeOverread));
    pointers.push_back(x.back().data());
  }
  const int ldy = n * 3 + random_int(0, 5);
  const int size = (rows - 1) * ldy + n * 3;
  Bytes y(size);
  std::fill_n(y.data(), size, kCanary);
  t.resample_columns(pointers.data(), rows, taps.data(), n, y.data(), ldy);
  for (int k = 0; k < size; ++k) {
    const int row = k / ldy, i = k % ldy / 3, c = k % ldy % 3;
    if (i >= n) {
      ASSERT_EQ(y.data()[k], kCanary) << "between rows, byte " << k;
      continue;
    }
    const std::size_t at = static_cast<std::size_t>(i);
    std::int64_t sum = 0;
    for (int tap = 0; tap < taps[at].count; ++tap) {
      sum += std::int64_t{weights[at].whole[static_cast<std::size_t>(tap)]} *
             pointers[static_cast<std::size_t>(row)][(taps[at].first + tap) * 3 + c];
    }
    ASSERT_EQ(int{y.data()[k]}, naive_pixel(sum))
        << "row " << row << ", output " << i << ", " << taps[at].count << " taps";
  }
}

void check_resample_columns(const KernelTable& t) {
  for (int rows = 1; rows <= 9; ++rows) {
    for (const int n : {1, 2, 5}) {
      for (const int most : {1, 2, 3, 4, 5, 9, 33}) expect_columns(t, rows, n, most);
    }
  }
  expect_columns(t, 5, 3, 5000);
}

void expect_rows(const KernelTable& t, int count, int n) {
  const Weights weights(count);
  std::deque<Bytes> x;  // whose elements stay where they are
  std::vector<const std::uint8_t*> pointers;
  for (int row = 0; row < count; ++row) {
    x.emplace_back(n);
    pointers.push_back(x.back().data());
  }
  Bytes y(n + 1);
  y.data()[0] = kCanary;
  t.resample_rows(pointers.data(), count, weights.groups.data(), n, y.data() + 1);
  ASSERT_EQ(y.data()[0], kCanary);
  for (int i = 0; i < n; ++i) {
    std::int64_t sum = 0;
    for (std::size_t tap = 0; tap < pointers.size(); ++tap) {
      sum += std::int64_t{weights.whole[tap]} * pointers[tap][i];
    }
    ASSERT_EQ(int{y.data()[i + 1]}, naive_pixel(sum))
        << count << " rows of " << n << ", byte " << i;
  }
}

void check_resample_rows(const KernelTable& t) {
  constexpr int kMaxBytes = 4 * kMaxLanes;
  for (int n = 1; n <= 2 * kMaxBytes + 1; ++n) expect_rows(t, 1 + n % 7, n);
  for (int count = 1; count <= 12; ++count) {
    for (const int n : {31, 32, 33, 100, 3 * kMaxBytes}) expect_rows(t, count, n);
  }
  expect_rows(t, 1001, 65);
}

#define FOVEA_KERNEL FOVEA_KERNEL_TEST
#include "kernels/resize/kernels.inc"

}  // namespace
