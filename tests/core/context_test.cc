// SPDX-License-Identifier: Apache-2.0
#include "fovea/core/context.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <string>
#include <vector>

#include "fovea/core/error.h"
#include "tests/expect_error.h"

namespace fovea {
namespace {

constexpr int kParts = 37;

TEST(ContextParts, AllRunOnceOnOneThreadEach) {
  for (const int threads : {1, 2, 3}) {
    Context ctx(threads);
    std::vector<std::atomic<int>> runs(kParts);
    ctx.for_parts(kParts, [&](std::ptrdiff_t i, Context& part) {
      ++runs[static_cast<std::size_t>(i)];
      if (part.threads() != 1) throw Error(Error::Kind::failed, "a part with several threads");
      const Workspace::Scope scope(part.workspace());
      float* const own = part.workspace().floats(1000);
      std::fill_n(own, 1000, static_cast<float>(i));
      part.count_macs(i);
      for (int j = 0; j < 1000; ++j) {
        if (own[j] != static_cast<float>(i)) throw Error(Error::Kind::failed, "shared memory");
      }
    });
    for (const auto& count : runs) EXPECT_EQ(count, 1) << threads << " threads";
    EXPECT_EQ(ctx.macs(), kParts * (kParts - 1) / 2) << threads << " threads";
  }
}

TEST(ContextParts, WhatOneThrowsComesOutAndTheContextServesOn) {
  for (const int threads : {1, 3}) {
    Context ctx(threads);
    expect_error(
        [&] {
          ctx.for_parts(kParts, [](std::ptrdiff_t i, Context&) {
            if (i == 5) throw Error(Error::Kind::argument, "the fifth part");
          });
        },
        Error::Kind::argument, "the fifth part");
    std::atomic<int> runs{0};
    ctx.for_parts(kParts, [&](std::ptrdiff_t, Context&) { ++runs; });
    EXPECT_EQ(runs, kParts);
  }
}

TEST(Context, HandsOutOnceWhatIsExpected) {
  const std::vector<float> values(12);
  const CMapF first(values.data(), 1, 1, 2, 3), second(values.data() + 6, 1, 1, 1, 3);
  Context ctx(1);
  ctx.expect(CMapF(values.data(), 1, 1, 0, 3));  // nothing to read
  ctx.expect(first);
  ctx.expect(second);
  ctx.expect(first);  // one too many
  const auto expected = ctx.take_expected();
  ASSERT_EQ(expected.size(), 2u);
  EXPECT_EQ(expected[0].data, first.data);
  EXPECT_EQ(expected[0].rows(), 2);
  EXPECT_EQ(expected[1].data, second.data);
  for (const CMapF& rest : ctx.take_expected()) EXPECT_TRUE(rest.empty());
}

}  // namespace
}  // namespace fovea
