// SPDX-License-Identifier: Apache-2.0
#include "fovea/backend/peak.h"

#include <algorithm>
#include <chrono>
#include <cstddef>

#include "fovea/core/buffer.h"
#include "kernels/table.h"

namespace fovea {
namespace {

using Clock = std::chrono::steady_clock;

// About a tenth of a millisecond at two multiply-adds a cycle: short against a time slice, so that
// some bursts run undisturbed, and long against the clock's resolution.
constexpr std::ptrdiff_t kRounds = 1 << 16;
constexpr int kBurstsPerThread = 12;
// A thread that the system starts late finds the queue empty: then there is another queue, unless
// the machine is so busy that this goes on.
constexpr int kLeastBursts = 3;
constexpr int kMostQueues = 50;

// One thread's best, on a cache line of its own.
struct alignas(kAlignment) Best {
  double rate = 0;
  int bursts = 0;
  float keep = 0;  // what was computed, so that it has to be
};

double nanoseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

// The threads take bursts from one queue: when one is held up, the others do its share, and what
// counts is each one's fastest.
double sum_of_best(const ThreadPool& pool, const kernels::KernelTable& table) {
  std::vector<Best> best(static_cast<std::size_t>(pool.threads()));
  const auto all_ran = [&best] {
    return std::all_of(best.begin(), best.end(),
                       [](const Best& one) { return one.bursts >= kLeastBursts; });
  };
  for (int queue = 0; queue < kMostQueues && !all_ran(); ++queue) {
    pool.parallel_for(pool.threads() * kBurstsPerThread, [&](std::ptrdiff_t, int slot) {
      Best& mine = best[static_cast<std::size_t>(slot)];
      const auto start = Clock::now();
      const std::ptrdiff_t fmas = table.fma_chains(0.5f, 1.0f, kRounds, &mine.keep);
      mine.rate = std::max(mine.rate, 2.0 * static_cast<double>(fmas) / nanoseconds_since(start));
      ++mine.bursts;
    });
  }
  double sum = 0;
  for (const Best& one : best) sum += one.rate;
  return sum;
}

}  // namespace

void PeakMeter::sample() {
  double peak = 0;
  for (const kernels::Isa isa : kernels::kAllIsas) {
    // The generic level has no fused multiply-add and cannot be the fastest beside another.
    if (!kernels::isa_supported(isa)) continue;
    if (isa == kernels::Isa::generic && kernels::best_isa() != isa) continue;
    peak = std::max(peak, sum_of_best(*pool_, kernels::kernel_table(isa)));
  }
  samples_.push_back(peak);
}

double PeakMeter::gflops() {
  if (samples_.empty()) sample();
  std::vector<double> sorted = samples_;
  const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
  std::nth_element(sorted.begin(), middle, sorted.end());
  return *middle;
}

double measure_read_bandwidth(const ThreadPool& pool, std::size_t bytes) {
  // Pieces of a megabyte from one queue; the first pass touches the pages and does not count.
  constexpr std::ptrdiff_t kPiece = std::ptrdiff_t{1} << 18;
  constexpr int kPasses = 4;
  const std::ptrdiff_t pieces =
      std::max<std::ptrdiff_t>(1, static_cast<std::ptrdiff_t>(bytes / sizeof(float)) / kPiece);
  FloatBuffer buffer(static_cast<std::size_t>(pieces * kPiece));
  pool.parallel_for(pieces, [&](std::ptrdiff_t i, int) {
    std::fill_n(buffer.data() + i * kPiece, kPiece, 1.0f);
  });
  const kernels::KernelTable& table = kernels::kernel_table(kernels::best_isa());
  std::vector<Best> sums(static_cast<std::size_t>(pool.threads()));
  double best = 0;
  for (int pass = 0; pass < kPasses; ++pass) {
    const auto start = Clock::now();
    pool.parallel_for(pieces, [&](std::ptrdiff_t i, int slot) {
      sums[static_cast<std::size_t>(slot)].keep +=
          table.read_sum(buffer.data() + i * kPiece, kPiece);
    });
    const double rate =
        static_cast<double>(buffer.size() * sizeof(float)) / nanoseconds_since(start);
    best = std::max(best, rate);
  }
  return best;
}

}  // namespace fovea
