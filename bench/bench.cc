// SPDX-License-Identifier: Apache-2.0
#include "bench/bench.h"

#include <cstdio>
#include <map>
#include <memory>

#include "fovea/backend/peak.h"
#include "fovea/core/generator.h"

namespace fovea::bench {
namespace {

Ceiling measure(int threads) {
  constexpr int kSamples = 9;
  const auto pool = std::make_shared<ThreadPool>(threads);
  PeakMeter meter(pool);
  for (int i = 0; i < kSamples; ++i) meter.sample();
  return {meter.gflops(), 1e9 * measure_read_bandwidth(*pool)};
}

}  // namespace

const Ceiling& ceiling(int threads) {
  static std::map<int, Ceiling> known;
  const auto found = known.find(threads);
  return found != known.end() ? found->second
                              : known.emplace(threads, measure(threads)).first->second;
}

void report_flops(benchmark::State& state, double seconds, double flops, int threads) {
  const double gflops = 1e-9 * flops / seconds;
  state.counters["GFLOP/s"] = gflops;
  state.counters["% of peak"] = 100 * gflops / ceiling(threads).gflops;
}

void report_bytes(benchmark::State& state, double seconds, double bytes, int threads) {
  state.counters["GB/s"] = 1e-9 * bytes / seconds;
  state.counters["% of memory"] = 100 * bytes / seconds / ceiling(threads).bytes_per_second;
}

FloatBuffer values(std::size_t count) {
  FloatBuffer buffer(count);
  for (std::size_t i = 0; i < count; ++i) buffer[i] = generated_value(fnv1a("bench"), i, -1.0, 1.0);
  return buffer;
}

std::vector<int> thread_counts() {
  const int most = default_threads();
  std::vector<int> counts;
  for (int n = 1; n < most; n *= 2) counts.push_back(n);
  counts.push_back(most);
  return counts;
}

int run(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  for (const int threads : thread_counts()) {
    const Ceiling& c = ceiling(threads);
    char text[64];
    std::snprintf(text, sizeof text, "%.1f GFLOP/s, %.1f GB/s from memory", c.gflops,
                  c.bytes_per_second * 1e-9);
    benchmark::AddCustomContext("peak of " + std::to_string(threads) + " thread(s)", text);
  }
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}

}  // namespace fovea::bench
