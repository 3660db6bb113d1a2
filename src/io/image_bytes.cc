// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <limits>

#include "fovea/core/error.h"
#include "src/io/decoders.h"

// What all decoders share: refusals, limits, and numbers out of bytes.

namespace fovea::detail {

void refuse(const EncodedImage& file, const std::string& why) {
  throw Error(Error::Kind::file, "cannot read image " + std::string(file.name) + ": " + why);
}

void check_announced_size(const EncodedImage& file, std::int64_t width, std::int64_t height) {
  constexpr std::int64_t kMaxEdge = std::numeric_limits<int>::max();
  const std::string size = std::to_string(width) + " x " + std::to_string(height);
  if (width < 1 || height < 1) refuse(file, "its size is " + size + " pixels");
  if (width > kMaxEdge || height > kMaxEdge || width > file.max_pixels / height) {
    refuse(file, "its size is " + size + " pixels, more than the limit of " +
                     std::to_string(file.max_pixels) + " pixels in all");
  }
}

void check_enough_data(const EncodedImage& file, std::int64_t rows, std::int64_t row_bits,
                       std::int64_t ratio) {
  const auto size = static_cast<std::int64_t>(file.bytes.size());
  if (rows <= size * 8 * ratio / row_bits) return;
  refuse(file, "it is truncated: its " + std::to_string(size) +
                   " bytes cannot hold a picture of the size that it announces");
}

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

}  // namespace fovea::detail
