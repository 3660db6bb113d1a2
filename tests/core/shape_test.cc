// SPDX-License-Identifier: Apache-2.0
#include "fovea/core/shape.h"

#include <gtest/gtest.h>

namespace fovea {
namespace {

constexpr std::int64_t kHuge = std::int64_t{1} << 62;

TEST(Shape, CountsItsElements) {
  EXPECT_EQ(checked_numel({}), 1);
  EXPECT_EQ(checked_numel({64, 3, 7, 7}), 64 * 3 * 7 * 7);
  EXPECT_EQ(checked_numel({5, 0, 3}), 0);
  EXPECT_EQ(checked_numel({kHuge, 1}), kHuge);
  EXPECT_EQ(numel({2, 3}), 6);
}

TEST(Shape, RefusesProductsThatLeave63Bits) {
  EXPECT_EQ(checked_numel({kHuge, 2}), std::nullopt);
  EXPECT_EQ(checked_numel({kHuge, 4}), std::nullopt);  // wraps to exactly zero
  EXPECT_EQ(checked_numel({-1}), std::nullopt);
  EXPECT_EQ(checked_numel({-2, -3}), std::nullopt);
}

TEST(Shape, RefusesAHugeShapeBehindASizeOfZero) {
  EXPECT_EQ(checked_numel({0, kHuge, 4}), std::nullopt);
  EXPECT_EQ(checked_numel({kHuge, 4, 0}), std::nullopt);
}

TEST(Shape, PrintsLikeThePaperWrites) {
  EXPECT_EQ(to_string(Shape{}), "[]");
  EXPECT_EQ(to_string(Shape{64, 3, 7, 7}), "[64, 3, 7, 7]");
}

}  // namespace
}  // namespace fovea
