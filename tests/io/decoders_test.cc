// SPDX-License-Identifier: Apache-2.0
#include "src/io/decoders.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/generator.h"
#include "fovea/io/image.h"
#include "tests/io/pictures.h"

namespace fovea {
namespace {

using detail::Bytes;
using detail::EncodedImage;
using test::crc32_of;
using test::expect_file_error;
using test::Picture;
using test::picture_bytes;
using test::pictures;
using test::write_uint;

struct Decoder {
  std::string name;
  std::string extension;
  std::function<Image(const EncodedImage&)> decode;
  // stb_image has its own inverse transform and upsampling of chroma.
  bool exact = true;
};

const std::vector<Decoder>& decoders() {
  static const std::vector<Decoder> all = {
#ifdef FOVEA_WITH_LIBJPEG
      {"libjpeg", ".jpg", detail::decode_jpeg_with_libjpeg},
#endif
#ifdef FOVEA_WITH_LIBPNG
      {"libpng", ".png", detail::decode_png_with_libpng},
#endif
#ifdef FOVEA_WITH_STB
      {"stb_png", ".png", detail::decode_png_with_stb},
      {"stb_jpeg", ".jpg", detail::decode_jpeg_with_stb, false},
#endif
  };
  return all;
}

class EachDecoder : public ::testing::TestWithParam<Decoder> {
 protected:
  // The pictures this decoder is for.
  static std::vector<const Picture*> own_pictures() {
    std::vector<const Picture*> own;
    for (const Picture& picture : pictures()) {
      const bool no_adobe_marker = picture.file == "jpeg_cmyk_without_adobe.jpg";
      if (no_adobe_marker && GetParam().name == "stb_jpeg") continue;  // see its own test
      if (picture.file.ends_with(GetParam().extension)) own.push_back(&picture);
    }
    return own;
  }
  static std::string sample() {
    return GetParam().extension == ".png" ? "rgb8.png" : "jpeg_444.jpg";
  }
};

INSTANTIATE_TEST_SUITE_P(Image, EachDecoder, ::testing::ValuesIn(decoders()),
                         [](const auto& suite) { return suite.param.name; });

// The largest and the mean distance of two pictures, in levels of 255.
struct Distance {
  int largest = 0;
  double mean = 0;
};

Distance distance(const Image& a, const Image& b) {
  Distance result;
  for (std::size_t i = 0; i < a.pixels.size(); ++i) {
    const int difference = std::abs(a.pixels[i] - b.pixels[i]);
    result.largest = std::max(result.largest, difference);
    result.mean += difference / static_cast<double>(a.pixels.size());
  }
  return result;
}

TEST_P(EachDecoder, DeliversThePixelsOfPillow) {
  const auto own = own_pictures();
  ASSERT_GE(own.size(), 15u);
  for (const Picture* picture : own) {
    const Image image = GetParam().decode({picture->bytes, picture->file});
    ASSERT_EQ(image.width, picture->expected.at("width").get<int>()) << picture->file;
    ASSERT_EQ(image.height, picture->expected.at("height").get<int>()) << picture->file;
    if (GetParam().exact) {
      EXPECT_EQ(crc32_of(image), picture->expected.at("crc32").get<std::uint32_t>())
          << picture->file;
      continue;
    }
    const std::string twin = picture->expected.at("expected");
    const Image expected = decode_image(picture_bytes(twin), {}, twin);
    const Distance found = distance(image, expected);
    // Inverse transforms that round differently put luma and chroma one level apart, and the
    // largest factor of the colour conversion is 1.772; interpolated chroma rounds once more.
    const bool subsampled = picture->file.find("_42") != std::string::npos;
    EXPECT_LE(found.largest, static_cast<int>(1 + 1.772 * (subsampled ? 2 : 1))) << picture->file;
    EXPECT_LE(found.mean, subsampled ? 0.5 : 0.25) << picture->file;
  }
}

TEST_P(EachDecoder, RefusesAFileCutAtAnyByte) {
  for (const Picture* picture : own_pictures()) {
    if (picture->file == "jpeg_trailing_bytes.jpg") continue;  // whole before its end
    // The larger files differ in their pixels only, and not in their structure.
    const std::size_t step = picture->bytes.size() > 1500 ? 7 : 1;
    for (std::size_t size = 0; size < picture->bytes.size(); size += step) {
      const Bytes cut = Bytes(picture->bytes).first(size);
      SCOPED_TRACE(std::to_string(size) + " bytes");
      expect_file_error(
          [&] {
            GetParam().decode({cut, picture->file});
          },
          {"cannot read image " + picture->file});
    }
    const Bytes almost = Bytes(picture->bytes).first(picture->bytes.size() - 1);
    expect_file_error([&] { GetParam().decode({almost, picture->file}); }, {"cannot read image"});
  }
}

TEST_P(EachDecoder, SurvivesDamage) {
  const std::uint64_t state = fnv1a(GetParam().name);
  std::uint64_t draw = 0;
  const auto below = [&](std::size_t n) {
    return static_cast<std::size_t>(generated_value(state, draw++, 0, static_cast<double>(n)));
  };
  int refused = 0, decoded = 0;
  for (const Picture* picture : own_pictures()) {
    for (int round = 0; round < 60; ++round) {
      std::vector<std::byte> bytes = picture->bytes;
      for (std::size_t i = 0, n = 1 + below(4); i < n; ++i) {
        bytes[std::min(below(bytes.size()), bytes.size() - 1)] = static_cast<std::byte>(below(256));
      }
      try {
        check_image(GetParam().decode({bytes, picture->file, 1 << 20}));
        ++decoded;
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), Error::Kind::file) << error.what();
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 0);
  if (GetParam().extension == ".jpg") {
    EXPECT_GT(decoded, 0);
  }
}

TEST_P(EachDecoder, RefusesGarbageBehindASignature) {
  const std::string_view signature =
      GetParam().extension == ".png" ? detail::kPngSignature : std::string_view("\xFF\xD8\xFF");
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    std::vector<std::byte> bytes;
    for (const char c : signature) bytes.push_back(static_cast<std::byte>(c));
    for (std::uint64_t i = 0; i < seed * 5; ++i) {
      bytes.push_back(static_cast<std::byte>(generated_value(seed, i, 0, 256)));
    }
    expect_file_error(
        [&] {
          GetParam().decode({bytes, "garbage"});
        },
        {"cannot read image garbage"});
  }
}

// The decoder's sample picture, announcing another size.
std::vector<std::byte> resized_header(const std::string& file, std::uint32_t width,
                                      std::uint32_t height) {
  std::vector<std::byte> bytes = picture_bytes(file);
  if (file.ends_with(".png")) {
    write_uint(bytes, 16, 4, width);
    write_uint(bytes, 20, 4, height);
    write_uint(bytes, 29, 4, detail::crc32(Bytes(bytes).subspan(12, 17)));
    return bytes;
  }
  const std::byte frame_header[] = {std::byte{0xFF}, std::byte{0xC0}};
  const auto frame =
      std::search(bytes.begin(), bytes.end(), std::begin(frame_header), std::end(frame_header));
  const auto offset = static_cast<std::size_t>(frame - bytes.begin());
  write_uint(bytes, offset + 5, 2, height);
  write_uint(bytes, offset + 7, 2, width);
  return bytes;
}

TEST_P(EachDecoder, RefusesPicturesOfNoPixels) {
  for (const auto& [width, height] : {std::pair{0u, 5u}, {5u, 0u}, {0u, 0u}}) {
    const auto bytes = resized_header(sample(), width, height);
    expect_file_error([&] { GetParam().decode({bytes, "empty"}); }, {"cannot read image empty"});
  }
}

TEST_P(EachDecoder, RefusesMorePixelsThanAllowed) {
  const auto bomb = resized_header(sample(), 65500, 65500);
  expect_file_error([&] { GetParam().decode({bomb, "bomb"}); }, {"bomb"});

  const auto bytes = picture_bytes(sample());
  const Image image = GetParam().decode({bytes, "sample"});
  const std::int64_t pixels = std::int64_t{image.width} * image.height;
  EXPECT_NO_THROW(GetParam().decode({bytes, "sample", pixels}));
  expect_file_error(
      [&] {
        GetParam().decode({bytes, "sample", pixels - 1});
      },
      {std::to_string(image.width) + " x " + std::to_string(image.height),
       "limit of " + std::to_string(pixels - 1)});
}

#ifdef FOVEA_WITH_LIBJPEG
TEST(Decoders, OfAJpegFileWithMissingDataIsRefused) {
  // Cut out of the compressed data, with an end-of-image marker behind: libjpeg itself would only
  // warn.
  auto bytes = picture_bytes("jpeg_444.jpg");
  bytes.erase(bytes.end() - 400, bytes.end() - 2);
  expect_file_error(
      [&] {
        detail::decode_jpeg_with_libjpeg({bytes, "holes.jpg"});
      },
      {"holes.jpg", "premature end of data"});
}
#endif

#ifdef FOVEA_WITH_STB
TEST(Decoders, OfACmykFileWithoutAdobesMarkerIsRefusedByStb) {
  const auto bytes = picture_bytes("jpeg_cmyk_without_adobe.jpg");
  expect_file_error(
      [&] {
        detail::decode_jpeg_with_stb({bytes, "cmyk.jpg"});
      },
      {"without Adobe's marker"});
}

// The first segment of a kind in a JPEG file: the position of its data.
std::size_t find_segment(const std::vector<std::byte>& file, std::uint32_t marker) {
  std::size_t position = detail::kJpegStart;
  while (const auto segment = detail::next_jpeg_segment(file, position)) {
    if (segment->marker == marker) return position - segment->data.size();
  }
  throw std::runtime_error("the file has no such segment");
}

TEST(Decoders, OfAJpegFileWhoseTablesWouldMisleadStbIsRefusedByStb) {
  const auto good = picture_bytes("jpeg_444.jpg");
  const auto refuses = [](const std::vector<std::byte>& bad, const std::string& why) {
    expect_file_error([&] { detail::decode_jpeg_with_stb({bad, "bad.jpg"}); }, {why});
  };
  auto bytes = good;
  write_uint(bytes, find_segment(good, detail::kJpegDht) + 1, 4, 0xFFFFFFFF);
  refuses(bytes, "malformed Huffman table");
  bytes = good;
  write_uint(bytes, find_segment(good, 0xC0) + 7, 1, 0x31);
  write_uint(bytes, find_segment(good, 0xC0) + 10, 1, 0x21);
  refuses(bytes, "sampling factors");
}
#endif

}  // namespace
}  // namespace fovea
