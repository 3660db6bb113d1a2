// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/io/decoders.h"
#include "tests/io/pictures.h"

// Files out of their parts, for tests that make one part wrong. Bytes are strings here.

namespace fovea::test {

inline std::string text_of(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline detail::Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

inline std::string big(std::uint32_t value, int size) {
  std::string text;
  for (int i = size - 1; i >= 0; --i) {
    text += static_cast<char>(i < 4 ? value >> (8 * i) : 0);
  }
  return text;
}

inline std::string little(std::uint32_t value, int size) {
  const std::string text = big(value, size);
  return {text.rbegin(), text.rend()};
}

// `text` with `replacement` at `offset`.
inline std::string patched(std::string text, std::size_t offset, std::string_view replacement) {
  return text.replace(offset, replacement.size(), replacement);
}

// ---- PNG

inline std::string png_chunk(std::string_view name, std::string_view data) {
  const std::string checked = std::string(name) + std::string(data);
  return big(static_cast<std::uint32_t>(data.size()), 4) + checked +
         big(detail::crc32(bytes_of(checked)), 4);
}

// IHDR: 8-bit RGB, not interlaced, unless told otherwise.
inline std::string png_header(std::uint32_t width, std::uint32_t height, int depth = 8,
                              int color_type = 2, std::string_view methods = {"\0\0\0", 3}) {
  return png_chunk("IHDR", big(width, 4) + big(height, 4) + static_cast<char>(depth) +
                               static_cast<char>(color_type) + std::string(methods));
}

// The zlib format without compression; below 64 KiB.
inline std::string zlib_stored(std::string_view data) {
  std::uint32_t a = 1, b = 0;
  for (const char c : data) {
    a = (a + static_cast<unsigned char>(c)) % 65521;
    b = (b + a) % 65521;
  }
  const auto size = static_cast<std::uint32_t>(data.size());
  return "\x78\x01\x01" + little(size, 2) + little(~size, 2) + std::string(data) +
         big(b << 16 | a, 4);
}

inline std::string png_of(const std::string& chunks) {
  return std::string(detail::kPngSignature) + chunks;
}

// 2 x 2 pixels of 8-bit RGB: unfiltered rows.
inline const std::string kPngRows("\0abcdef\0ghijkl", 14);

inline std::string png_data(std::string_view rows = kPngRows) {
  return png_chunk("IDAT", zlib_stored(rows));
}

// ---- JPEG

struct JpegPart {
  std::uint32_t marker = 0;
  std::string data;     // of the segment
  std::string entropy;  // what follows it up to the next marker
};

class JpegParts {
 public:
  // The segments of a JPEG file up to the end marker.
  explicit JpegParts(const std::string& file) {
    const detail::Bytes bytes = bytes_of(file);
    std::size_t position = detail::kJpegStart, end = position;
    while (const auto segment = detail::next_jpeg_segment(bytes, position)) {
      const bool last = segment->marker == detail::kJpegEoi;
      const std::size_t begin = position - (last ? 2 : segment->data.size() + 4);
      if (!parts.empty()) parts.back().entropy = file.substr(end, begin - end);
      if (last) break;
      parts.push_back({segment->marker,
                       {reinterpret_cast<const char*>(segment->data.data()), segment->data.size()},
                       ""});
      end = position;
    }
  }

  // The first segment of a kind.
  std::size_t index_of(std::uint32_t marker) const {
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].marker == marker) return i;
    }
    throw std::runtime_error("the JPEG file has no such segment");
  }
  JpegPart& operator[](std::uint32_t marker) { return parts[index_of(marker)]; }

  JpegParts without(std::uint32_t marker) const {
    JpegParts result = *this;
    std::erase_if(result.parts, [&](const JpegPart& part) { return part.marker == marker; });
    return result;
  }
  // With `data` in place of the first such segment's, from `offset` on.
  JpegParts with(std::uint32_t marker, std::size_t offset, std::string_view data) const {
    JpegParts result = *this;
    result[marker].data = patched(result[marker].data, offset, data);
    return result;
  }

  std::string file() const {
    std::string text = "\xFF\xD8";
    for (const auto& [marker, data, entropy] : parts) {
      text += '\xFF';
      text += static_cast<char>(marker);
      text += big(static_cast<std::uint32_t>(data.size() + 2), 2) + data + entropy;
    }
    return text + "\xFF\xD9";
  }

  std::vector<JpegPart> parts;
};

// ---- WebP and BMP

inline std::string webp_chunk(std::string_view name, std::string_view data) {
  return std::string(name) + little(static_cast<std::uint32_t>(data.size()), 4) +
         std::string(data) + std::string(data.size() % 2, '\0');
}

inline std::string webp_of(const std::string& chunks) {
  return "RIFF" + little(static_cast<std::uint32_t>(chunks.size() + 4), 4) + "WEBP" + chunks;
}

// A header of 40 bytes, without a palette.
inline std::string bmp_header(std::uint32_t width, std::uint32_t height, std::uint32_t bits,
                              std::uint32_t compression = 0, std::uint32_t colors = 0) {
  return "BM" + little(0, 8) + little(54, 4) + little(40, 4) + little(width, 4) +
         little(height, 4) + little(1, 2) + little(bits, 2) + little(compression, 4) +
         little(0, 12) + little(colors, 4) + little(0, 4);
}

}  // namespace fovea::test
