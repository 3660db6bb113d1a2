// SPDX-License-Identifier: Apache-2.0
#include "fovea/io/image.h"
#include "fuzz/guard.h"
#include "fuzz/targets.h"
#include "src/io/decoders.h"

namespace fovea::fuzz {
namespace {

// Pictures stay small: the time of an execution goes into the file and not into its pixels.
constexpr std::int64_t kMaxPixels = 1 << 14;

void check(const Image& image) {
  check_image(image);
  require(std::int64_t{image.width} * image.height <= kMaxPixels);
}

// Through the front door: recognised by content, turned as EXIF asks.
void decode(Bytes input) {
  only_errors([&] { check(decode_image(input, {.max_pixels = kMaxPixels}, "input")); });
}

// A decoder that decode_image chooses in other builds only.
template <class Decoder>
void decode_with(const Decoder& decoder, Bytes input) {
  only_errors([&] { check(decoder(detail::EncodedImage{input, "input", kMaxPixels})); });
}

}  // namespace

void jpeg(Bytes input) { decode(input); }
void png(Bytes input) { decode(input); }
void webp(Bytes input) { decode(input); }
void bmp(Bytes input) { decode(input); }
void pnm(Bytes input) { decode(input); }

void jpeg_stb(Bytes input) { decode_with(detail::decode_jpeg_with_stb, input); }
void png_stb(Bytes input) { decode_with(detail::decode_png_with_stb, input); }

void exif(Bytes input) {
  const int orientation = detail::exif_orientation(input);
  require(orientation >= 1 && orientation <= 8);
}

void repair_png(std::span<std::byte> file) {
  constexpr std::size_t kChecksumSize = 4;
  std::size_t position = detail::kPngSignature.size();
  while (const auto chunk = detail::next_png_chunk(file, position)) {
    const std::uint32_t checksum = detail::crc32(chunk->checked);
    for (std::size_t i = 0; i < kChecksumSize; ++i) {
      file[position - 1 - i] = static_cast<std::byte>(checksum >> (8 * i));
    }
  }
}

}  // namespace fovea::fuzz
