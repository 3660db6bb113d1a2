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

// The same without antialiasing: fewer and more lines than there are, beyond both edges.
TEST(ResizeGrid, IsTorchsPlainBicubicWhereAsked) {
  constexpr double kTolerance = 1e-6;
  const std::vector<float> grid = {1, 2, 4, 8, 3, 0,  -1, 5, 2, 7, 3, 1, -2,
                                   6, 0, 4, 4, 1, -3, 2,  9, 0, 2, 1, 5};
  expect_near(resize_grid(grid.data(), 5, 5, 1, 2, 3, false),
              {-0.5645255, 5.5117188, 5.462963, 4.7664931, 1.5429688, 0.7678675}, kTolerance);
  expect_near(resize_grid(grid.data(), 5, 5, 1, 7, 4, false),
              {1.1823809, 2.6705568, 7.579214,  3.3365112, 0.0451781,  2.0209776, 4.6693767,
               5.8385127, 0.4327759, 0.3823178, 2.884955,  5.216283,   2.8217773, -0.828125,
               3.5786133, 0.7089844, 3.4042093, 2.4035637, -1.0917933, 0.650864,  5.8404374,
               2.1825602, -1.513316, 2.8291414, 8.3545847, -0.4685877, 1.3170981, 4.8185758},
              kTolerance);
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
