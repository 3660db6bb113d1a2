// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/position_embedding.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace fovea::nn {
namespace {

// 3/8, 10/8, 6/8, ...: exact in every precision.
std::vector<float> values(int count) {
  std::vector<float> v;
  for (int i = 0; i < count; ++i) v.push_back(static_cast<float>((i * 7 + 3) % 11) / 8);
  return v;
}

void expect_near(const FloatBuffer& found, const std::vector<double>& wanted, double tolerance) {
  ASSERT_EQ(found.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(found[i], wanted[i], tolerance) << i;
}

// What torch.nn.functional.interpolate gives in double precision, to nine digits.
TEST(ResizeGrid, IsTorchsAntialiasedBicubic) {
  constexpr double kTolerance = 1e-7;
  expect_near(resize_grid(values(6).data(), 3, 2, 1, 2, 3),
              {0.465259884, 0.688101926, 0.910943968, 1.04535302, 0.731239968, 0.417126911},
              kTolerance);
  expect_near(resize_grid(values(12).data(), 2, 3, 2, 4, 2),
              {0.513230573, 0.907090926, 1.03088707, 0.475710509, 0.439386035, 0.833246388,
               0.957042536, 0.401865971, 0.292957464, 0.686817817, 0.810613965, 0.2554374,
               0.219112926, 0.612973279, 0.736769427, 0.181592862},
              kTolerance);
  expect_near(resize_grid(values(16).data(), 4, 4, 1, 2, 2),
              {0.74152423, 0.565951352, 0.625023479, 0.607320624}, kTolerance);
  expect_near(resize_grid(values(4).data(), 2, 2, 1, 3, 5),
              {0.254693707, 0.413615116, 0.833059211, 1.25250331, 1.41142471, 0.543926887,
               0.57479067, 0.65625, 0.73770933, 0.768573113, 0.833160067, 0.735966224, 0.479440789,
               0.222915355, 0.125721512},
              kTolerance);
}

TEST(ResizeGrid, KeepsAGridOfTheSameSizeAndAConstantOne) {
  const std::vector<float> grid = values(5 * 4 * 3);
  const FloatBuffer same = resize_grid(grid.data(), 5, 4, 3, 5, 4);
  for (std::size_t i = 0; i < grid.size(); ++i) EXPECT_EQ(same[i], grid[i]);
  const std::vector<float> ones(7 * 7, 1.0f);
  for (const float v : resize_grid(ones.data(), 7, 7, 1, 16, 3)) EXPECT_FLOAT_EQ(v, 1.0f);
  for (const float v : resize_grid(ones.data(), 1, 1, 2, 3, 4)) EXPECT_FLOAT_EQ(v, 1.0f);
}

// What timm's resize_rel_pos_bias_table gives, in single precision.
TEST(ResizeBiasTable, IsTimmsGeometricInterpolation) {
  constexpr double kTolerance = 4e-7;
  expect_near(resize_bias_table(values(25).data(), 3, 1, 2, 3),
              {0.620049059, 0.125, 1, 0.5, 0.00495095784, 0.870049, 0.375, 1.25, 0.75, 0.25495097,
               1.12004912, 0.625, 0.125, 1, 0.504950941},
              kTolerance);
  expect_near(resize_bias_table(values(18).data(), 2, 2, 3, 2),
              {0.375, 1.25,  0.75,  0.25,  1.125, 0.625, 0.375, 1.25,  0.75,  0.25,
               1.125, 0.625, 0.125, 1,     0.5,   0,     0.875, 0.375, 1.25,  0.75,
               0.25,  1.125, 0.625, 0.125, 1.25,  0.75,  0.25,  1.125, 0.625, 0.125},
              kTolerance);
  expect_near(resize_bias_table(values(49).data(), 4, 1, 2, 1), {0.125, 0.75, 0}, kTolerance);
}

}  // namespace
}  // namespace fovea::nn
