// SPDX-License-Identifier: Apache-2.0
// What the tests of the reference backend share. Inputs are
//
//   ramp = lambda *s, a=0.37: torch.sin(torch.arange(prod(s)) * a + 0.11).float().double().view(s)
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <initializer_list>
#include <vector>

#include "fovea/backend/backend.h"
#include "tests/backend/maps.h"

namespace fovea {

using Kind = Activation::Kind;

inline std::vector<float> ramp(std::size_t count, double a = 0.37) {
  std::vector<float> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    values[i] = static_cast<float>(std::sin(static_cast<double>(i) * a + 0.11));
  }
  return values;
}

struct Ramp : test::TestMap {
  Ramp(int n, int h, int w, int c, double a = 0.37) : TestMap(n, h, w, c, 1) {
    const std::vector<float> values = ramp(static_cast<std::size_t>(n) * h * w * c, a);
    for (std::ptrdiff_t r = 0; r < map().rows(); ++r) {
      std::copy_n(values.data() + r * c, c, map().row(r));
    }
  }
};

inline Tensor ramp_tensor(const Shape& shape, double a) {
  return Tensor::from_floats(shape, ramp(static_cast<std::size_t>(numel(shape)), a));
}

class Reference : public testing::Test {
 protected:
  // The numbers are printed to seven decimals; then they and the results are rounded to floats.
  void expect(const CMapF& found, std::initializer_list<float> wanted) {
    const std::vector<float> f = test::dense(found);
    ASSERT_EQ(f.size(), wanted.size());
    const float* w = wanted.begin();
    for (std::size_t i = 0; i < f.size(); ++i) {
      EXPECT_NEAR(f[i], w[i], 0.5e-7 + test::rounding_error(2, std::abs(w[i]))) << "element " << i;
    }
  }

  std::shared_ptr<const Backend> backend_ = make_backend("reference");
  const Backend& b_ = *backend_;
  Context ctx_{1};
};

}  // namespace fovea
