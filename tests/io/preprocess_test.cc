// SPDX-License-Identifier: Apache-2.0
#include "fovea/io/preprocess.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <limits>
#include <string>
#include <vector>

#include "tests/io/pictures.h"

namespace fovea {
namespace {

using test::expect_argument_error;
using test::make_picture;

// A config must be able to stand in a table known at compile time.
constexpr PreprocessConfig kPlain = {.height = 4,
                                     .width = 4,
                                     .crop_pct = 1.0,
                                     .mean = {0.0f, 0.0f, 0.0f},
                                     .std = {1.0f, 1.0f, 1.0f}};

std::vector<float> preprocessed(const Image& image, const PreprocessConfig& config) {
  std::vector<float> out(static_cast<std::size_t>(config.height) *
                         static_cast<std::size_t>(config.width) * 3);
  preprocess(image, config, out.data());
  return out;
}

PreprocessConfig read_config(const nlohmann::json& json) {
  PreprocessConfig config;
  config.height = json.at("input_size")[1];
  config.width = json.at("input_size")[2];
  config.interpolation = filter_from_name(json.at("interpolation").get<std::string>());
  config.crop_pct = json.at("crop_pct");
  config.crop_mode = crop_mode_from_name(json.at("crop_mode").get<std::string>());
  config.mean = json.at("mean").get<std::array<float, 3>>();
  config.std = json.at("std").get<std::array<float, 3>>();
  return config;
}

TEST(Preprocess, EqualsTimmInEveryBit) {
  const auto cases = test::pillow_cases("transform");
  ASSERT_EQ(cases.size(), 30u);
  for (const auto& item : cases) {
    const PreprocessConfig config = read_config(item.at("config"));
    const std::vector<float> found = preprocessed(make_picture(item.at("image")), config);
    const auto& record = item.at("result");
    ASSERT_EQ(record.at("shape"), nlohmann::json({3, config.height, config.width}));

    double sum = 0, squares = 0;
    for (const float value : found) {
      sum += value;
      squares += double{value} * value;
    }
    const double n = static_cast<double>(found.size());
    // The record has nine significant digits.
    EXPECT_NEAR(sum / n, record.at("mean").get<double>(), 1e-9) << item.at("image");
    EXPECT_NEAR(std::sqrt(squares / n), record.at("rms").get<double>(), 1e-9) << item.at("image");

    const auto& samples = record.at("samples");
    const std::size_t plane = found.size() / 3;
    for (std::size_t k = 0; k < samples.size(); ++k) {
      const std::size_t chw = (2 * k + 1) * found.size() / (2 * samples.size());
      EXPECT_EQ(found[chw % plane * 3 + chw / plane], samples[k].get<float>())
          << item.at("image") << " " << item.at("config") << ", sample " << k;
    }
  }
}

TEST(Preprocess, TakesTheCentreOfAPictureThatHasTheRightScale) {
  // 256 / 0.8 is 320 in double precision and less in single precision.
  PreprocessConfig config = kPlain;
  config.height = config.width = 256;
  config.crop_pct = 0.8;
  const Image picture = make_picture("scaled", 320, 320);
  const std::vector<float> found = preprocessed(picture, config);
  for (std::size_t y = 0; y < 256; ++y) {
    for (std::size_t x = 0; x < 256 * 3; ++x) {
      ASSERT_EQ(found[y * 256 * 3 + x],
                static_cast<float>(picture.pixels[(y + 32) * 320 * 3 + 32 * 3 + x]) / 255.0f);
    }
  }
}

TEST(Preprocess, PadsWithBlackOrTheMeanColour) {
  Image white = make_image(2, 2);
  std::fill(white.pixels.begin(), white.pixels.end(), std::uint8_t{255});
  PreprocessConfig config = kPlain;
  config.height = config.width = 5;
  config.crop_pct = 2.0;  // resize to 2 x 2
  config.mean = {0.2f, 0.4f, 2.0f};
  // One row and column on the left and above, two on the right and below.
  const auto inside = [](std::size_t i) { return i == 1 || i == 2; };
  for (const CropMode mode : {CropMode::center, CropMode::squash, CropMode::border}) {
    config.crop_mode = mode;
    const float fill[3] = {51.0f, 102.0f, 255.0f};
    const std::vector<float> found = preprocessed(white, config);
    for (std::size_t i = 0; i < found.size(); ++i) {
      const bool is_white = inside(i / 15) && inside(i / 3 % 5);
      const float level = is_white ? 255.0f : mode == CropMode::border ? fill[i % 3] : 0.0f;
      EXPECT_EQ(found[i], level / 255.0f - config.mean[i % 3]) << name(mode) << " at " << i;
    }
  }
}

TEST(Preprocess, ComputesOnlyTheCentreOfALongPicture) {
  // Resized as a whole, this would be 256 x 7,680,000 pixels.
  const Image line = make_picture("line", 30000, 1);
  PreprocessConfig config;
  EXPECT_EQ(preprocessed(line, config).size(), 224u * 224u * 3u);
}

TEST(Preprocess, RefusesPicturesTooElongatedToResize) {
  PreprocessConfig config = kPlain;
  config.crop_mode = CropMode::border;
  expect_argument_error([&] { preprocessed(make_image(1000, 1), config); }, {"1000 x 1", "0.0"});
  config.crop_mode = CropMode::center;
  config.crop_pct = 1e-7;
  expect_argument_error([&] { preprocessed(make_image(1000, 1), config); },
                        {"an edge would become"});
  config.crop_pct = 5.0;
  expect_argument_error([&] { preprocessed(make_image(10, 10), config); },
                        {"an edge would become 0.0"});
}

TEST(Preprocess, RefusesConfigurationsThatFitNoPicture) {
  const Image picture = make_image(8, 8);
  const auto refuses = [&](auto&& change, std::initializer_list<std::string> parts) {
    PreprocessConfig config = kPlain;
    change(config);
    expect_argument_error([&] { validate(config); }, parts);
    float unused = 0;
    expect_argument_error([&] { preprocess(picture, config, &unused); }, parts);
  };
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  refuses([](auto& c) { c.height = 0; }, {"height >= 1"});
  refuses([](auto& c) { c.width = -2; }, {"width >= 1"});
  refuses([](auto& c) { c.crop_pct = 0; }, {"crop_pct > 0"});
  refuses([](auto& c) { c.crop_pct = -0.5; }, {"crop_pct > 0"});
  refuses([](auto& c) { c.crop_pct = kInfinity; }, {"crop_pct > 0"});
  refuses([](auto& c) { c.std[1] = 0; }, {"std[1] != 0"});
  refuses([](auto& c) { c.std[2] = kNan; }, {"std[2]"});
  refuses([](auto& c) { c.mean[0] = kNan; }, {"mean[0]"});
  refuses([](auto& c) { c.crop_mode = static_cast<CropMode>(9); }, {"crop_mode"});
  refuses([](auto& c) { c.interpolation = static_cast<Filter>(9); }, {"interpolation"});
}

TEST(PreprocessConfig, NamesItsChoicesAsTimmDoes) {
  for (const char* filter : {"nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"}) {
    EXPECT_EQ(name(filter_from_name(filter)), filter);
  }
  for (const char* mode : {"center", "squash", "border"}) {
    EXPECT_EQ(name(crop_mode_from_name(mode)), mode);
  }
}

TEST(PreprocessConfig, ListsTheKnownNamesForAnUnknownOne) {
  expect_argument_error([] { filter_from_name("cubic"); },
                        {"unknown interpolation \"cubic\"; the known ones are nearest, box, "
                         "bilinear, hamming, bicubic, lanczos"});
  expect_argument_error(
      [] { crop_mode_from_name("Center"); },
      {"unknown crop_mode \"Center\"; the known ones are center, squash, border"});
}

}  // namespace
}  // namespace fovea
