// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "examples/fovea/pictures.h"
#include "fovea/io/preprocess.h"

namespace fovea::tool {
namespace {

namespace fs = std::filesystem;

const Model& model() {
  static const Model loaded = Model::load(fs::path(FOVEA_TEST_EXAMPLES) / "models" / "swin");
  return loaded;
}

// `count` pictures, over and over the same ten; every `bad`-th does not exist.
std::vector<std::string> files(std::size_t count, std::size_t bad = 0) {
  std::vector<std::string> pictures;
  for (const auto& entry : fs::directory_iterator(fs::path(FOVEA_TEST_EXAMPLES) / "images")) {
    pictures.push_back(entry.path().string());
  }
  std::sort(pictures.begin(), pictures.end());
  std::vector<std::string> result;
  for (std::size_t i = 0; i < count; ++i) {
    const bool missing = bad > 0 && i % bad == bad - 1;
    result.push_back(missing ? "missing" + std::to_string(i) : pictures[i % pictures.size()]);
  }
  return result;
}

PictureOptions in_batches_of(int batch) {
  PictureOptions options;
  options.batch = batch;
  return options;
}

std::vector<float> prepared(const std::string& file) {
  const PreprocessConfig& config = model().preprocess_config();
  std::vector<float> out(static_cast<std::size_t>(config.height) *
                         static_cast<std::size_t>(config.width) * 3);
  preprocess(read_image(file), config, out.data());
  return out;
}

// Everything in order, good ones as if prepared one by one, bad ones with a message.
void expect_all(const std::vector<std::string>& wanted, int batch, int threads) {
  PictureReader reader(model(), wanted, in_batches_of(batch), threads);
  std::size_t next = 0;
  for (PictureBatch found; reader.next(found);) {
    ASSERT_EQ(found.pictures.size(),
              std::min(static_cast<std::size_t>(batch), wanted.size() - next));
    int row = 0;
    for (const Picture& picture : found.pictures) {
      ASSERT_EQ(picture.file, wanted[next++]);
      if (picture.file.starts_with("missing")) {
        EXPECT_NE(picture.error.find(picture.file), std::string::npos) << picture.error;
        EXPECT_EQ(picture.row, -1);
        continue;
      }
      ASSERT_EQ(picture.error, "");
      ASSERT_EQ(picture.row, row++);
      const std::vector<float> pixels = prepared(picture.file);
      const float* const image = found.images.image(picture.row).data;
      ASSERT_TRUE(std::equal(pixels.begin(), pixels.end(), image))
          << picture.file << ", batches of " << batch << ", " << threads << " threads";
    }
    EXPECT_EQ(found.images.n, row);
  }
  EXPECT_EQ(next, wanted.size());
  PictureBatch none;
  EXPECT_FALSE(reader.next(none));
}

TEST(PictureReader, DeliversTheSameForAnyNumberOfThreads) {
  for (const int threads : {1, 2, 3, 8}) {
    for (const int batch : {1, 2, 5, 23, 100}) expect_all(files(23), batch, threads);
  }
}

TEST(PictureReader, ABadFileTakesNothingButItselfDown) {
  for (const int threads : {1, 2, 4}) {
    for (const std::size_t bad : {1u, 2u, 3u}) {
      for (const int batch : {1, 4, 50}) expect_all(files(13, bad), batch, threads);
    }
  }
}

TEST(PictureReader, HasNothingToDeliverWithoutFiles) { expect_all({}, 4, 4); }

TEST(PictureOptions, SayHowToDecode) {
  EXPECT_TRUE(PictureOptions().decoding().apply_exif_orientation);
  EXPECT_FALSE(PictureOptions().decoding().fast_decode);
  PictureOptions options;
  options.no_exif = options.fast_decode = true;
  EXPECT_FALSE(options.decoding().apply_exif_orientation);
  EXPECT_TRUE(options.decoding().fast_decode);
}

TEST(PictureReader, MayBeLeftInTheMiddle) {
  const std::vector<std::string> many = files(60);
  for (int batches = 0; batches < 4; ++batches) {
    PictureReader reader(model(), many, in_batches_of(7), 4);
    PictureBatch found;
    for (int i = 0; i < batches; ++i) ASSERT_TRUE(reader.next(found));
  }
}

}  // namespace
}  // namespace fovea::tool
