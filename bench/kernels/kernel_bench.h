// SPDX-License-Identifier: Apache-2.0
// A benchmark file defines bench_<name>(table, level) for every kernel of its family, which
// registers the kernel's benchmarks under name(...). A kernel without one does not link.
#pragma once

#include <string>

#include "bench/bench.h"
#include "bench/shapes.h"
#include "kernels/table.h"

namespace fovea::bench {

using kernels::KernelTable;

#define FOVEA_TILE(isa, mr, nr)
#define FOVEA_KERNEL(isa, kernel) \
  void bench_##kernel(const KernelTable& table, const std::string& level);
#include "all_kernels.inc"
#undef FOVEA_KERNEL
#undef FOVEA_TILE

// "gemm/avx2/vit_base/fc1"
inline std::string name_of(const char* kernel, const std::string& level, const std::string& shape) {
  return std::string(kernel) + "/" + level + "/" + shape;
}

// In the thread's own time: other processes do not count.
template <class Body>
double timed(benchmark::State& state, const Body& body) {
  return timed(state, CLOCK_THREAD_CPUTIME_ID, body);
}

}  // namespace fovea::bench
