// SPDX-License-Identifier: Apache-2.0
#include <cstring>

#include "src/io/decoders.h"

namespace fovea::detail {
namespace {

// Markers of ITU-T T.81, table B.1.
constexpr std::uint32_t kSof0 = 0xC0, kJpg = 0xC8, kDac = 0xCC, kSof15 = 0xCF;
constexpr std::uint32_t kRst0 = 0xD0, kSoi = 0xD8, kSos = 0xDA;
constexpr std::uint32_t kApp1 = 0xE1, kApp14 = 0xEE, kTem = 0x01;

// Marker codes have no length field behind them when nothing belongs to them.
bool stands_alone(std::uint32_t marker) {
  return marker == kTem || (marker >= kRst0 && marker <= kSoi);
}

// Moves to the next marker and returns its code: a byte other than 0 and 0xFF behind at least one
// 0xFF. In compressed data 0xFF 0 stands for the byte 0xFF.
std::optional<std::uint32_t> next_marker(Bytes file, std::size_t& position) {
  while (position < file.size()) {
    const void* found = std::memchr(file.data() + position, 0xFF, file.size() - position);
    if (found == nullptr) break;
    position = static_cast<std::size_t>(static_cast<const std::byte*>(found) - file.data());
    while (position < file.size() && file[position] == std::byte{0xFF}) ++position;
    if (position < file.size() && file[position] != std::byte{0}) {
      return std::to_integer<std::uint32_t>(file[position++]);
    }
  }
  position = file.size();
  return std::nullopt;
}

// The processes of T.81, table B.1, that 8-bit decoders do not implement; "" for the others.
std::string unsupported_process(std::uint32_t frame_marker) {
  const bool arithmetic = frame_marker >= 0xC9;
  switch (frame_marker & 7) {
    case 3:
      return std::string("a lossless JPEG file") + (arithmetic ? " with arithmetic coding" : "");
    case 5:
    case 6:
    case 7:
      return "a hierarchical JPEG file";
    default:
      return "";
  }
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
    outline.scan_before_frame |= outline.frames == 0;
  } else if (is_frame_header(marker)) {
    ++outline.frames;
    outline.frame_marker = marker;
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

JpegOutline check_jpeg(const EncodedImage& file) {
  const JpegOutline outline = outline_jpeg(file.bytes);
  if (outline.scans > kMaxJpegScans) {
    refuse(file, "the JPEG file has more than " + std::to_string(kMaxJpegScans) + " scans");
  }
  if (outline.frames == 0) refuse(file, "the JPEG file is truncated: it has no frame header");
  if (outline.frames > 1 || outline.scan_before_frame) {
    refuse(file, "the JPEG file wants one frame header (SOF), and that before the first scan");
  }
  const std::string process = unsupported_process(outline.frame_marker);
  if (!process.empty()) {
    refuse(file, "it is " + process +
                     "; baseline, extended sequential and progressive files are supported");
  }
  const auto field = [&](std::size_t offset, std::size_t size) {
    const auto value = read_uint(outline.frame_header, offset, size);
    if (!value) refuse(file, "its frame header is too short");
    return static_cast<std::int64_t>(*value);
  };
  const std::int64_t precision = field(0, 1), height = field(1, 2), width = field(3, 2);
  if (precision != 8) {
    refuse(file, "its samples have " + std::to_string(precision) + " bits; only 8 are supported");
  }
  check_announced_size(file, width, height);
  const std::int64_t components = field(kJpegComponentCount, 1);
  if (components != 1 && components != 3 && components != 4) {
    refuse(file, "it has " + std::to_string(components) +
                     " colour components; grey (1), colour (3) and CMYK (4) are supported");
  }
  for (std::int64_t i = 0; i < components; ++i) {
    const std::int64_t both = field(static_cast<std::size_t>(kJpegComponentCount + 2 + 3 * i), 1);
    if (both >> 4 < 1 || both >> 4 > 4 || (both & 15) < 1 || (both & 15) > 4) {
      refuse(file, "its sampling factors are malformed: wanted 1 to 4, found " +
                       std::to_string(both >> 4) + " x " + std::to_string(both & 15));
    }
  }
  // A block of 8 x 8 samples takes a Huffman code at least; arithmetic coding can do with less.
  if (!is_arithmetic(outline)) check_enough_data(file, (height + 7) / 8, (width + 7) / 8, 1);
  return outline;
}

}  // namespace fovea::detail
