// SPDX-License-Identifier: Apache-2.0
// Maps for tests: random values, gaps between the rows, and a check that nobody wrote there.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "fovea/core/map.h"
#include "fovea/core/tensor.h"
#include "tests/tolerance.h"

namespace fovea::test {

// Uniform in [-1, 1): a linear congruential generator (Knuth's MMIX constants), the same
// everywhere.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed * 2654435761u + 1) {}
  float operator()() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return static_cast<float>(static_cast<double>(state_ >> 40) * 0x1p-23 - 1.0);
  }

 private:
  std::uint64_t state_;
};

inline std::vector<float> random_floats(std::size_t count, std::uint64_t seed) {
  Random random(seed);
  std::vector<float> values(count);
  for (float& v : values) v = random();
  return values;
}

inline Tensor random_tensor(const Shape& shape, std::uint64_t seed) {
  return Tensor::from_floats(shape, random_floats(static_cast<std::size_t>(numel(shape)), seed));
}

// An owning map whose rows lie `gap` elements further apart than its channels need.
class TestMap {
 public:
  TestMap(int n, int h, int w, int c, int gap, std::uint64_t seed = 0)
      : values_(static_cast<std::size_t>(n) * h * w * (c + gap), kCanary),
        map_(values_.data(), n, h, w, c, c + gap) {
    Random random(seed);
    for (std::ptrdiff_t r = 0; r < map_.rows(); ++r) {
      for (int j = 0; j < c; ++j) map_.row(r)[j] = random();
    }
  }
  // A copy has its own values.
  TestMap(const TestMap& o) : values_(o.values_), map_(o.map_) { map_.data = values_.data(); }
  TestMap& operator=(const TestMap&) = delete;

  const MapF& map() const { return map_; }
  operator MapF() const { return map_; }
  operator CMapF() const { return map_; }

  bool gaps_intact() const {
    for (std::ptrdiff_t r = 0; r < map_.rows(); ++r) {
      for (std::ptrdiff_t j = map_.c; j < map_.ld; ++j) {
        if (map_.row(r)[j] != kCanary) return false;
      }
    }
    return true;
  }

 private:
  static constexpr float kCanary = 12345.0f;
  std::vector<float> values_;
  MapF map_;
};

inline std::vector<float> dense(const CMapF& m) {
  std::vector<float> values;
  for (std::ptrdiff_t r = 0; r < m.rows(); ++r)
    values.insert(values.end(), m.row(r), m.row(r) + m.c);
  return values;
}

// Relative L2 distance within the bound; the message names the worst element. Not-a-number fails.
inline void expect_close(const CMapF& found, const CMapF& wanted, double bound,
                         const std::string& what) {
  ASSERT_TRUE(found.same_shape(wanted)) << what;
  const std::vector<float> f = dense(found), w = dense(wanted);
  const double error = relative_l2(f.data(), w.data(), static_cast<std::ptrdiff_t>(f.size()));
  if (error <= bound) return;
  std::size_t worst = 0;
  double largest = -1;
  for (std::size_t i = 0; i < f.size(); ++i) {
    const double difference = std::abs(static_cast<double>(f[i]) - w[i]);
    if (difference > largest || std::isnan(difference)) {
      worst = i;
      largest = difference;
      if (std::isnan(difference)) break;
    }
  }
  const std::size_t c = static_cast<std::size_t>(found.c);
  ADD_FAILURE() << what << ": relative L2 error " << error << " above " << bound
                << "; worst at row " << worst / c << ", channel " << worst % c << ": found "
                << f[worst] << ", wanted " << w[worst];
}

}  // namespace fovea::test
