// SPDX-License-Identifier: Apache-2.0
// What benchmarks share: operands, and rates beside the ceilings measured at start-up.
#pragma once

#include <benchmark/benchmark.h>
#include <time.h>

#include <cstddef>
#include <string>
#include <vector>

#include "fovea/core/buffer.h"

namespace fovea::bench {

// What the processor does at most on `threads` threads; measured once and kept.
struct Ceiling {
  double gflops = 0;            // multiply-adds on registers
  double bytes_per_second = 0;  // reading memory
};
const Ceiling& ceiling(int threads);

inline double seconds_of(clockid_t clock) {
  timespec t{};
  clock_gettime(clock, &t);
  return static_cast<double>(t.tv_sec) + 1e-9 * static_cast<double>(t.tv_nsec);
}

// Runs `body` as often as Google Benchmark asks for; the mean seconds of one run.
template <class Body>
double timed(benchmark::State& state, clockid_t clock, const Body& body) {
  const double start = seconds_of(clock);
  for (auto _ : state) {
    body();
    benchmark::ClobberMemory();
  }
  return (seconds_of(clock) - start) / static_cast<double>(state.iterations());
}

// Counters of what was done in so many seconds: GFLOP/s and the percentage of the peak; GB/s (of
// caches, where the operands fit) and the percentage of what memory delivers.
void report_flops(benchmark::State& state, double seconds, double flops, int threads = 1);
void report_bytes(benchmark::State& state, double seconds, double bytes, int threads = 1);

// `count` values from [-1, 1), always the same.
FloatBuffer values(std::size_t count);
inline FloatBuffer values(int rows, int columns) {
  return values(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns));
}

inline double bytes_of(const FloatBuffer& b) {
  return static_cast<double>(b.size() * sizeof(float));
}

// 1, 2, 4, ... up to the threads that the machine grants.
std::vector<int> thread_counts();

// Registers `body(state)` under a name.
template <class Body>
benchmark::internal::Benchmark* add(const std::string& name, const Body& body) {
  return benchmark::RegisterBenchmark(name.c_str(), body);
}

// Writes the ceilings of one and of all threads above the results, then runs what was registered.
int run(int argc, char** argv);

}  // namespace fovea::bench
