// SPDX-License-Identifier: Apache-2.0
#include "fovea/io/image.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "src/io/decoders.h"
#include "tests/io/pictures.h"
#include "tests/temporary_folder.h"

namespace fovea {
namespace {

using detail::Bytes;
using test::crc32_of;
using test::expect_argument_error;
using test::expect_file_error;
using test::kImages;
using test::Picture;
using test::picture_bytes;
using test::pictures;
using test::write_uint;

TEST(Image, IsTurnedUprightByItsExifOrientation) {
  int turned = 0;
  for (const Picture& picture : pictures()) {
    const auto& upright = picture.expected.at("upright");
#ifdef FOVEA_WITH_LIBJPEG
    const bool exact = true;
#else
    if (picture.file == "jpeg_cmyk_without_adobe.jpg") continue;  // stb_image cannot read it
    const bool exact = picture.file.ends_with(".png");
#endif
    const Image image = read_image(kImages + picture.file);
    EXPECT_EQ(image.width, upright.at("width").get<int>()) << picture.file;
    EXPECT_EQ(image.height, upright.at("height").get<int>()) << picture.file;
    if (exact) {
      EXPECT_EQ(crc32_of(image), upright.at("crc32").get<std::uint32_t>()) << picture.file;
    }

    const Image stored = read_image(kImages + picture.file, {.apply_exif_orientation = false});
    EXPECT_EQ(stored.width, picture.expected.at("width").get<int>()) << picture.file;
    turned += stored.pixels != image.pixels;
  }
  EXPECT_EQ(turned, 7 + 2);  // JPEG files of orientation 2 to 8, and two PNG files
}

TEST(Image, OrientationsMoveEveryPixelToItsPlace) {
  // 0 1 2
  // 3 4 5   and what the eight orientations make of it
  const struct {
    int orientation, width;
    std::string_view upright;
  } cases[] = {{1, 3, "012345"}, {2, 3, "210543"}, {3, 3, "543210"}, {4, 3, "345012"},
               {5, 2, "031425"}, {6, 2, "304152"}, {7, 2, "524130"}, {8, 2, "251403"}};
  Image stored = make_image(3, 2);
  for (std::size_t i = 0; i < 18; ++i) stored.pixels[i] = static_cast<std::uint8_t>(i);
  for (const auto& [orientation, width, expected] : cases) {
    const Image upright = detail::apply_orientation(stored, orientation);
    EXPECT_EQ(upright.width, width);
    for (std::size_t i = 0; i < 18; ++i) {
      EXPECT_EQ(upright.pixels[i], (expected[i / 3] - '0') * 3 + static_cast<int>(i % 3))
          << "orientation " << orientation;
    }
  }
}

TEST(Image, IgnoresMalformedExif) {
  const auto picture = picture_bytes("jpeg_orientation6.jpg");
  const Bytes exif = detail::outline_jpeg(picture).exif;
  ASSERT_EQ(detail::exif_orientation(exif), 6);
  const std::vector<std::byte> good(exif.begin(), exif.end());
  // The last four bytes, the offset of the next directory, are not needed.
  for (std::size_t size = 0; size + 6 < good.size(); ++size) {
    EXPECT_EQ(detail::exif_orientation(Bytes(good).first(size)), 1) << size;
  }
  const auto damaged = [&](std::size_t offset, std::size_t size, std::uint32_t value) {
    std::vector<std::byte> bytes = good;
    write_uint(bytes, offset, size, value);
    // Little-endian: the values below are palindromes or need no order.
    return detail::exif_orientation(bytes);
  };
  EXPECT_EQ(damaged(0, 2, 0x4949), 1);       // the other byte order than the data's
  EXPECT_EQ(damaged(2, 2, 0x2B2B), 1);       // not 42
  EXPECT_EQ(damaged(4, 4, 0xFFFFFFFF), 1);   // a directory behind the end
  EXPECT_EQ(damaged(8, 2, 0xFFFF), 6);       // more entries announced than there are
  EXPECT_EQ(damaged(8, 2, 0), 1);            // none
  EXPECT_EQ(damaged(22 + 2, 2, 0x0909), 1);  // an unknown type
  EXPECT_EQ(damaged(22 + 4, 4, 0), 1);       // no value
  EXPECT_EQ(damaged(22 + 8, 2, 0), 1);       // below the orientations
  EXPECT_EQ(damaged(22 + 8, 2, 0x0909), 1);  // above them
}

TEST(Image, IsRecognisedByContentAndNotByExtension) {
  const TemporaryFolder folder;
  const auto wrong = folder / "jpeg_inside.png";
  std::filesystem::copy_file(kImages + "jpeg_444.jpg", wrong);
  EXPECT_EQ(crc32_of(read_image(wrong)), crc32_of(read_image(kImages + "jpeg_444.jpg")));
}

TEST(Image, NamesFilesThatCannotBeRead) {
  expect_file_error([] { read_image(kImages + "absent.png"); }, {"absent.png", "cannot be read"});
  expect_file_error([] { read_image(kImages); }, {"found a folder"});
}

TEST(Image, IsNotTouchedByBytesBehindTheEndOfAJpegFile) {
  const auto bytes = picture_bytes("jpeg_trailing_bytes.jpg");
  EXPECT_EQ(crc32_of(decode_image(bytes)),
            crc32_of(decode_image(Bytes(bytes).first(bytes.size() - 14))));
}

TEST(Image, WantsAllItsPixels) {
  EXPECT_NO_THROW(check_image(make_image(3, 2)));
  expect_argument_error(
      [] {
        check_image({3, 2, {1, 2, 3}});
      },
      {"3 x 2 pixels wants 18 values, but found 3"});
  expect_argument_error([] { make_image(0, 2); }, {"0 x 2"});
}

}  // namespace
}  // namespace fovea
