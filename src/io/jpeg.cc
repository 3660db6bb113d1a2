// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdio>
// libjpeg's headers rely on the ones above, and the second on the first.
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <csetjmp>

#include "src/io/decoders.h"

// libjpeg reports errors through a callback that must not return, and a C++ exception must not
// cross its frames. So every call into it happens in a function that has set a jump target and
// holds nothing with a destructor; the C++ around those functions allocates and throws.

namespace fovea::detail {
namespace {

struct Decoder {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  std::jmp_buf escape{};
  char message[JMSG_LENGTH_MAX] = "";

  Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { jpeg_destroy_decompress(&info); }
};

[[noreturn]] void on_error(j_common_ptr info) {
  Decoder& decoder = *static_cast<Decoder*>(info->client_data);
  info->err->format_message(info, decoder.message);
  std::longjmp(decoder.escape, 1);
}

// libjpeg calls damaged data a warning, too, and fills the picture with grey.
bool is_harmless(int message) {
  return message == JWRN_ADOBE_XFORM || message == JWRN_EXTRANEOUS_DATA ||
         message == JWRN_JFIF_MAJOR || message == JWRN_TOO_MUCH_DATA;
}

void on_message(j_common_ptr info, int level) {
  if (level < 0 && !is_harmless(info->err->msg_code)) on_error(info);
}

void print_nothing(j_common_ptr) {}

bool read_header(Decoder& decoder, Bytes bytes) noexcept {
  decoder.info.err = jpeg_std_error(&decoder.errors);
  decoder.info.client_data = &decoder;
  decoder.errors.error_exit = on_error;
  decoder.errors.emit_message = on_message;
  decoder.errors.output_message = print_nothing;
  if (setjmp(decoder.escape) != 0) return false;
  jpeg_create_decompress(&decoder.info);
  jpeg_mem_src(&decoder.info, reinterpret_cast<const unsigned char*>(bytes.data()),
               static_cast<unsigned long>(bytes.size()));
  jpeg_read_header(&decoder.info, TRUE);
  decoder.info.out_color_space = decoder.info.num_components == 4 ? JCS_CMYK : JCS_RGB;
  return true;
}

// The smallest of 1/8, 1/4 and 1/2 that is not below the wanted size; these have fast transforms.
bool choose_scale(Decoder& decoder, const EncodedImage& file) noexcept {
  if (setjmp(decoder.escape) != 0) return false;
  jpeg_decompress_struct& info = decoder.info;
  if (file.least_width > 0 && file.least_height > 0) {
    const auto least_width = static_cast<JDIMENSION>(file.least_width);
    const auto least_height = static_cast<JDIMENSION>(file.least_height);
    info.scale_denom = 8;
    for (; info.scale_denom > 1; info.scale_denom /= 2) {
      jpeg_calc_output_dimensions(&info);
      if (info.output_width >= least_width && info.output_height >= least_height) break;
    }
  }
  jpeg_calc_output_dimensions(&info);
  return true;
}

std::uint8_t multiply_units(int a, int b) {  // a * b / 255, rounded
  const int product = a * b + 128;
  return static_cast<std::uint8_t>(((product >> 8) + product) >> 8);
}

// cmyk: n pixels of inverted inks, 255 for none. Pillow's order of roundings.
void cmyk_to_rgb(const std::uint8_t* cmyk, std::size_t n, std::uint8_t* rgb) {
  for (std::size_t i = 0; i < n; ++i, cmyk += 4) {
    const int light = cmyk[3];
    for (int c = 0; c < 3; ++c) {
      *rgb++ = static_cast<std::uint8_t>(light - multiply_units(255 - cmyk[c], light));
    }
  }
}

// out: (height, width, 3). cmyk_row has room for one row of 4 components, and is null for RGB.
bool read_rows(Decoder& decoder, std::uint8_t* out, std::uint8_t* cmyk_row) noexcept {
  if (setjmp(decoder.escape) != 0) return false;
  jpeg_start_decompress(&decoder.info);
  const std::size_t width = decoder.info.output_width;
  while (decoder.info.output_scanline < decoder.info.output_height) {
    std::uint8_t* rgb_row = out + std::size_t{decoder.info.output_scanline} * width * 3;
    JSAMPROW row = cmyk_row != nullptr ? cmyk_row : rgb_row;
    jpeg_read_scanlines(&decoder.info, &row, 1);
    if (cmyk_row != nullptr) cmyk_to_rgb(cmyk_row, width, rgb_row);
  }
  // Reads on to the end-of-image marker, and so notices a file that lost its last bytes.
  jpeg_finish_decompress(&decoder.info);
  return true;
}

}  // namespace

Image decode_jpeg_with_libjpeg(const EncodedImage& file) {
  check_jpeg(file);
  Decoder decoder;
  if (!read_header(decoder, file.bytes)) refuse(file, decoder.message);
  check_announced_size(file, decoder.info.image_width, decoder.info.image_height);
  if (!choose_scale(decoder, file)) refuse(file, decoder.message);

  Image image = make_image(static_cast<int>(decoder.info.output_width),
                           static_cast<int>(decoder.info.output_height));
  const bool cmyk = decoder.info.out_color_space == JCS_CMYK;
  std::vector<std::uint8_t> cmyk_row(cmyk ? std::size_t{decoder.info.output_width} * 4 : 0);
  if (!read_rows(decoder, image.pixels.data(), cmyk ? cmyk_row.data() : nullptr)) {
    refuse(file, decoder.message);
  }
  return image;
}

}  // namespace fovea::detail
