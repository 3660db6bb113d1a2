// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/row_strips.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <utility>
#include <vector>

#include "fovea/nn/mlp.h"
#include "fovea/nn/norm.h"
#include "tests/nn/blocks.h"

namespace fovea::nn {
namespace {

using test::TestMap;
using Range = std::pair<std::ptrdiff_t, std::ptrdiff_t>;

// The ranges that a chain over `rows` rows of 100 floats is cut into, in order.
std::vector<Range> ranges(std::string_view backend_name, std::ptrdiff_t rows, Context& ctx) {
  const auto backend = make_backend(backend_name);
  std::mutex one;
  std::vector<Range> found;
  for_row_strips(*backend, rows, 100, ctx, [&](const RowStrip& strip) {
    const std::lock_guard<std::mutex> lock(one);
    found.emplace_back(strip.first, strip.first + strip.count);
  });
  std::sort(found.begin(), found.end());
  return found;
}

TEST(RowStrips, CoverAllRowsOnce) {
  for (const int threads : {1, 2, 3}) {
    Context ctx(threads);
    for (const std::ptrdiff_t rows : {1, 64, 1000, 10000, 10001, 123457}) {
      const std::vector<Range> found = ranges("native", rows, ctx);
      std::ptrdiff_t next = 0;
      for (const auto& [first, end] : found) {
        EXPECT_EQ(first, next);
        EXPECT_GT(end, first);
        next = end;
      }
      EXPECT_EQ(next, rows);
      EXPECT_EQ(found.size() > 1, rows >= 10000) << rows << " rows, " << threads;
    }
  }
}

// A strip knows how many rows the one has that its thread takes next.
TEST(RowStrips, KnowWhatComesNext) {
  const auto backend = make_backend("native");
  Context ctx(1);
  std::ptrdiff_t next_first = 0, next_count = -1;
  for_row_strips(*backend, 10001, 100, ctx, [&](const RowStrip& strip) {
    EXPECT_EQ(strip.first, next_first);
    if (next_count >= 0) {
      EXPECT_EQ(strip.count, next_count);
    }
    next_first = strip.first + strip.count;
    next_count = strip.next;
  });
  EXPECT_EQ(next_count, 0);
}

TEST(RowStrips, OtherBackendsAndDryRunsTakeAllRowsAtOnce) {
  Context ctx(2);
  for (const std::string_view name : backend_names()) {
    EXPECT_EQ(ranges(name, 10000, ctx).size() > 1, name == "native") << name;
  }
  ctx.set_dry_run(true);
  EXPECT_EQ(ranges("native", 10000, ctx).size(), 1u);
}

// x + mlp(norm(x)) of a map that is cut, with the same bits as if it were not.
TEST(RowStrips, ComputeWhatWholeMapsCompute) {
  constexpr int kWidth = 24, kHidden = 40;
  const auto build = [](const Params& p) {
    return std::pair(LayerNorm(p / "norm", kWidth, 1e-5f), Mlp(p / "mlp", kWidth, kHidden));
  };
  const auto source = test::weights_for(build);
  const auto backend = make_backend("native");
  const auto block = test::build_with(build, source, *backend);
  const TestMap x(1, 111, 113, kWidth, 5, 7);
  TestMap want = x;
  {
    Context ctx(1);
    const TestMap t(1, 111, 113, kWidth, 0);
    block.first.forward(want, t, ctx);
    block.second.forward(t, want, ctx, {.residual = want.map()});
  }
  for (const int threads : {1, 2, 3}) {
    Context ctx(threads);
    TestMap y = x;
    for_row_strips(*backend, y.map().rows(), 2 * kWidth, ctx, [&](const RowStrip& strip) {
      const Workspace::Scope scope(strip.ctx.workspace());
      const MapF rows = strip.of(y.map());
      const MapF t = strip.ctx.workspace().map_like(rows);
      block.first.forward(rows, t, strip.ctx);
      strip.expect_next(y.map());
      block.second.forward(t, rows, strip.ctx, strip.of({.residual = y.map()}));
    });
    EXPECT_TRUE(y.gaps_intact());
    for (std::ptrdiff_t r = 0; r < y.map().rows(); ++r) {
      ASSERT_EQ(0, std::memcmp(y.map().row(r), want.map().row(r), kWidth * sizeof(float)))
          << "row " << r << ", " << threads << " threads";
    }
    const std::int64_t products = std::int64_t{2} * 111 * 113 * kWidth * kHidden;
    EXPECT_EQ(ctx.macs(), products);
  }
}

}  // namespace
}  // namespace fovea::nn
