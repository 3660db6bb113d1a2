// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>

#include "src/io/decoders.h"

namespace fovea::detail {

std::optional<std::uint32_t> read_uint(Bytes bytes, std::size_t offset, std::size_t size,
                                       ByteOrder order) noexcept {
  if (offset > bytes.size() || size > bytes.size() - offset) return std::nullopt;
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const std::size_t at = order == ByteOrder::big ? i : size - 1 - i;
    value = value << 8 | std::to_integer<std::uint32_t>(bytes[offset + at]);
  }
  return value;
}

bool starts_with(Bytes bytes, std::string_view prefix, std::size_t offset) noexcept {
  if (offset > bytes.size() || prefix.size() > bytes.size() - offset) return false;
  return std::equal(prefix.begin(), prefix.end(),
                    bytes.begin() + static_cast<std::ptrdiff_t>(offset), [](char c, std::byte b) {
                      return static_cast<unsigned char>(c) == std::to_integer<unsigned char>(b);
                    });
}

namespace {

// Markers of ITU-T T.81, table B.1.
constexpr std::uint32_t kSof0 = 0xC0, kJpg = 0xC8, kDac = 0xCC, kSof15 = 0xCF;
constexpr std::uint32_t kRst0 = 0xD0, kSoi = 0xD8, kSos = 0xDA;
constexpr std::uint32_t kApp1 = 0xE1, kApp14 = 0xEE, kTem = 0x01;

constexpr std::string_view kExifHeader{"Exif\0\0", 6};

// Marker codes have no length field behind them when nothing belongs to them.
bool stands_alone(std::uint32_t marker) {
  return marker == kTem || (marker >= kRst0 && marker <= kSoi);
}

// Moves to the next marker and returns its code: a byte other than 0 and 0xFF behind at least one
// 0xFF. In compressed data 0xFF 0 stands for the byte 0xFF.
std::optional<std::uint32_t> next_marker(Bytes file, std::size_t& position) {
  bool escaped = false;
  for (; position < file.size(); ++position) {
    const auto byte = std::to_integer<std::uint32_t>(file[position]);
    if (escaped && byte != 0 && byte != 0xFF) {
      ++position;
      return byte;
    }
    escaped = byte == 0xFF;
  }
  return std::nullopt;
}

void read_segment(JpegOutline& outline, const JpegSegment& segment) {
  const auto& [marker, data] = segment;
  if (marker == kApp1 && outline.exif.empty() && starts_with(data, kExifHeader)) {
    outline.exif = data.subspan(kExifHeader.size());
  } else if (marker == kApp14 && starts_with(data, "Adobe")) {
    if (const auto transform = read_uint(data, 11, 1)) {
      outline.adobe_transform = static_cast<int>(*transform);
    }
  } else if (marker == kSos) {
    ++outline.scans;
  } else if (is_frame_header(marker)) {
    outline.frame_header = data;
  }
}

}  // namespace

bool is_frame_header(std::uint32_t marker) noexcept {
  return marker >= kSof0 && marker <= kSof15 && marker != kJpegDht && marker != kJpg &&
         marker != kDac;
}

std::optional<JpegSegment> next_jpeg_segment(Bytes file, std::size_t& position) noexcept {
  while (const auto marker = next_marker(file, position)) {
    if (*marker == kJpegEoi) return JpegSegment{*marker, {}};
    if (stands_alone(*marker)) continue;
    // The length counts its own two bytes.
    const auto length = read_uint(file, position, 2);
    if (!length || *length < 2 || *length > file.size() - position) break;
    const Bytes data = file.subspan(position + 2, *length - 2);
    position += *length;
    return JpegSegment{*marker, data};
  }
  return std::nullopt;
}

JpegOutline outline_jpeg(Bytes file) noexcept {
  JpegOutline outline;
  std::size_t position = kJpegStart;
  while (const auto segment = next_jpeg_segment(file, position)) {
    outline.complete = segment->marker == kJpegEoi;
    if (outline.complete) break;
    read_segment(outline, *segment);
  }
  return outline;
}

std::uint32_t crc32(Bytes bytes) noexcept {
  static constexpr auto kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < table.size(); ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320u : 0);
      table[i] = value;
    }
    return table;
  }();
  std::uint32_t crc = ~0u;
  for (const std::byte byte : bytes) {
    crc = kTable[(crc ^ std::to_integer<std::uint32_t>(byte)) & 255] ^ (crc >> 8);
  }
  return ~crc;
}

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

}  // namespace fovea::detail
