// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstring>

#include "src/io/decoders.h"

// Windows and OS/2 bitmaps: a file header, an information header of several sizes, a palette, and
// rows from the bottom to the top unless the height is negative.

namespace fovea::detail {
namespace {

constexpr std::size_t kFileHeader = 14;
constexpr std::uint32_t kCoreHeader = 12;  // OS/2's, with 16-bit sizes and 3-byte colours
constexpr std::uint32_t kRaw = 0, kRle8 = 1, kRle4 = 2, kBitfields = 3;
using Masks = std::array<std::uint32_t, 3>;  // of red, green and blue in a 16- or 32-bit pixel
constexpr Masks kMasks555 = {0x7C00, 0x3E0, 0x1F}, kMasks565 = {0xF800, 0x7E0, 0x1F};
constexpr Masks kMasksBgrx = {0xFF0000, 0xFF00, 0xFF};
using Palette = std::array<std::uint8_t, 256 * 3>;

struct Header {
  std::int64_t width = 0;
  std::int64_t height = 0;
  bool top_down = false;
  std::uint32_t bits = 0;
  std::uint32_t compression = kRaw;
  std::uint32_t colors = 0;
  std::size_t color_size = 4;
  std::size_t palette = 0;  // where it begins
  std::size_t pixels = 0;   // where they begin
  Masks masks = kMasksBgrx;
};

std::uint32_t field(const EncodedImage& file, std::size_t offset, std::size_t size) {
  const auto value = read_uint(file.bytes, offset, size, ByteOrder::little);
  if (!value) refuse(file, "the BMP file is truncated in its header");
  return *value;
}

void read_information(const EncodedImage& file, std::uint32_t size, Header& header) {
  header.width = field(file, kFileHeader + 4, 4);
  header.height = static_cast<std::int32_t>(field(file, kFileHeader + 8, 4));
  header.top_down = header.height < 0;
  if (header.top_down) header.height = -header.height;
  header.bits = field(file, kFileHeader + 14, 2);
  header.compression = field(file, kFileHeader + 16, 4);
  header.colors = field(file, kFileHeader + 32, 4);
  if (header.compression != kBitfields) return;
  // Behind a header of 40 bytes, inside the longer ones: the same place.
  for (std::size_t i = 0; i < 3; ++i) header.masks[i] = field(file, kFileHeader + 40 + 4 * i, 4);
  if (size == 40) header.palette += 12;
}

void check_encoding(const EncodedImage& file, const Header& header) {
  const std::uint32_t bits = header.bits, compression = header.compression;
  if (bits != 1 && bits != 4 && bits != 8 && bits != 16 && bits != 24 && bits != 32) {
    refuse(file, "its pixels have " + std::to_string(bits) +
                     " bits; BMP files of 1, 4, 8, 16, 24 and 32 are supported");
  }
  const bool matches = compression == kRaw || (compression == kRle8 && bits == 8) ||
                       (compression == kRle4 && bits == 4) ||
                       (compression == kBitfields && bits >= 16);
  if (!matches) {
    refuse(file, "it is a BMP file with compression " + std::to_string(compression) + " at " +
                     std::to_string(bits) + " bits; RLE4, RLE8 and bit fields are supported");
  }
  if (header.colors > 65536) {
    refuse(file, "its palette has " + std::to_string(header.colors) + " colours");
  }
}

Header read_header(const EncodedImage& file) {
  Header header;
  const std::uint32_t size = field(file, kFileHeader, 4);
  header.palette = kFileHeader + size;
  if (size == kCoreHeader) {
    header.color_size = 3;
    header.width = field(file, kFileHeader + 4, 2);
    header.height = field(file, kFileHeader + 6, 2);
    header.bits = field(file, kFileHeader + 10, 2);
  } else if (size == 40 || size == 52 || size == 56 || size == 64 || size == 108 || size == 124) {
    read_information(file, size, header);
  } else {
    refuse(file, "it is a BMP file with an unknown header of " + std::to_string(size) + " bytes");
  }
  check_announced_size(file, header.width, header.height);
  check_encoding(file, header);
  if (header.compression != kBitfields && header.bits == 16) header.masks = kMasks555;
  if (header.masks == Masks{0, 0, 0}) header.masks = kMasksBgrx;

  std::size_t palette_end = header.palette;
  if (header.bits <= 8) {
    if (header.colors == 0) header.colors = 1u << header.bits;
    palette_end += header.colors * header.color_size;
  }
  // Some writers leave the offset of the pixels out, or forget the palette in it.
  header.pixels = field(file, 10, 4);
  if (header.pixels == 0 || header.pixels == kFileHeader + size) header.pixels = palette_end;
  return header;
}

// (256, 3); colours that the file leaves out are greys of their index, as in Pillow.
Palette read_palette(const EncodedImage& file, const Header& header) {
  Palette palette;
  for (std::size_t i = 0; i < 256; ++i) {
    const std::size_t at = header.palette + i * header.color_size;
    for (std::size_t c = 0; c < 3; ++c) {  // blue first
      palette[i * 3 + c] = static_cast<std::uint8_t>(
          i < header.colors ? field(file, at + 2 - c, 1) : static_cast<std::uint32_t>(i));
    }
  }
  return palette;
}

// Where a row of the file belongs in the picture.
std::uint8_t* row_of(Image& image, const Header& header, std::int64_t y) {
  const std::int64_t row = header.top_down ? y : image.height - 1 - y;
  return image.pixels.data() + row * image.width * 3;
}

void expand_indices(const std::byte* in, std::uint32_t bits, const Palette& palette, int width,
                    std::uint8_t* out) {
  const std::uint32_t mask = (1u << bits) - 1;
  for (int x = 0; x < width; ++x, out += 3) {
    const std::uint32_t bit = static_cast<std::uint32_t>(x) * bits;
    const auto byte = std::to_integer<std::uint32_t>(in[bit / 8]);
    std::memcpy(out, &palette[(byte >> (8 - bits - bit % 8) & mask) * 3], 3);
  }
}

// One of `masks` in a pixel, its largest value becoming 255.
struct Channel {
  std::uint32_t mask = 0;
  int shift = 0;
  std::uint32_t largest = 0;

  explicit Channel(std::uint32_t m) : mask(m) {
    while ((m >> shift & 1) == 0) ++shift;
    largest = m >> shift;
  }
  std::uint8_t operator()(std::uint32_t pixel) const {
    const std::uint32_t value = (pixel & mask) >> shift;
    return static_cast<std::uint8_t>(largest == 255 ? value : value * 255 / largest);
  }
};

void check_masks(const EncodedImage& file, const Header& header) {
  bool known = header.bits == 16 && (header.masks == kMasks555 || header.masks == kMasks565);
  if (header.bits > 16) {
    known = true;
    for (const std::uint32_t mask : header.masks) {
      const bool whole_byte =
          mask == 0xFF || mask == 0xFF00 || mask == 0xFF0000 || mask == 0xFF000000;
      known = known && whole_byte && (header.bits == 32 || mask != 0xFF000000);
    }
  }
  if (!known) refuse(file, "it is a BMP file with an unusual layout of its bit fields");
}

void expand_masks(const std::byte* in, const Header& header, int width, std::uint8_t* out) {
  const Channel red(header.masks[0]), green(header.masks[1]), blue(header.masks[2]);
  const std::size_t size = header.bits / 8;
  for (int x = 0; x < width; ++x, in += size, out += 3) {
    std::uint32_t pixel = 0;
    for (std::size_t i = 0; i < size; ++i) {
      pixel |= std::to_integer<std::uint32_t>(in[i]) << (8 * i);
    }
    out[0] = red(pixel);
    out[1] = green(pixel);
    out[2] = blue(pixel);
  }
}

Image decode_rows(const EncodedImage& file, const Header& header) {
  if (header.bits > 8) check_masks(file, header);
  const std::int64_t row_bytes = (header.width * header.bits + 7) / 8;
  const std::int64_t stride = (row_bytes + 3) / 4 * 4;
  check_enough_data(file, header.height, row_bytes * 8, 1);
  const auto wanted = static_cast<std::size_t>((header.height - 1) * stride + row_bytes);
  if (header.pixels > file.bytes.size() || wanted > file.bytes.size() - header.pixels) {
    refuse(file, "the BMP file is truncated in its pixels");
  }
  const Palette palette = header.bits <= 8 ? read_palette(file, header) : Palette{};

  Image image = make_image(static_cast<int>(header.width), static_cast<int>(header.height));
  const std::byte* in = file.bytes.data() + header.pixels;
  for (std::int64_t y = 0; y < header.height; ++y, in += stride) {
    std::uint8_t* out = row_of(image, header, y);
    if (header.bits <= 8) {
      expand_indices(in, header.bits, palette, image.width, out);
    } else {
      expand_masks(in, header, image.width, out);
    }
  }
  return image;
}

// Run lengths. A pair of bytes is a run (count, value), or 0 and an escape: 0 ends a row, 1 the
// picture, 2 skips pixels, anything else is followed by so many pixels. Like Pillow, it takes the
// picture for one long row: skipped pixels have index 0, and an escape 0 at the beginning of a row
// does nothing.
class RunLengths {
 public:
  RunLengths(const EncodedImage& file, const Header& header, Image& image)
      : file_(file),
        header_(header),
        palette_(read_palette(file, header)),
        image_(image),
        position_(header.pixels),
        nibbles_(header.compression == kRle4) {}

  void decode() {
    const std::int64_t total = header_.width * header_.height;
    while (done_ < total) {
      const std::uint32_t count = next(), value = next();
      if (count != 0) {
        run(std::min<std::int64_t>(count, header_.width - in_row_), value);
      } else if (value == 0) {
        put((header_.width - done_ % header_.width) % header_.width, 0);
        in_row_ = 0;
      } else if (value == 1) {
        refuse(file_, "the BMP file ends before its last row");
      } else if (value == 2) {
        const std::int64_t right = next(), up = next();
        put(std::min(total - done_, right + up * header_.width), 0);
        in_row_ = done_ % header_.width;
      } else {
        literal(std::min<std::int64_t>(value, total - done_));
      }
    }
  }

 private:
  std::uint32_t next() {
    const auto value = read_uint(file_.bytes, position_++, 1);
    if (!value) refuse(file_, "the BMP file is truncated in its pixels");
    return *value;
  }

  void put(std::int64_t count, std::uint32_t index) {
    for (; count > 0 && done_ < header_.width * header_.height; --count, ++done_) {
      std::memcpy(row_of(image_, header_, done_ / header_.width) + done_ % header_.width * 3,
                  &palette_[index * 3], 3);
    }
  }

  void run(std::int64_t count, std::uint32_t value) {
    in_row_ += std::max<std::int64_t>(count, 0);
    if (!nibbles_) return put(count, value);
    for (std::int64_t i = 0; i < count; ++i) put(1, i % 2 == 0 ? value >> 4 : value & 15);
  }

  void literal(std::int64_t count) {
    const std::size_t begin = position_;
    std::uint32_t value = 0;
    for (std::int64_t i = 0; i < count; ++i) {
      if (!nibbles_ || i % 2 == 0) value = next();
      put(1, !nibbles_ ? value : i % 2 == 0 ? value >> 4 : value & 15);
    }
    in_row_ += count;
    position_ += (position_ - begin) % 2;  // literals are padded to whole words
  }

  const EncodedImage& file_;
  const Header& header_;
  const Palette palette_;
  Image& image_;
  std::size_t position_;
  std::int64_t done_ = 0;    // pixels, in the file's order
  std::int64_t in_row_ = 0;  // of them in the current row
  bool nibbles_;
};

}  // namespace

Image decode_bmp(const EncodedImage& file) {
  const Header header = read_header(file);
  if (header.compression != kRle8 && header.compression != kRle4) return decode_rows(file, header);
  Image image = make_image(static_cast<int>(header.width), static_cast<int>(header.height));
  RunLengths(file, header, image).decode();
  return image;
}

}  // namespace fovea::detail
