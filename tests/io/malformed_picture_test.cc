// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/io/picture_builder.h"

// What must be refused, row by row: pictures that are damaged, lie about themselves, or are of a
// kind that nobody here reads. Malformed EXIF data, which cost nothing but the orientation, are in
// image_test.cc.

namespace fovea {
namespace {

using namespace std::string_literals;
using test::big;
using test::bmp_header;
using test::bytes_of;
using test::expect_file_error;
using test::JpegParts;
using test::little;
using test::patched;
using test::png_chunk;
using test::png_data;
using test::png_header;
using test::png_of;
using test::text_of;
using test::webp_chunk;
using test::webp_of;
using test::zlib_stored;

struct Row {
  std::string name;
  std::string file;
  std::string message;  // part of it
  // stb_image, which has no checks for it, delivers some picture.
  bool stb_is_lenient = false;
};

void PrintTo(const Row& row, std::ostream* out) { *out << row.name; }

std::string sample(const std::string& name) {
  return text_of(test::read_bytes(FOVEA_TEST_DATA "/pictures/" + name));
}

std::vector<Row> containers() {
  return {
      {"empty", "", "the file is empty"},
      {"jpeg_magic_only", "\xFF\xD8\xFF", "truncated"},
      {"png_magic_only", std::string(detail::kPngSignature), "truncated"},
      {"bmp_magic_only", "BM", "truncated"},
      {"pnm_magic_only", "P6\n", "truncated"},
      {"webp_magic_only", "RIFF\4\0\0\0WEBP"s, "truncated"},
      {"unknown_magic", "hello, world", "no known image format"},
      {"text_that_begins_like_pnm", "P5x", "no known image format"},
      {"half_a_jpeg_magic", "\xFF\xD8", "no known image format"},
      {"half_a_png_magic", "\x89PNG\r\n", "no known image format"},
      {"png_with_a_damaged_signature", "\x89PNG\n\n\x1a\n" + png_header(2, 2), "no known image"},
      {"gif", "GIF89a\1\0\1\0"s, "a GIF file"},
      {"tiff", "II*\0\x08\0\0\0"s, "a TIFF file"},
      {"tiff_big_endian", "MM\0*\0\0\0\x08"s, "a TIFF file"},
      {"heic", "\0\0\0\x18"s + "ftypheic\0\0\0\0"s, "a HEIC file"},
      {"avif", "\0\0\0\x18"s + "ftypavif\0\0\0\0"s, "an AVIF file"},
      {"psd", "8BPS\0\1"s, "a PSD (Photoshop) file"},
      {"hdr", "#?RADIANCE\n", "a Radiance HDR file"},
      {"pam", "P7\nWIDTH 1\n", "a PAM file"},
      {"pfm", "Pf\n1 1\n-1\n", "a PFM file"},
      {"jpeg_xl", "\0\0\0\x0CJXL \x0D\x0A\x87\x0A"s, "a JPEG XL file"},
      {"jpeg_2000", "\0\0\0\x0CjP  \x0D\x0A\x87\x0A"s, "a JPEG 2000 file"},
      {"html", "<!DOCTYPE html><title>404", "an HTML page"},
      {"git_lfs", "version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"},
  };
}

std::vector<Row> sizes() {
  const JpegParts jpeg(sample("baseline_17x9.jpg"));
  const auto jpeg_of = [&](std::uint32_t width, std::uint32_t height) {
    return jpeg.with(0xC0, 1, big(height, 2) + big(width, 2)).file();
  };
  const auto png = [](std::uint32_t width, std::uint32_t height, int depth = 8, int type = 2) {
    return png_of(png_header(width, height, depth, type) + png_data() + png_chunk("IEND", ""));
  };
  const std::string vp8 = sample("lossy_rgb_17x9.webp");
  return {
      {"png_of_width_0", png(0, 2), "0 x 2"},
      {"png_of_height_0", png(2, 0), "2 x 0"},
      {"png_above_the_limit", png(20000, 20000), "more than the limit"},
      {"png_whose_product_overflows", png(0x7FFFFFFF, 0x7FFFFFFF), "more than the limit"},
      {"png_of_a_negative_size", png(0xFFFFFFFF, 1), "more than the limit"},
      {"png_whose_data_cannot_hold_it", png(10000, 10000), "cannot hold a picture of the size"},
      {"png_of_one_long_row", png(100000000, 1, 1, 0), "cannot hold a picture of the size"},
      {"jpeg_of_width_0", jpeg_of(0, 9), "0 x 9"},
      {"jpeg_of_height_0_told_later_by_dnl", jpeg_of(17, 0), "17 x 0"},
      {"jpeg_above_the_limit", jpeg_of(65500, 65500), "more than the limit"},
      {"jpeg_whose_data_cannot_hold_it", jpeg_of(10000, 10000), "cannot hold a picture"},
      {"bmp_of_width_0", bmp_header(0, 2, 24), "0 x 2"},
      {"bmp_of_height_0", bmp_header(2, 0, 24), "2 x 0"},
      {"bmp_above_the_limit", bmp_header(0x7FFFFFFF, 0x7FFFFFFF, 32), "more than the limit"},
      {"bmp_of_the_lowest_height", bmp_header(1, 0x80000000, 32), "more than the limit"},
      {"bmp_whose_data_cannot_hold_it", bmp_header(10000, 10000, 1), "cannot hold a picture"},
      {"pnm_of_width_0", "P6 0 2 255 ", "0 x 2"},
      {"pnm_of_height_0", "P6 2 0 255 ", "2 x 0"},
      {"pnm_above_the_limit", "P5 9999999999 9999999999 255 ", "more than the limit"},
      {"pnm_whose_data_cannot_hold_it", "P4 10000 10000 ", "cannot hold a picture"},
      {"plain_pnm_whose_data_cannot_hold_it", "P1 10000 10000 0 1", "cannot hold a picture"},
      {"webp_of_width_0", patched(vp8, 26, "\0\0"s), "damaged in its header"},
  };
}

std::vector<Row> pngs() {
  const std::string head = png_header(2, 2), data = png_data(), end = png_chunk("IEND", "");
  const std::string gray = png_header(2, 2, 8, 0), indexed = png_header(2, 2, 8, 3);
  const std::string indices = png_data("\0\0\1\0\1\0"s), palette = png_chunk("PLTE", "abcdef");
  const auto damaged = [](std::string chunk) {  // in its checksum
    chunk.back() = static_cast<char>(chunk.back() ^ 1);
    return chunk;
  };
  const std::string zlib = zlib_stored(test::kPngRows);
  return {
      {"header_checksum", png_of(damaged(head) + data + end), "CRC error"},
      {"data_checksum", png_of(head + damaged(data) + end), "CRC error"},
      {"metadata_checksum", png_of(head + damaged(png_chunk("tEXt", "a\0b"s)) + data + end), "CRC"},
      {"end_checksum", png_of(head + data + damaged(end)), "CRC error"},
      {"header_not_first", png_of(png_chunk("tEXt", "a\0b"s) + head + data + end), "IHDR"},
      {"header_missing", png_of(data + end), "IHDR"},
      {"header_twice", png_of(head + head + data + end), "IHDR"},
      {"header_too_short", png_of(png_chunk("IHDR", "abcdefgh") + data + end), "13 bytes"},
      {"depth_3", png_of(png_header(2, 2, 3, 0) + data + end), "bit depth of 3"},
      {"depth_0", png_of(png_header(2, 2, 0, 0) + data + end), "bit depth of 0"},
      {"depth_32", png_of(png_header(2, 2, 32, 2) + data + end), "bit depth of 32"},
      {"depth_4_of_colour", png_of(png_header(2, 2, 4, 2) + data + end), "bit depth of 4"},
      {"depth_16_of_a_palette", png_of(png_header(2, 2, 16, 3) + data + end), "bit depth of 16"},
      {"colour_type_1", png_of(png_header(2, 2, 8, 1) + data + end), "no colour type 1"},
      {"colour_type_7", png_of(png_header(2, 2, 8, 7) + data + end), "no colour type 7"},
      {"compression_1", png_of(png_header(2, 2, 8, 2, "\1\0\0"s) + data + end), "Invalid IHDR"},
      {"filters_1", png_of(png_header(2, 2, 8, 2, "\0\1\0"s) + data + end), "Invalid IHDR"},
      {"interlace_2", png_of(png_header(2, 2, 8, 2, "\0\0\2"s) + data + end), "Invalid IHDR"},
      {"palette_missing", png_of(indexed + indices + end), "Missing PLTE"},
      {"palette_late", png_of(indexed + indices + palette + end), "Missing PLTE"},
      {"palette_twice", png_of(indexed + palette + palette + indices + end), "PLTE: duplicate"},
      {"palette_of_5_bytes", png_of(indexed + png_chunk("PLTE", "abcde") + indices + end), "PLTE"},
      {"palette_of_257", png_of(indexed + png_chunk("PLTE", std::string(771, 'a')) + indices + end),
       "PLTE"},
      {"critical_chunk_unknown", png_of(head + png_chunk("ABCD", "x") + data + end), "ABCD"},
      {"chunk_longer_than_the_file", png_of(head + "\x7f\xff\xff\xffIDATabc"), "truncated"},
      {"chunk_of_a_negative_length", png_of(head + "\xff\xff\xff\xff" + "IDATabc"), "out of range"},
      {"data_missing", png_of(head + end), "out of place"},
      {"data_empty", png_of(head + png_chunk("IDAT", "") + end), "Not enough image data"},
      {"data_too_short", png_of(head + png_data("\0abcdef"s) + end), "Not enough image data"},
      {"data_interrupted",
       png_of(head + png_chunk("IDAT", zlib.substr(0, 15)) + png_chunk("tEXt", "a\0b"s) +
              png_chunk("IDAT", zlib.substr(15)) + end),
       "Not enough image data", true},
      {"zlib_header", png_of(head + png_chunk("IDAT", "zz" + zlib.substr(2)) + end), "header"},
      {"zlib_block", png_of(head + png_chunk("IDAT", patched(zlib, 2, "\7")) + end), "block type"},
      {"filter_5", png_of(head + png_data("\5abcdef\0ghijkl"s) + end), "filter"},
      {"end_missing", png_of(head + data), "truncated"},
      {"gray_data_for_colour", png_of(head + indices + end), "Not enough image data"},
      {"colour_data_truncated", png_of(head + data.substr(0, data.size() - 5)), "truncated"},
  };
}

std::vector<Row> jpegs() {
  constexpr std::uint32_t kDht = 0xC4, kDqt = 0xDB, kSof = 0xC0, kSos = 0xDA;
  const JpegParts good(sample("sampling_1x1_17x9.jpg"));
  const auto with_frame = [&](std::uint32_t marker) {
    JpegParts parts = good;
    parts[kSof].marker = marker;
    return parts.file();
  };
  const auto with_components = [&](int count) {
    JpegParts parts = good;
    std::string data = parts[kSof].data.substr(0, 5);
    data += static_cast<char>(count);
    for (int i = 1; i <= count; ++i) data += static_cast<char>(i) + "\x11\0"s;
    parts[kSof].data = data;
    return parts.file();
  };
  JpegParts two_frames = good, late_frame = good, no_scan = good, restarts = good;
  two_frames.parts.insert(two_frames.parts.begin(), good.parts[good.index_of(kSof)]);
  std::swap(late_frame[kSof], late_frame[kSos]);
  no_scan.parts.resize(no_scan.index_of(kSos));
  JpegParts restarted(sample("restart_1x1_17x9.jpg"));
  std::string& entropy = restarted[kSos].entropy;
  const std::size_t restart = entropy.find("\xFF\xD0");
  JpegParts renumbered = restarted, missing = restarted;
  renumbered[kSos].entropy[restart + 1] = '\xD5';
  missing[kSos].entropy.erase(restart, 2);
  restarts[kSos].entropy.insert(20, "\xFF\xD0");
  JpegParts short_data = good, progressive(sample("progressive_1x1_17x9.jpg"));
  short_data[kSos].entropy.resize(good.parts[good.index_of(kSos)].entropy.size() / 2);
  JpegParts bomb = progressive;
  while (bomb.parts.size() < 600) bomb.parts.push_back(progressive.parts.back());
  const std::string few_codes = "\1\3" + std::string(14, '\0') + "abcd";
  return {
      {"frame_twice", two_frames.file(), "one frame header"},
      {"frame_missing", good.without(kSof).file(), "no frame header"},
      {"frame_behind_the_scan", late_frame.file(), "before the first scan"},
      {"frame_too_short", JpegParts(good).with(kSof, 0, "").file().substr(0, 30), "truncated"},
      {"scan_missing", no_scan.file(), "JPEG"},
      {"end_missing", good.file().substr(0, good.file().size() - 2), "end"},
      {"components_0", with_components(0), "0 colour components"},
      {"components_2", with_components(2), "2 colour components"},
      {"components_5", with_components(5), "5 colour components"},
      {"components_fewer_than_announced", good.with(kSof, 5, "\4").file(), "too short"},
      {"sampling_0", good.with(kSof, 7, "\x01").file(), "0 x 1"},
      {"sampling_5", good.with(kSof, 7, "\x15").file(), "1 x 5"},
      {"sampling_that_does_not_divide", good.with(kSof, 7, "\x31\0\2\x21"s).file(), "Fractional"},
      {"lossless", with_frame(0xC3), "a lossless JPEG file"},
      {"lossless_arithmetic", with_frame(0xCB), "a lossless JPEG file with arithmetic coding"},
      {"hierarchical", with_frame(0xC5), "a hierarchical JPEG file"},
      {"hierarchical_progressive", with_frame(0xC6), "a hierarchical JPEG file"},
      {"precision_12", good.with(kSof, 0, "\x0C").file(), "have 12 bits"},
      {"precision_16", good.with(kSof, 0, "\x10").file(), "have 16 bits"},
      {"huffman_oversubscribed", good.with(kDht, 1, "\3").file(), "Huffman table"},
      {"huffman_codes_above_256", good.with(kDht, 1, std::string(16, '\xFF')).file(), "Huffman"},
      {"huffman_index_7", good.with(kDht, 0, "\7").file(), "DHT"},
      {"huffman_of_another_length", good.with(kDht, 1, few_codes).file(), "Bogus marker length"},
      {"quantization_missing", good.without(kDqt).file(), "Quantization table", true},
      {"quantization_index_5", good.with(kDqt, 0, "\5").file(), "DQT"},
      {"scan_of_an_absent_component", good.with(kSos, 1, "\x77").file(), "component"},
      {"scan_of_no_component", good.with(kSos, 0, "\0"s).file(), "Bogus marker length"},
      {"scan_of_7_components", good.with(kSos, 0, "\7").file(), "Bogus marker length"},
      {"scan_without_its_table", good.with(kSos, 2, "\x33").file(), "Huffman table"},
      {"scans_without_end", bomb.file(), "more than 500 scans"},
      {"progression_reversed", progressive.with(kSos, 7, "\5\1").file(), "progress"},
      {"progression_beyond_64", progressive.with(kSos, 7, "\0\x7F"s).file(), "progress"},
      {"scan_cut_short", short_data.file(), "premature end of data", true},
      {"restart_missing", missing.file(), "instead of RST0"},
      {"restart_renumbered", renumbered.file(), "instead of RST0", true},
      {"restart_not_announced", restarts.file(), "premature end"},
      {"segment_longer_than_the_file", good.file().substr(0, 2) + "\xFF\xE0\xFF\xFF", "truncated"},
      {"segment_of_length_1", "\xFF\xD8\xFF\xE0\0\1"s + good.file().substr(2), "truncated"},
  };
}

std::vector<Row> others() {
  const std::string still = sample("lossless_rgb_17x9.webp");
  const std::string moving = sample("animated_lossless.webp");
  const auto animation = [](const std::string& rest) {
    return webp_of(webp_chunk("VP8X", "\2\0\0\0\x13\0\0\x0D\0\0"s) + rest);
  };
  const std::string image = still.substr(12 + 8);
  const auto frame = [](std::uint32_t left, const std::string& chunks) {
    return webp_chunk("ANMF", little(left, 3) + little(0, 3) + little(16, 3) + little(8, 3) +
                                  little(0, 4) + chunks);
  };
  const std::string palette(1024, 'x'), row24 = "abcdef\0\0"s;
  return {
      {"webp_longer_than_the_file", patched(still, 4, "\xFF\xFF"), "truncated"},
      {"webp_cut_in_its_data", webp_of(still.substr(12, still.size() / 2)), "damaged"},
      {"webp_of_no_known_kind", webp_of(webp_chunk("VP9 ", "abcdefghij")), "header"},
      {"webp_with_a_damaged_signature", patched(still, 20, "\x30"), "header"},
      {"webp_animation_without_frames", animation(""), "without a complete first frame"},
      {"webp_animation_with_a_short_frame", animation(webp_chunk("ANMF", "abc")), "first frame"},
      {"webp_animation_with_an_empty_frame", animation(frame(0, "")), "first frame"},
      {"webp_frame_outside", animation(frame(9, webp_chunk("VP8L", image))), "fit its canvas"},
      {"webp_frame_damaged", patched(moving, moving.find("VP8L") + 12, "\xFF\xFF\xFF\xFF"), "WebP"},
      {"bmp_header_of_41_bytes", patched(bmp_header(2, 1, 24), 14, "\x29") + row24, "41 bytes"},
      {"bmp_of_2_bits", bmp_header(2, 1, 2) + row24, "2 bits"},
      {"bmp_of_64_bits", bmp_header(2, 1, 64) + palette, "64 bits"},
      {"bmp_with_a_jpeg_inside", bmp_header(2, 1, 24, 4) + row24, "compression 4"},
      {"bmp_rle8_of_24_bits", bmp_header(2, 1, 24, 1) + row24, "compression 1 at 24 bits"},
      {"bmp_palette_of_4_billion", bmp_header(2, 1, 8, 0, 0xFFFFFFFF) + palette, "colours"},
      {"bmp_palette_truncated", bmp_header(2, 1, 8) + "abcd", "truncated"},
      {"bmp_pixels_truncated", bmp_header(2, 1, 24) + "abcde", "truncated"},
      {"bmp_pixels_behind_the_end", patched(bmp_header(2, 1, 24), 10, "\xFF\xFF\xFF\xFF") + row24,
       "truncated"},
      {"bmp_fields_missing", bmp_header(2, 1, 16, 3), "truncated"},
      {"bmp_fields_unusual",
       bmp_header(1, 1, 32, 3) + little(0x7F, 4) + little(0x3F00, 4) + little(0xFF0000, 4) + "abcd",
       "bit fields"},
      {"bmp_fields_empty", bmp_header(1, 1, 16, 3) + little(0x7C00, 4) + little(0, 8) + "abcd",
       "bit fields"},
      {"bmp_rle_ends_early", bmp_header(4, 2, 8, 1, 1) + "\0\0\0\0\4\0\0\1"s,
       "before its last row"},
      {"bmp_rle_truncated", bmp_header(4, 2, 8, 1, 1) + "\0\0\0\0\4\0"s, "truncated"},
      {"bmp_rle_delta_truncated", bmp_header(4, 2, 8, 1, 1) + "\0\0\0\0\0\2"s, "truncated"},
      {"bmp_rle_literal_truncated", bmp_header(4, 2, 8, 1, 1) + "\0\0\0\0\0\6ab"s, "truncated"},
      {"pnm_largest_0", "P5 2 1 0 ab", "largest value is 0"},
      {"pnm_largest_65536", "P5 2 1 65536 abcd", "largest value is 65536"},
      {"pnm_size_in_letters", "P5 two 1 255 ab", "wanted a number"},
      {"pnm_size_negative", "P5 -2 1 255 ab", "wanted a number"},
      {"pnm_size_of_11_digits", "P5 00000000002 1 255 ab", "more than 10 digits"},
      {"pnm_comment_without_end", "P5 2 # 1 255 ab", "truncated"},
      {"pnm_data_truncated", "P6 2 1 255 abcde", "truncated"},
      {"pnm_16_bit_data_truncated", "P5 2 1 256 abc", "truncated"},
      {"pnm_bits_truncated", "P4 9 2 abc", "truncated"},
      {"pnm_value_above_its_largest", "P2 2 1 99 98 100", "value 100, above its largest, 99"},
      {"pnm_value_in_letters", "P2 2 1 99 98 x1", "wanted a number"},
      {"pnm_bit_2", "P1 2 1 12", "digits are 0 and 1"},
      {"pnm_values_missing", "P3 2 1 99 1 2 3 4 5", "truncated"},
  };
}

class MalformedPicture : public ::testing::TestWithParam<Row> {};

TEST_P(MalformedPicture, IsRefused) {
  const Row& row = GetParam();
#ifndef FOVEA_WITH_LIBJPEG
  if (row.stb_is_lenient) return;
#endif
  const std::string start = "cannot read image bad: ";
#if defined(FOVEA_WITH_LIBJPEG) && defined(FOVEA_WITH_LIBPNG) && defined(FOVEA_WITH_LIBWEBP)
  const std::string& why = row.message;
#else
  const std::string why;  // other decoders have other words
#endif
  expect_file_error([&] { decode_image(bytes_of(row.file), {}, "bad"); }, {start, why});
}

#ifdef FOVEA_WITH_STB
// It is more lenient with what harms nobody, but must not crash.
TEST_P(MalformedPicture, DoesNotHarmStb) {
  const detail::EncodedImage file{bytes_of(GetParam().file), "bad"};
  for (const auto decode : {detail::decode_jpeg_with_stb, detail::decode_png_with_stb}) {
    try {
      check_image(decode(file));
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), Error::Kind::file);
    }
  }
}
#endif

// JPEG and PNG files are cut in decoders_test.cc, one decoder after the other.
std::vector<std::pair<std::string, std::string>> other_samples() {
  std::vector<std::pair<std::string, std::string>> files;
  const auto table = test::read_json(FOVEA_TEST_DATA "/pictures/expected.json");
  for (const auto& [file, expected] : table.at("files").items()) {
    if (file.ends_with(".jpg") || file.ends_with(".png")) continue;
    files.emplace_back(file, sample(file));
  }
  return files;
}

TEST(MalformedPictures, AreRefusedWhenCutAtAnyByte) {
  // What a picture can do without: padding, the end marker of run lengths, digits of a last number.
  constexpr std::size_t kDispensable = 6;
  for (const auto& [file, bytes] : other_samples()) {
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      SCOPED_TRACE(file + ", " + std::to_string(size) + " bytes");
      try {
        check_image(decode_image(bytes_of(bytes).first(size), {}, file));
        EXPECT_LE(bytes.size() - size, kDispensable);
        EXPECT_FALSE(file.ends_with(".webp"));
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), Error::Kind::file);
      }
    }
  }
}

TEST(MalformedPictures, AreRefusedOrReadWhenBytesAreWrong) {
  int refused = 0, decoded = 0;
  std::uint64_t draw = 0;
  const auto below = [&](std::size_t n) {
    const double value = generated_value(fnv1a("damage"), draw++, 0, static_cast<double>(n));
    return std::min(static_cast<std::size_t>(value), n - 1);
  };
  for (const auto& [file, bytes] : other_samples()) {
    for (int round = 0; round < 40; ++round) {
      std::string bad = bytes;
      for (std::size_t i = 0, n = 1 + below(4); i < n; ++i) {
        bad[below(bad.size())] = static_cast<char>(below(256));
      }
      try {
        check_image(decode_image(bytes_of(bad), {.max_pixels = 1 << 20}, file));
        ++decoded;
      } catch (const Error& error) {
        EXPECT_EQ(error.kind(), Error::Kind::file);
        ++refused;
      }
    }
  }
  EXPECT_GT(refused, 0);
  EXPECT_GT(decoded, 0);
}

// Nothing is inflated or kept of what is not a pixel, so that its size does not matter; and data
// may be split anywhere.
TEST(MalformedPictures, AreNotThoseWithOddMetadata) {
  const std::string head = png_header(2, 2), data = png_data(), end = png_chunk("IEND", "");
  const std::string zlib = zlib_stored(test::kPngRows);
  const Image image = decode_image(bytes_of(png_of(head + data + end)));
  // Deflate's longest run of zeros, again and again: 1032 bytes for each of the file's.
  const std::string bomb =
      "\x78\xDA\xEC\xC1\1\1\0\0\0\x80\x90\xFE\xAF\xEE\x08\x0A"s + std::string(2 << 20, '\0');
  const std::pair<const char*, std::string> files[] = {
      {"iccp bomb", head + png_chunk("iCCP", "x\0\0"s + bomb) + data + end},
      {"ztxt bomb", head + png_chunk("zTXt", "x\0\0"s + bomb) + data + end},
      {"itxt bomb", head + png_chunk("iTXt", "x\0\1\0\0\0"s + bomb) + data + end},
      {"trns of 5 bytes", head + png_chunk("tRNS", "abcde") + data + end},
      {"trns behind the data", head + data + png_chunk("tRNS", "abcdef") + end},
      {"gamma of 0", head + png_chunk("gAMA", "\0\0\0\0"s) + data + end},
      {"exif of nothing", head + png_chunk("eXIf", "") + data + end},
      {"data split", head + png_chunk("IDAT", zlib.substr(0, 1)) + png_chunk("IDAT", "") +
                         png_chunk("IDAT", zlib.substr(1)) + end},
  };
  for (const auto& [name, chunks] : files) {
    EXPECT_EQ(decode_image(bytes_of(png_of(chunks))).pixels, image.pixels) << name;
  }
}

std::string row_name(const ::testing::TestParamInfo<Row>& info) { return info.param.name; }

// The items of the list in their order: 1 and 6, 2, 4, 5; then the formats that came later.
INSTANTIATE_TEST_SUITE_P(Container, MalformedPicture, ::testing::ValuesIn(containers()), row_name);
INSTANTIATE_TEST_SUITE_P(Size, MalformedPicture, ::testing::ValuesIn(sizes()), row_name);
INSTANTIATE_TEST_SUITE_P(Png, MalformedPicture, ::testing::ValuesIn(pngs()), row_name);
INSTANTIATE_TEST_SUITE_P(Jpeg, MalformedPicture, ::testing::ValuesIn(jpegs()), row_name);
INSTANTIATE_TEST_SUITE_P(Other, MalformedPicture, ::testing::ValuesIn(others()), row_name);

}  // namespace
}  // namespace fovea
