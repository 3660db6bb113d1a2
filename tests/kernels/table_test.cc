// SPDX-License-Identifier: Apache-2.0
#include "kernels/table.h"

#include <gtest/gtest.h>

namespace {

using fovea::kernels::Isa;
using fovea::kernels::KernelTable;

TEST(kernel_table, names_every_level) {
  EXPECT_STREQ(isa_name(Isa::generic), "generic");
  EXPECT_STREQ(isa_name(Isa::avx2), "avx2");
  EXPECT_STREQ(isa_name(Isa::avx512), "avx512");
}

TEST(kernel_table, can_always_run_the_generic_level) {
  EXPECT_TRUE(isa_supported(Isa::generic));
  EXPECT_TRUE(isa_supported(fovea::kernels::best_isa()));
}

TEST(kernel_table, is_complete_at_every_level) {
  for (const Isa isa : fovea::kernels::kAllIsas) {
    const KernelTable& t = kernel_table(isa);
    EXPECT_LE(t.isa, isa);
    EXPECT_GT(t.gemm_rows, 0);
    EXPECT_GT(t.gemm_cols, 0);
#define FOVEA_TILE(level, mr, nr)
#define FOVEA_KERNEL(level, name) EXPECT_NE(t.name, nullptr) << isa_name(isa);
#include "kernels/dwconv/kernels.inc"
#include "kernels/eltwise/kernels.inc"
#include "kernels/gemm/kernels.inc"
#include "kernels/norm/kernels.inc"
#include "kernels/pool/kernels.inc"
#include "kernels/softmax/kernels.inc"
#undef FOVEA_KERNEL
#undef FOVEA_TILE
  }
}

TEST(kernel_table, pads_packed_weights_to_whole_panels) {
  for (const Isa isa : fovea::kernels::kAllIsas) {
    const KernelTable& t = kernel_table(isa);
    EXPECT_EQ(t.packed_size(1, 7), t.gemm_cols * 7);
    EXPECT_EQ(t.packed_size(t.gemm_cols, 7), t.gemm_cols * 7);
    EXPECT_EQ(t.packed_size(t.gemm_cols + 1, 7), 2 * t.gemm_cols * 7);
  }
}

}  // namespace
