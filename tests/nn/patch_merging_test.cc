// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/patch_merging.h"

#include "tests/nn/blocks.h"

namespace fovea::nn {
namespace {

using test::TestMap;

TEST(PatchMerging, BackendsAgreeOnEvenAndOddMaps) {
  struct Size {
    int n, h, w;
  };
  for (const Size s : {Size{1, 1, 1}, Size{2, 4, 6}, Size{1, 5, 3}}) {
    const auto build = [](const Params& p) { return PatchMerging(p, 6, 10, 1e-5f); };
    const TestMap x(s.n, s.h, s.w, 6, 2, 1);
    test::expect_backends_agree(
        build,
        [&](const PatchMerging& block, MapF y, Context& ctx) {
          const Workspace::Scope scope(ctx.workspace());
          const MapF merged = block.forward(x, ctx);
          ASSERT_TRUE(merged.same_shape(y));
          for (std::ptrdiff_t r = 0; r < y.rows(); ++r) {
            std::copy(merged.row(r), merged.row(r) + y.c, y.row(r));
          }
        },
        TestMap(s.n, (s.h + 1) / 2, (s.w + 1) / 2, 10, 0), test::block_bound(3, 24));
  }
}

}  // namespace
}  // namespace fovea::nn
