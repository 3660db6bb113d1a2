// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <utility>

#include "src/io/decoders.h"

namespace fovea::detail {

// TIFF 6.0, section 2: a header (byte order, 42, offset of the first directory), and a directory of
// 12-byte entries (tag, type, count, value). Only the first directory is read, so no chain of
// offsets can form a loop.
int exif_orientation(Bytes tiff) noexcept {
  constexpr std::uint32_t kOrientationTag = 0x0112;
  constexpr std::size_t kEntrySize = 12;

  ByteOrder order = ByteOrder::big;
  if (starts_with(tiff, "II")) {
    order = ByteOrder::little;
  } else if (!starts_with(tiff, "MM")) {
    return 1;
  }
  if (read_uint(tiff, 2, 2, order) != 42u) return 1;
  const auto directory = read_uint(tiff, 4, 4, order);
  if (!directory) return 1;
  const auto count = read_uint(tiff, *directory, 2, order);
  if (!count) return 1;

  for (std::size_t i = 0; i < *count; ++i) {
    const std::size_t entry = std::size_t{*directory} + 2 + i * kEntrySize;
    const auto tag = read_uint(tiff, entry, 2, order);
    if (!tag) return 1;
    if (*tag != kOrientationTag) continue;
    const auto type = read_uint(tiff, entry + 2, 2, order);
    // SHORT is the standard's type; some writers use BYTE or LONG.
    const std::size_t size = type == 1u ? 1 : type == 3u ? 2 : type == 4u ? 4 : 0;
    if (size == 0 || read_uint(tiff, entry + 4, 4, order) != 1u) return 1;
    const auto value = read_uint(tiff, entry + 8, size, order);
    return value && *value >= 1 && *value <= 8 ? static_cast<int>(*value) : 1;
  }
  return 1;
}

Image apply_orientation(Image image, int orientation) {
  if (orientation <= 1 || orientation > 8) return image;
  const bool swap_axes = orientation >= 5;
  const bool from_right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
  const bool from_bottom =
      orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;

  constexpr std::ptrdiff_t kChannels = 3;
  const std::ptrdiff_t stride = image.width * kChannels;
  // Steps in the stored picture for one step right and one step down in the upright one.
  std::ptrdiff_t along_x = from_right ? -kChannels : kChannels;
  std::ptrdiff_t along_y = from_bottom ? -stride : stride;
  const std::uint8_t* corner = image.pixels.data() +
                               (from_right ? (image.width - 1) * kChannels : 0) +
                               (from_bottom ? (image.height - 1) * stride : 0);
  if (swap_axes) std::swap(along_x, along_y);

  Image upright =
      swap_axes ? make_image(image.height, image.width) : make_image(image.width, image.height);
  // In tiles, so that both pictures stay in the cache when rows become columns.
  constexpr int kTile = 32;
  const std::ptrdiff_t upright_stride = upright.width * kChannels;
  for (int top = 0; top < upright.height; top += kTile) {
    for (int left = 0; left < upright.width; left += kTile) {
      for (int y = top; y < std::min(top + kTile, upright.height); ++y) {
        const std::uint8_t* in = corner + left * along_x + y * along_y;
        std::uint8_t* out = upright.pixels.data() + y * upright_stride + left * kChannels;
        for (int x = left; x < std::min(left + kTile, upright.width); ++x) {
          std::memcpy(out, in, kChannels);
          in += along_x;
          out += kChannels;
        }
      }
    }
  }
  return upright;
}

}  // namespace fovea::detail
