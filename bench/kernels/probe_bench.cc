// SPDX-License-Identifier: Apache-2.0
#include "bench/kernels/kernel_bench.h"
#include "kernels/probe/probe.h"

namespace fovea::bench {

// Shows how far a level is from the best one, and how steady the clocks are.
void bench_fma_chains(const KernelTable& t, const std::string& level) {
  add(name_of("fma_chains", level, "registers"), [&t](benchmark::State& state) {
    float sum = 0;
    std::ptrdiff_t fmas = 0;
    const double seconds = timed(state, [&] {
      fmas = t.fma_chains(0.5f, 1.0f, 1 << 16, &sum);
      benchmark::DoNotOptimize(sum);
    });
    report_flops(state, seconds, 2.0 * static_cast<double>(fmas));
  });
}

// From the first cache to memory.
void bench_read_sum(const KernelTable& t, const std::string& level) {
  for (const int kib : {16, 256, 4096, 262144}) {
    add(name_of("read_sum", level, std::to_string(kib) + "KiB"),
        [&t, kib](benchmark::State& state) {
          const FloatBuffer x = values(kib, 256);
          const double seconds = timed(state, [&] {
            float sum = t.read_sum(x.data(), static_cast<std::ptrdiff_t>(x.size()));
            benchmark::DoNotOptimize(sum);
          });
          report_bytes(state, seconds, bytes_of(x));
        });
  }
}

}  // namespace fovea::bench
