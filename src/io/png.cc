// SPDX-License-Identifier: Apache-2.0
#include <png.h>

#include <csetjmp>
#include <cstring>

#include "src/io/decoders.h"

// As in jpeg.cc, calls into the library happen in functions with a jump target and no destructors.

namespace fovea::detail {
namespace {

constexpr std::size_t kMessageSize = 256;
constexpr std::size_t kChannels = 3;

struct Decoder {
  png_structp png = nullptr;
  png_infop info = nullptr;
  Bytes rest;  // what libpng has not read yet
  char message[kMessageSize] = "libpng is out of memory";

  Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { png_destroy_read_struct(&png, &info, nullptr); }
};

[[noreturn]] void on_error(png_structp png, png_const_charp message) {
  Decoder& decoder = *static_cast<Decoder*>(png_get_error_ptr(png));
  std::strncpy(decoder.message, message, kMessageSize - 1);
  png_longjmp(png, 1);
}

void ignore_warning(png_structp, png_const_charp) {}

void read_bytes(png_structp png, png_bytep out, png_size_t count) {
  Decoder& decoder = *static_cast<Decoder*>(png_get_io_ptr(png));
  if (count > decoder.rest.size()) png_error(png, "the PNG file is truncated");
  std::memcpy(out, decoder.rest.data(), count);
  decoder.rest = decoder.rest.subspan(count);
}

bool read_header(Decoder& decoder, Bytes bytes) noexcept {
  decoder.rest = bytes;
  decoder.png = png_create_read_struct(PNG_LIBPNG_VER_STRING, &decoder, on_error, ignore_warning);
  if (decoder.png == nullptr) return false;
  if (setjmp(png_jmpbuf(decoder.png)) != 0) return false;
  decoder.info = png_create_info_struct(decoder.png);
  if (decoder.info == nullptr) return false;
  png_set_read_fn(decoder.png, &decoder, read_bytes);
  // max_pixels is the limit on sizes; libpng's own would refuse long, thin pictures.
  png_set_user_limits(decoder.png, PNG_UINT_31_MAX, PNG_UINT_31_MAX);
  // Profiles, texts and the like would be inflated for nothing.
  // They are skipped, but a wrong checksum in one means a damaged file all the same.
  png_set_crc_action(decoder.png, PNG_CRC_ERROR_QUIT, PNG_CRC_ERROR_QUIT);
  png_set_keep_unknown_chunks(decoder.png, PNG_HANDLE_CHUNK_NEVER, nullptr, -1);
  png_read_info(decoder.png, decoder.info);
  return true;
}

// What a row holds when libpng has done its part; the rest is done here.
enum class RowFormat { rgb8, palette, grey16 };

RowFormat row_format(const PngHeader& header) {
  if (header.color_type == kPngPalette) return RowFormat::palette;
  return header.color_type == kPngGrey && header.depth == 16 ? RowFormat::grey16 : RowFormat::rgb8;
}

// out: (height, width * 3), of which a row of fewer bytes fills the beginning.
bool read_rows(Decoder& decoder, RowFormat format, std::size_t width, std::size_t height,
               std::uint8_t* out) noexcept {
  if (setjmp(png_jmpbuf(decoder.png)) != 0) return false;
  png_structp png = decoder.png;
  if (format == RowFormat::palette) {
    png_set_packing(png);
  } else if (format == RowFormat::rgb8) {
    png_set_expand_gray_1_2_4_to_8(png);
    png_set_strip_16(png);
    png_set_strip_alpha(png);
    png_set_gray_to_rgb(png);
  }
  const int passes = png_set_interlace_handling(png);
  png_read_update_info(png, decoder.info);
  if (png_get_rowbytes(png, decoder.info) > width * kChannels) {
    png_error(png, "libpng did not convert the pixels as asked");
  }
  for (int pass = 0; pass < passes; ++pass) {
    for (std::size_t y = 0; y < height; ++y)
      png_read_row(png, out + y * width * kChannels, nullptr);
  }
  png_read_end(png, nullptr);
  return true;
}

// The conversions run in place and from right to left, so that no value is overwritten unread.

// Indices beyond the palette mean a grey of that level, as they do in Pillow.
void expand_palette(const Decoder& decoder, std::size_t width, std::size_t height,
                    std::uint8_t* rows) {
  png_colorp palette = nullptr;
  int count = 0;
  png_get_PLTE(decoder.png, decoder.info, &palette, &count);
  std::uint8_t colors[256][kChannels];
  for (int i = 0; i < 256; ++i) {
    const auto grey = static_cast<std::uint8_t>(i);
    const png_color color = i < count ? palette[i] : png_color{grey, grey, grey};
    colors[i][0] = color.red;
    colors[i][1] = color.green;
    colors[i][2] = color.blue;
  }
  for (std::size_t y = 0; y < height; ++y, rows += width * kChannels) {
    for (std::size_t x = width; x-- > 0;)
      std::memcpy(rows + x * kChannels, colors[rows[x]], kChannels);
  }
}

// Big-endian 16-bit values, clipped and not scaled: see decode_image.
void clip_grey16(std::size_t width, std::size_t height, std::uint8_t* rows) {
  for (std::size_t y = 0; y < height; ++y, rows += width * kChannels) {
    for (std::size_t x = width; x-- > 0;) {
      const std::uint8_t value = rows[2 * x] != 0 ? 255 : rows[2 * x + 1];
      std::memset(rows + x * kChannels, value, kChannels);
    }
  }
}

}  // namespace

Image decode_png_with_libpng(const EncodedImage& file) {
  if (!starts_with(file.bytes, kPngSignature)) refuse(file, "it is not a PNG file");
  const PngHeader header = check_png(file);
  Decoder decoder;
  if (!read_header(decoder, file.bytes)) refuse(file, decoder.message);
  const auto w = static_cast<std::size_t>(header.width);
  const auto h = static_cast<std::size_t>(header.height);
  if (png_get_image_width(decoder.png, decoder.info) != w ||
      png_get_image_height(decoder.png, decoder.info) != h) {
    refuse(file, "libpng finds another size in it");
  }

  Image image = make_image(static_cast<int>(header.width), static_cast<int>(header.height));
  const RowFormat format = row_format(header);
  std::uint8_t* rows = image.pixels.data();
  if (!read_rows(decoder, format, w, h, rows)) refuse(file, decoder.message);
  if (format == RowFormat::palette) expand_palette(decoder, w, h, rows);
  if (format == RowFormat::grey16) clip_grey16(w, h, rows);
  return image;
}

}  // namespace fovea::detail
