// SPDX-License-Identifier: Apache-2.0
#include "fovea/core/cast.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "tests/expect_error.h"

namespace fovea {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The midpoint of two neighbours goes to the even one, what is beside it to the nearer one.
template <class Narrow, class Widen>
void expect_nearest(std::uint16_t below, const Narrow& narrow, const Widen& widen) {
  const auto above = static_cast<std::uint16_t>(below + 1);
  const float low = widen(below), high = widen(above);
  const float middle = static_cast<float>((double{low} + high) / 2);
  ASSERT_EQ(narrow(low), below);
  ASSERT_EQ(narrow(middle), (below & 1) == 0 ? below : above) << below;
  ASSERT_EQ(narrow(std::nextafter(middle, low)), below) << below;
  ASSERT_EQ(narrow(std::nextafter(middle, high)), above) << below;
  ASSERT_EQ(narrow(-low), below | 0x8000);
}

TEST(Cast, HalfIsTheNearest) {
  for (std::uint16_t bits = 0; bits < 0x7BFF; ++bits) expect_nearest(bits, f32_to_f16, f16_to_f32);
}

TEST(Cast, BrainFloatIsTheNearest) {
  for (std::uint16_t bits = 0x0080; bits < 0x7F7F; ++bits) {
    expect_nearest(bits, f32_to_bf16, bf16_to_f32);
  }
}

TEST(Cast, WhatIsTooLargeBecomesInfinite) {
  EXPECT_EQ(f32_to_f16(65519.0f), 0x7BFF);
  EXPECT_EQ(f32_to_f16(65520.0f), 0x7C00);
  EXPECT_EQ(f32_to_f16(-1e30f), 0xFC00);
  EXPECT_EQ(f32_to_f16(kInfinity), 0x7C00);
  EXPECT_EQ(f32_to_bf16(std::numeric_limits<float>::max()), 0x7F80);
  EXPECT_EQ(f32_to_bf16(-kInfinity), 0xFF80);
}

TEST(Cast, NotANumberStaysThat) {
  for (const std::uint32_t bits : {0x7FC00000u, 0x7F800001u, 0xFFFFFFFFu}) {
    const float nan = std::bit_cast<float>(bits);
    EXPECT_TRUE(std::isnan(f16_to_f32(f32_to_f16(nan))));
    EXPECT_TRUE(std::isnan(bf16_to_f32(f32_to_bf16(nan))));
  }
}

TEST(Cast, TensorsKeepTheirShape) {
  const Tensor tensor = Tensor::from_floats({2, 2}, std::vector<float>{0.0f, -1.5f, 3.0f, 1e-7f});
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    const Tensor narrow = cast(tensor, dtype);
    EXPECT_EQ(narrow.dtype(), dtype);
    EXPECT_EQ(narrow.shape(), tensor.shape());
    EXPECT_EQ(narrow.to_floats()[1], -1.5f);
    EXPECT_NEAR(narrow.to_floats()[3], 1e-7f, 0x1p-25);
  }
  EXPECT_EQ(cast(tensor, DType::f32).bytes(), tensor.bytes());
  EXPECT_FALSE(cast(Tensor::shape_only({3}), DType::f16).has_data());
  expect_error([&] { cast(tensor, DType::i8); }, Error::Kind::argument, "not i8");
}

}  // namespace
}  // namespace fovea
