// SPDX-License-Identifier: Apache-2.0
// The kernels of one instruction set level, as plain function pointers.
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/dwconv/dwconv.h"
#include "kernels/eltwise/eltwise.h"
#include "kernels/features/features.h"
#include "kernels/gemm/gemm.h"
#include "kernels/norm/norm.h"
#include "kernels/pool/pool.h"
#include "kernels/probe/probe.h"
#include "kernels/resize/resize.h"
#include "kernels/scan/scan.h"
#include "kernels/softmax/softmax.h"

namespace fovea::kernels {

// Levels, lowest first; each includes those below it.
enum class Isa { generic, avx2, avx512 };
inline constexpr Isa kAllIsas[] = {Isa::generic, Isa::avx2, Isa::avx512};

struct KernelTable {
  Isa isa = Isa::generic;
  int gemm_rows = 0;  // the tile: rows of A that are computed together,
  int gemm_cols = 0;  // and columns of a packed panel

  gemm_fn* gemm = nullptr;
  gemm_transposed_fn* gemm_transposed = nullptr;
  gemm_indirect_fn* gemm_indirect = nullptr;
  pack_nk_fn* pack_nk = nullptr;
  pack_kn_fn* pack_kn = nullptr;
  attention_fn* attention = nullptr;
  pack_attention_fn* pack_attention = nullptr;
  dwconv_fn* dwconv = nullptr;
  layer_norm_fn* layer_norm = nullptr;
  rms_norm_fn* rms_norm = nullptr;
  moments_fn* moments = nullptr;
  scale_shift_fn* scale_shift = nullptr;
  l2_normalize_fn* l2_normalize = nullptr;
  column_sum_squares_fn* column_sum_squares = nullptr;
  column_mean_fn* column_mean = nullptr;
  softmax_fn* softmax = nullptr;
  epilogue_map_fn* epilogue_map = nullptr;
  multiply_fn* multiply = nullptr;
  add_rows_fn* add_rows = nullptr;
  blend_fn* blend = nullptr;
  average_pool_fn* average_pool = nullptr;
  max_pool_fn* max_pool = nullptr;
  pool_mix_fn* pool_mix = nullptr;
  resample_columns_fn* resample_columns = nullptr;
  resample_rows_fn* resample_rows = nullptr;
  map_features_fn* map_features = nullptr;
  rotate_pairs_fn* rotate_pairs = nullptr;
  row_dots_fn* row_dots = nullptr;
  scale_rows_fn* scale_rows = nullptr;
  selective_scan_fn* selective_scan = nullptr;
  gated_scan_fn* gated_scan = nullptr;
  power_gates_fn* power_gates = nullptr;
  softplus_decay_fn* softplus_decay = nullptr;
  fma_chains_fn* fma_chains = nullptr;
  read_sum_fn* read_sum = nullptr;

  // Floats that B(k, n) takes when packed.
  std::ptrdiff_t packed_size(int n, int k) const {
    return (static_cast<std::ptrdiff_t>(n) + gemm_cols - 1) / gemm_cols * gemm_cols * k;
  }
  // Floats that pack_attention writes, at most, and those of attention's scratch.
  std::ptrdiff_t packed_attention_size(std::ptrdiff_t keys, std::ptrdiff_t d,
                                       std::ptrdiff_t dv) const {
    return (keys + 15) / 16 * 16 * d + (dv + 15) / 16 * 16 * keys;
  }
  std::ptrdiff_t attention_scores_size(std::ptrdiff_t keys) const {
    return (keys + 15) / 16 * 16 * gemm_rows;
  }
};

// Filled from the lowest level up to `isa`, each overriding what it improves.  A level that was not
// built leaves what the one below it gave.
const KernelTable& kernel_table(Isa isa) noexcept;

const char* isa_name(Isa isa) noexcept;

// Was it built, and can this processor and operating system run it?
bool isa_supported(Isa isa) noexcept;
// The highest supported level.
Isa best_isa() noexcept;

}  // namespace fovea::kernels
