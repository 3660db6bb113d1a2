// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "fovea/core/thread_pool.h"

namespace fovea {

// What this processor can do at most, found by trying: the denominator of every "percent of peak".
// Clocks change with load and temperature, so that a measurement takes samples of the peak between
// its own repetitions and compares itself with their median.
class PeakMeter {
 public:
  explicit PeakMeter(std::shared_ptr<const ThreadPool> pool) : pool_(std::move(pool)) {}

  // Multiply-adds on registers only, on all threads of the pool, a few milliseconds: of each level
  // of the machine the fastest burst, and of those the fastest level.
  void sample();
  // Median of the samples so far, in 10^9 floating-point operations a second (a multiply-add is
  // two); takes the first sample when there is none.
  double gflops();

 private:
  std::shared_ptr<const ThreadPool> pool_;
  std::vector<double> samples_;
};

// 10^9 bytes a second that all threads of the pool together read from memory, from `bytes` bytes in
// all: the fastest of several passes. Make it several times the size of the last-level cache.
double measure_read_bandwidth(const ThreadPool& pool, std::size_t bytes = std::size_t{256} << 20);

}  // namespace fovea
