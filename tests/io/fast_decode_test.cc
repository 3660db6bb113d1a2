// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>

#include "tests/io/pictures.h"

#ifdef FOVEA_WITH_LIBJPEG

namespace fovea {
namespace {

Image read_scaled(const std::string& file, int least_width, int least_height,
                  bool fast_decode = true) {
  ImageOptions options;
  options.fast_decode = fast_decode;
  options.least_width = least_width;
  options.least_height = least_height;
  return read_image(FOVEA_TEST_DATA "/pictures/" + file, options);
}

std::pair<int, int> size_of(const Image& image) { return {image.width, image.height}; }

TEST(FastDecode, TakesTheSmallestScaleThatIsNotTooSmall) {
  const std::string file = "sampling_2x2_17x9.jpg";
  EXPECT_EQ(size_of(read_scaled(file, 1, 1)), std::pair(3, 2));
  EXPECT_EQ(size_of(read_scaled(file, 3, 2)), std::pair(3, 2));
  EXPECT_EQ(size_of(read_scaled(file, 4, 2)), std::pair(5, 3));
  EXPECT_EQ(size_of(read_scaled(file, 3, 3)), std::pair(5, 3));
  EXPECT_EQ(size_of(read_scaled(file, 9, 5)), std::pair(9, 5));
  EXPECT_EQ(size_of(read_scaled(file, 10, 5)), std::pair(17, 9));
  EXPECT_EQ(size_of(read_scaled(file, 170, 90)), std::pair(17, 9));
  EXPECT_EQ(size_of(read_scaled("cmyk_adobe_0_17x9.jpg", 1, 1)), std::pair(3, 2));
}

TEST(FastDecode, MeansTheSizeOfTheUprightPicture) {
  EXPECT_EQ(size_of(read_scaled("orientation1.jpg", 10, 6)), std::pair(10, 6));
  EXPECT_EQ(size_of(read_scaled("orientation6.jpg", 6, 10)), std::pair(6, 10));
  EXPECT_EQ(size_of(read_scaled("orientation6.jpg", 10, 6)), std::pair(11, 19));
}

TEST(FastDecode, ChangesNothingUnlessItIsAskedForWithASize) {
  for (const std::string file : {"sampling_2x2_17x9.jpg", "rgb8_3x5.png"}) {
    const Image full = read_image(FOVEA_TEST_DATA "/pictures/" + file);
    EXPECT_EQ(read_scaled(file, 1, 1, false).pixels, full.pixels);
    EXPECT_EQ(read_scaled(file, 0, 0).pixels, full.pixels);
    EXPECT_EQ(read_scaled(file, 0, 1).pixels, full.pixels);
  }
  EXPECT_EQ(size_of(read_scaled("rgb8_3x5.png", 1, 1)), std::pair(3, 5));
}

TEST(FastDecode, KeepsTheMeanOfBlocks) {
  const std::string file = "grey_17x9.jpg";
  const Image full = read_scaled(file, 17, 9);
  const Image scaled = read_scaled(file, 1, 1);
  for (std::size_t block = 0; block < 2; ++block) {  // those that the picture fills
    double mean = 0;
    for (std::size_t y = 0; y < 8; ++y) {
      for (std::size_t x = 0; x < 8; ++x) mean += full.pixels[(y * 17 + block * 8 + x) * 3] / 64.0;
    }
    // Each of the pixels was rounded, and so is the mean.
    EXPECT_NEAR(scaled.pixels[block * 3], mean, 1.0);
  }
}

}  // namespace
}  // namespace fovea

#endif
