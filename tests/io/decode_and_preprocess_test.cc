// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "fovea/io/preprocess.h"
#include "tests/io/pictures.h"
#ifdef FOVEA_WITH_LIBJPEG
#include "tests/io/encode_jpeg.h"
#endif

namespace fovea {
namespace {

using test::make_picture;

std::vector<float> room_for(const PreprocessConfig& config) {
  return std::vector<float>(static_cast<std::size_t>(config.height) *
                            static_cast<std::size_t>(config.width) * 3);
}

std::vector<float> decoded_and_preprocessed(std::span<const std::byte> file,
                                            const PreprocessConfig& config,
                                            const ImageOptions& options = {}) {
  std::vector<float> out = room_for(config);
  decode_and_preprocess(file, config, out.data(), options, "some.jpg");
  return out;
}

std::vector<float> preprocessed(const Image& image, const PreprocessConfig& config) {
  std::vector<float> out = room_for(config);
  preprocess(image, config, out.data());
  return out;
}

PreprocessConfig square(int edge, double crop_pct) {
  PreprocessConfig config;
  config.height = config.width = edge;
  config.crop_pct = crop_pct;
  return config;
}

TEST(DecodeAndPreprocess, OfEveryFormatIsPreprocessOfTheDecodedPicture) {
  int pictures = 0;
  for (const auto& entry : std::filesystem::directory_iterator(FOVEA_TEST_DATA "/pictures")) {
    if (entry.path().extension() == ".json") continue;
    const auto file = test::read_bytes(entry.path().string());
    Image image;
    try {
      image = decode_image(file);
    } catch (const Error&) {
      continue;  // of a format that this build lacks
    }
    ++pictures;
    for (const CropMode mode : {CropMode::center, CropMode::squash, CropMode::border}) {
      PreprocessConfig config = square(9, 0.9);
      config.crop_mode = mode;
      EXPECT_EQ(decoded_and_preprocessed(file, config), preprocessed(image, config))
          << entry.path() << " " << name(mode);
      std::vector<float> read = room_for(config);
      read_and_preprocess(entry.path(), config, read.data());
      EXPECT_EQ(read, preprocessed(image, config)) << entry.path();
    }
  }
  EXPECT_GT(pictures, 80);
}

TEST(DecodeAndPreprocess, RefusesWhatTheDecoderAndTheTransformRefuse) {
  const PreprocessConfig config = square(4, 1.0);
  test::expect_file_error([&] { decoded_and_preprocessed({}, config); },
                          {"some.jpg", "the file is empty"});
  test::expect_argument_error([&] { decoded_and_preprocessed({}, square(0, 1.0)); }, {"height"});
}

#ifdef FOVEA_WITH_LIBJPEG
constexpr test::Sampling kSamplings[] = {
    test::k420,
    {{1, 1, 1}, {1, 1, 1}},
    {{2, 1, 1}, {1, 1, 1}},
    {{1, 1, 1}, {2, 1, 1}},
    {{4, 1, 1}, {1, 1, 1}},
    {{4, 2, 2}, {1, 1, 1}},
    {{1, 2, 2}, {1, 2, 2}},
    {{2, 2, 1}, {2, 1, 2}},
    {{3, 1, 1}, {1, 1, 1}},
    {{4, 1, 1}, {2, 1, 1}},
};

TEST(DecodeAndPreprocess, LeavesOutColumnsOfAJpegWithoutChangingAPixel) {
  for (const test::Sampling& sampling : kSamplings) {
    for (const int width : {150, 157, 301}) {
      const bool progressive = width == 157;
      const auto file = test::encode_jpeg(make_picture("crop", width, 43),
                                          {sampling, 90, progressive, progressive ? 0u : 3u});
      const Image image = decode_image(file);
      // Crops of the picture as it is, which begin and end at many offsets from the blocks; then
      // of reduced and enlarged ones.
      for (int edge = 1; edge < 43; edge += 2) {
        for (const double crop_pct : {edge / 43.0, 0.6, 1.0}) {
          const PreprocessConfig config = square(edge, crop_pct);
          ASSERT_EQ(decoded_and_preprocessed(file, config), preprocessed(image, config))
              << width << " pixels, edge " << edge << ", crop_pct " << crop_pct << ", sampling "
              << sampling.h[0] << sampling.h[1] << sampling.h[2] << " x " << sampling.v[0]
              << sampling.v[1] << sampling.v[2];
        }
      }
    }
  }
}

TEST(DecodeAndPreprocess, NoticesDamageBehindTheLastRowThatItNeeds) {
  const auto file = test::encode_jpeg(make_picture("damage", 64, 64));
  const PreprocessConfig config = square(4, 0.1);
  EXPECT_NO_THROW(decoded_and_preprocessed(file, config));
  for (const std::size_t lost : {2u, 20u, 400u}) {
    const auto short_file = std::span(file).first(file.size() - lost);
    test::expect_file_error([&] { decoded_and_preprocessed(short_file, config); }, {"some.jpg"});
  }
}

TEST(DecodeAndPreprocess, DecodesAtAFractionOfTheSizeWhenAskedTo) {
  const auto file = test::encode_jpeg(make_picture("fast", 600, 515));
  const PreprocessConfig config = square(64, 1.0);
  ImageOptions fast;
  fast.fast_decode = true;
  const std::vector<float> found = decoded_and_preprocessed(file, config, fast);
  fast.least_width = fast.least_height = 64;
  const Image scaled = decode_image(file, fast);
  ASSERT_EQ(scaled.width, 75);
  EXPECT_EQ(found, preprocessed(scaled, config));
  EXPECT_NE(found, preprocessed(decode_image(file), config));
}
#endif

}  // namespace
}  // namespace fovea
