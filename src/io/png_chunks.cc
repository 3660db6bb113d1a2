// SPDX-License-Identifier: Apache-2.0
#include <iterator>

#include "src/io/decoders.h"

namespace fovea::detail {

std::optional<PngChunk> next_png_chunk(Bytes file, std::size_t& position) noexcept {
  constexpr std::size_t kLengthSize = 4, kTypeSize = 4, kChecksumSize = 4;
  const auto length = read_uint(file, position, kLengthSize);
  const auto type = read_uint(file, position + kLengthSize, kTypeSize);
  if (!length || !type) return std::nullopt;
  const std::size_t data = position + kLengthSize + kTypeSize;
  if (*length > file.size() - data) return std::nullopt;
  const auto checksum = read_uint(file, data + *length, kChecksumSize);
  if (!checksum) return std::nullopt;
  position = data + *length + kChecksumSize;
  return PngChunk{*type, file.subspan(data, *length),
                  file.subspan(data - kTypeSize, kTypeSize + *length), *checksum};
}

Bytes find_png_exif(Bytes file) noexcept {
  std::size_t position = kPngSignature.size();
  while (const auto chunk = next_png_chunk(file, position)) {
    if (chunk->type == png_type("eXIf")) return chunk->data;
    if (chunk->type == png_type("IEND")) break;
  }
  return {};
}

namespace {

// PNG specification, table 11.1: the bit depths of each colour type, as a set of bits.
constexpr std::uint32_t kDepths[7] = {0x10116, 0, 0x10100, 0x116, 0x10100, 0, 0x10100};
constexpr std::uint32_t kSamples[7] = {1, 0, 3, 1, 2, 0, 4};

}  // namespace

PngHeader check_png(const EncodedImage& file) {
  std::size_t position = kPngSignature.size();
  const auto chunk = next_png_chunk(file.bytes, position);
  if (!chunk) refuse(file, "the PNG file is truncated");
  if (chunk->type != png_type("IHDR") || chunk->data.size() != 13) {
    refuse(file, "the PNG file wants one IHDR chunk of 13 bytes, and that in front of all others");
  }
  const auto field = [&](std::size_t offset, std::size_t size) {
    return read_uint(chunk->data, offset, size).value_or(0);
  };
  const PngHeader header = {field(0, 4), field(4, 4), field(8, 1), field(9, 1)};
  check_announced_size(file, header.width, header.height);
  const bool known = header.color_type < std::size(kDepths) && header.depth <= 16 &&
                     (kDepths[header.color_type] >> header.depth & 1) != 0;
  if (!known) {
    refuse(file, "the PNG standard has no colour type " + std::to_string(header.color_type) +
                     " with a bit depth of " + std::to_string(header.depth));
  }
  // The format's compression, deflate, makes at most 1032 bytes of one.
  check_enough_data(file, header.height, header.width * header.depth * kSamples[header.color_type],
                    1032);
  return header;
}

}  // namespace fovea::detail
