// SPDX-License-Identifier: Apache-2.0
#include "fovea/backend/peak.h"

#include <gtest/gtest.h>

#include <cmath>

namespace fovea {
namespace {

// How fast is not a test's business; that every thread takes part is.
TEST(Peak, SamplesAreRatesOfAllThreads) {
  for (const int threads : {1, 2}) {
    PeakMeter meter(std::make_shared<ThreadPool>(threads));
    for (int i = 0; i < 3; ++i) meter.sample();
    EXPECT_GT(meter.gflops(), 0) << threads;
    EXPECT_TRUE(std::isfinite(meter.gflops())) << threads;
    EXPECT_EQ(meter.gflops(), meter.gflops());  // no further sample is taken
  }
}

TEST(Peak, TheFirstQuestionTakesASample) {
  PeakMeter meter(std::make_shared<ThreadPool>(1));
  EXPECT_GT(meter.gflops(), 0);
}

TEST(Peak, BandwidthOfLessThanAPieceIsMeasuredToo) {
  const ThreadPool pool(2);
  EXPECT_GT(measure_read_bandwidth(pool, 1), 0);
  EXPECT_TRUE(std::isfinite(measure_read_bandwidth(pool, std::size_t{3} << 20)));
}

}  // namespace
}  // namespace fovea
