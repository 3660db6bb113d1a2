// SPDX-License-Identifier: Apache-2.0
// What benchmarks share: operands, and rates beside the ceilings measured at start-up.
#pragma once

#include <benchmark/benchmark.h>

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

// Counters of one iteration's work: GFLOP/s and the percentage of the peak; GB/s (of caches, where
// the operands fit) and the percentage of what memory delivers.
void report_flops(benchmark::State& state, double flops, int threads = 1);
void report_bytes(benchmark::State& state, double bytes, int threads = 1);

// `count` values from [-1, 1), always the same.
FloatBuffer values(std::size_t count);
inline FloatBuffer values(int rows, int columns) {
  return values(static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns));
}

// 1, 2, 4, ... up to the threads that the machine grants.
std::vector<int> thread_counts();

// Registers `body(state)` under a name.
template <class Body>
benchmark::internal::Benchmark* add(const std::string& name, const Body& body) {
  return benchmark::RegisterBenchmark(name.c_str(), body)->UseRealTime();
}

// Writes the ceilings of one and of all threads above the results, then runs what was registered.
int run(int argc, char** argv);

}  // namespace fovea::bench
