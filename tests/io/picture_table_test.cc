// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <set>
#include <string>

#include "tests/io/pictures.h"

// tests/data/pictures: small files of every kind that tools/make_test_pictures.py knows, with the
// size and checksum of what Pillow makes of them.

namespace fovea {
namespace {

using test::crc32_of;
using test::read_bytes;
using test::read_json;

const std::string kFolder = FOVEA_TEST_DATA "/pictures/";

// stb_image has its own inverse transform, and some kinds of JPEG files it cannot read.
bool exact_here(const std::string& file) {
#ifndef FOVEA_WITH_LIBJPEG
  if (file.ends_with(".jpg")) return false;
#endif
#ifndef FOVEA_WITH_LIBWEBP
  if (file.ends_with(".webp")) return false;
#endif
  return !file.empty();
}

TEST(PictureTable, HasThePixelsOfPillow) {
  int compared = 0;
  const auto table = read_json(kFolder + "expected.json");
  for (const auto& [file, expected] : table.at("files").items()) {
    if (!exact_here(file)) continue;
    SCOPED_TRACE(file);
    const Image image = decode_image(read_bytes(kFolder + file), {}, file);
    EXPECT_EQ(image.width, expected.at("width").get<int>());
    EXPECT_EQ(image.height, expected.at("height").get<int>());
    EXPECT_EQ(crc32_of(image), expected.at("crc32").get<std::uint32_t>());
    ++compared;
  }
  EXPECT_GE(compared, 100);
}

// The kinds are told apart by their names; here is what must not get lost.
TEST(PictureTable, HasEveryKind) {
  std::set<std::string> kinds;
  const auto table = read_json(kFolder + "expected.json");
  for (const auto& [file, expected] : table.at("files").items()) {
    kinds.insert(file.substr(file.rfind('.')));
  }
  EXPECT_EQ(kinds,
            (std::set<std::string>{".bmp", ".jpg", ".pbm", ".pgm", ".png", ".ppm", ".webp"}));
  EXPECT_GE(table.at("files").size(), 180u);
}

}  // namespace
}  // namespace fovea
