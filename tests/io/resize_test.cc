// SPDX-License-Identifier: Apache-2.0
#include "fovea/io/resize.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tests/io/pictures.h"

namespace fovea {
namespace {

using test::crc32_of;
using test::expect_argument_error;
using test::make_picture;

constexpr Filter kFilters[] = {Filter::nearest, Filter::box,     Filter::bilinear,
                               Filter::hamming, Filter::bicubic, Filter::lanczos};

TEST(Resize, EqualsPillowInEveryByte) {
  const auto cases = test::pillow_cases("resize");
  ASSERT_EQ(cases.size(), 72u);
  for (const auto& item : cases) {
    const auto& to = item.at("to");
    const Image resized = resize(make_picture(item.at("image")), to.at("width"), to.at("height"),
                                 filter_from_name(item.at("filter").get<std::string>()));
    EXPECT_EQ(crc32_of(resized), item.at("result").at("crc32").get<std::uint32_t>())
        << item.at("image") << " " << item.at("filter") << " to " << to;
    const auto& samples = item.at("result").at("samples");
    for (std::size_t k = 0; k < samples.size(); ++k) {
      const std::size_t index = (2 * k + 1) * resized.pixels.size() / (2 * samples.size());
      ASSERT_EQ(int{resized.pixels[index]}, samples[k].get<int>()) << "sample " << k;
    }
  }
}

TEST(Resize, OfAWindowIsTheWindowOfTheResizedPicture) {
  const Image picture = make_picture("window", 53, 37);
  const struct {
    int width, height;
    Window window;
  } targets[] = {{29, 61, {5, 7, 20, 31}},   {110, 20, {0, 0, 1, 1}},
                 {53, 80, {52, 79, 1, 1}},   {17, 37, {3, 11, 9, 20}},
                 {53, 37, {10, 12, 30, 13}}, {200, 100, {60, 40, 140, 60}}};
  for (const auto& [width, height, window] : targets) {
    for (const Filter filter : kFilters) {
      const Image whole = resize(picture, width, height, filter);
      const Image part = resize_window(picture, width, height, filter, window);
      ASSERT_EQ(part.width, window.width);
      ASSERT_EQ(part.height, window.height);
      for (int y = 0; y < window.height; ++y) {
        const auto expected =
            whole.pixels.begin() + ((window.top + y) * whole.width + window.left) * 3;
        const auto found = part.pixels.begin() + y * window.width * 3;
        EXPECT_TRUE(std::equal(found, found + window.width * 3, expected))
            << name(filter) << " to " << width << " x " << height << ", row " << y;
      }
    }
  }
}

TEST(Resize, KeepsAUniformPictureUniform) {
  Image picture = make_image(13, 9);
  std::fill(picture.pixels.begin(), picture.pixels.end(), std::uint8_t{201});
  for (const Filter filter : kFilters) {
    for (const int edge : {1, 4, 13, 50}) {
      const Image resized = resize(picture, edge, 2 * edge, filter);
      EXPECT_EQ(std::count(resized.pixels.begin(), resized.pixels.end(), 201),
                std::ptrdiff_t{edge} * 2 * edge * 3)
          << name(filter) << " to " << edge;
    }
  }
}

TEST(Resize, RefusesSizesBelowOne) {
  const Image picture = make_image(4, 4);
  for (const Filter filter : kFilters) {
    expect_argument_error([&] { resize(picture, 0, 3, filter); }, {"0 x 3"});
    expect_argument_error([&] { resize(picture, 3, -1, filter); }, {"3 x -1"});
  }
}

TEST(Resize, RefusesAPictureWithoutAllItsPixels) {
  Image picture = make_image(4, 4);
  picture.pixels.pop_back();
  expect_argument_error([&] { resize(picture, 2, 2, Filter::box); },
                        {"wants 48 values, but found 47"});
  expect_argument_error([&] { resize(Image{}, 2, 2, Filter::box); }, {"0 x 0"});
}

TEST(Resize, RefusesAWindowThatLeavesThePicture) {
  const Image picture = make_image(4, 4);
  for (const Window& window : {Window{-1, 0, 2, 2}, Window{0, 7, 8, 2}, Window{1, 0, 8, 8},
                               Window{0, 0, 0, 1}, Window{2147483647, 0, 2, 2}}) {
    expect_argument_error([&] { resize_window(picture, 8, 8, Filter::bicubic, window); },
                          {"wants a window inside 8 x 8"});
  }
}

TEST(Resize, RefusesAFilterThatIsNone) {
  expect_argument_error([] { resize(make_image(4, 4), 2, 2, static_cast<Filter>(77)); }, {"77"});
}

}  // namespace
}  // namespace fovea
