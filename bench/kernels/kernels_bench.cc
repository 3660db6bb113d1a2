// SPDX-License-Identifier: Apache-2.0
// Every kernel of every list, at every level that this processor can run, on one thread.
#include "bench/kernels/kernel_bench.h"

int main(int argc, char** argv) {
  using fovea::kernels::Isa;
  using fovea::kernels::isa_supported;
  using fovea::kernels::kernel_table;
#define FOVEA_TILE(level, mr, nr)
#define FOVEA_KERNEL(level, name) \
  if (isa_supported(Isa::level)) fovea::bench::bench_##name(kernel_table(Isa::level), #level);
#include "all_kernels.inc"
#undef FOVEA_KERNEL
#undef FOVEA_TILE
  return fovea::bench::run(argc, argv);
}
