// SPDX-License-Identifier: Apache-2.0
#include "kernels/table.h"

namespace fovea::kernels {
namespace {

KernelTable make_table(Isa top) {
  KernelTable table;
#define FOVEA_TILE(level, mr, nr) \
  if (Isa::level <= top) {        \
    table.isa = Isa::level;       \
    table.gemm_rows = mr;         \
    table.gemm_cols = nr;         \
  }
#define FOVEA_KERNEL(level, name) \
  if (Isa::level <= top) table.name = &level::name;
#include "kernels/attention/kernels.inc"
#include "kernels/dwconv/kernels.inc"
#include "kernels/eltwise/kernels.inc"
#include "kernels/features/kernels.inc"
#include "kernels/gemm/kernels.inc"
#include "kernels/norm/kernels.inc"
#include "kernels/pool/kernels.inc"
#include "kernels/probe/kernels.inc"
#include "kernels/resize/kernels.inc"
#include "kernels/scan/kernels.inc"
#include "kernels/softmax/kernels.inc"
#undef FOVEA_KERNEL
#undef FOVEA_TILE
  return table;
}

}  // namespace

const KernelTable& kernel_table(Isa isa) noexcept {
  static const KernelTable tables[] = {make_table(Isa::generic), make_table(Isa::avx2),
                                       make_table(Isa::avx512)};
  return tables[static_cast<int>(isa)];
}

const char* isa_name(Isa isa) noexcept {
  switch (isa) {
    case Isa::generic:
      return "generic";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
  }
  return "unknown";
}

bool isa_supported(Isa isa) noexcept {
  switch (isa) {
    case Isa::generic:
      return true;
    // The builtins also ask the operating system (XGETBV) whether it saves the wide registers.
    case Isa::avx2:
#ifdef FOVEA_BUILD_AVX2
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#else
      return false;
#endif
    case Isa::avx512:
#ifdef FOVEA_BUILD_AVX512
      return isa_supported(Isa::avx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
             __builtin_cpu_supports("avx512vl");
#else
      return false;
#endif
  }
  return false;
}

Isa best_isa() noexcept {
  Isa best = Isa::generic;
  for (const Isa isa : kAllIsas) {
    if (isa_supported(isa)) best = isa;
  }
  return best;
}

}  // namespace fovea::kernels
