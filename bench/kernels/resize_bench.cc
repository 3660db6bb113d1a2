// SPDX-License-Identifier: Apache-2.0
// Photographs on their way to 224 x 224: bicubic, to 248 pixels on the shorter edge.
#include <cmath>
#include <cstdint>
#include <vector>

#include "bench/kernels/kernel_bench.h"
#include "kernels/resize/resize.h"

namespace fovea::bench {
namespace {

// One axis of a picture: `in` pixels become `out`; `across` is the other axis while that happens.
struct ResizeShape {
  const char* name;
  int in, out, across;
};
constexpr ResizeShape kColumns[] = {{"500x375", 500, 331, 375}, {"4000x3000", 4000, 331, 3000}};
constexpr ResizeShape kRows[] = {{"500x375", 375, 248, 331}, {"4000x3000", 3000, 248, 331}};

// Where the taps of each output begin, how many there are, and weights for them: the arithmetic
// does not depend on what the weights are.
struct Taps {
  explicit Taps(const ResizeShape& s) {
    const double scale = static_cast<double>(s.in) / s.out;
    count = static_cast<int>(std::ceil(4 * scale)) + 1;
    const auto groups =
        static_cast<std::size_t>(count + kernels::kResizeGroup - 1) / kernels::kResizeGroup;
    weights.resize(groups, {{77, 77, 77, 77}, {5, 5, 5, 5}});
    for (int i = 0; i < s.out; ++i) {
      taps.push_back({static_cast<int>(i * (s.in - count) / static_cast<double>(s.out)), count,
                      weights.data()});
    }
  }
  int count;
  std::vector<kernels::ResizeWeights> weights;
  std::vector<kernels::ResizeTaps> taps;
};

std::vector<const std::uint8_t*> row_pointers(const std::vector<std::uint8_t>& pixels, int rows,
                                              int row_bytes) {
  std::vector<const std::uint8_t*> pointers;
  for (int r = 0; r < rows; ++r) pointers.push_back(pixels.data() + std::size_t(r) * row_bytes);
  return pointers;
}

}  // namespace

void bench_resample_columns(const KernelTable& t, const std::string& level) {
  for (const ResizeShape& s : kColumns) {
    add(name_of("resample_columns", level, s.name), [&t, &s](benchmark::State& state) {
      const Taps taps(s);
      const std::vector<std::uint8_t> x(std::size_t(s.across) * s.in * 3 + kernels::kResizeOverread,
                                        128);
      std::vector<std::uint8_t> y(std::size_t(s.across) * s.out * 3);
      const auto rows = row_pointers(x, s.across, s.in * 3);
      const double seconds = timed(state, [&] {
        t.resample_columns(rows.data(), s.across, taps.taps.data(), s.out, y.data(), s.out * 3);
      });
      report_bytes(state, seconds, static_cast<double>(x.size() + y.size()));
    });
  }
}

void bench_resample_rows(const KernelTable& t, const std::string& level) {
  for (const ResizeShape& s : kRows) {
    add(name_of("resample_rows", level, s.name), [&t, &s](benchmark::State& state) {
      const Taps taps(s);
      const int row_bytes = s.across * 3;
      const std::vector<std::uint8_t> x(std::size_t(s.in) * row_bytes, 128);
      std::vector<std::uint8_t> y(std::size_t(s.out) * row_bytes);
      const auto rows = row_pointers(x, s.in, row_bytes);
      const double seconds = timed(state, [&] {
        for (int i = 0; i < s.out; ++i) {
          t.resample_rows(rows.data() + taps.taps[std::size_t(i)].first, taps.count,
                          taps.weights.data(), row_bytes, y.data() + std::size_t(i) * row_bytes);
        }
      });
      report_bytes(state, seconds, static_cast<double>(x.size() + y.size()));
    });
  }
}

}  // namespace fovea::bench
