// SPDX-License-Identifier: Apache-2.0
#include <cstddef>
#include <cstdint>
#include <cstdio>
// libjpeg's headers rely on the ones above, and the second on the first.
// clang-format off
#include <jpeglib.h>
#include <jerror.h>
// clang-format on

#include <algorithm>
#include <csetjmp>

#include "src/io/jpeg_rows.h"

// libjpeg reports errors through a callback that must not return, and a C++ exception must not
// cross its frames. So every call into it happens in a function that has set a jump target and
// holds nothing with a destructor; the C++ around those functions allocates and throws.

namespace fovea::detail {

struct JpegRows::Decoder {
  jpeg_decompress_struct info{};
  jpeg_error_mgr errors{};
  std::jmp_buf escape{};
  char message[JMSG_LENGTH_MAX] = "";

  Decoder() = default;
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { jpeg_destroy_decompress(&info); }

  // Each false after an error, whose text is `message`.
  bool read_header(Bytes bytes) noexcept;
  bool choose_scale(JDIMENSION least_width, JDIMENSION least_height) noexcept;
  bool start() noexcept;
  bool keep_columns(JDIMENSION& first, JDIMENSION& count) noexcept;
  bool read_rows(std::uint8_t* const* rows, int count, std::uint8_t* cmyk_row) noexcept;
  bool finish() noexcept;
};

namespace {

// libjpeg calls damaged data a warning, too, and fills the picture with grey.
bool is_harmless(int message) {
  return message == JWRN_ADOBE_XFORM || message == JWRN_EXTRANEOUS_DATA ||
         message == JWRN_JFIF_MAJOR || message == JWRN_TOO_MUCH_DATA;
}

void on_message(j_common_ptr info, int level) {
  if (level < 0 && !is_harmless(info->err->msg_code)) info->err->error_exit(info);
}

void print_nothing(j_common_ptr) {}

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

}  // namespace

bool JpegRows::Decoder::read_header(Bytes bytes) noexcept {
  info.err = jpeg_std_error(&errors);
  info.client_data = this;
  errors.error_exit = [](j_common_ptr failed) {
    auto& decoder = *static_cast<Decoder*>(failed->client_data);
    failed->err->format_message(failed, decoder.message);
    std::longjmp(decoder.escape, 1);
  };
  errors.emit_message = on_message;
  errors.output_message = print_nothing;
  if (setjmp(escape) != 0) return false;
  jpeg_create_decompress(&info);
  jpeg_mem_src(&info, reinterpret_cast<const unsigned char*>(bytes.data()),
               static_cast<unsigned long>(bytes.size()));
  jpeg_read_header(&info, TRUE);
  info.out_color_space = info.num_components == 4 ? JCS_CMYK : JCS_RGB;
  return true;
}

// The smallest of 1/8, 1/4 and 1/2 that is not below the wanted size; these have fast transforms.
bool JpegRows::Decoder::choose_scale(JDIMENSION least_width, JDIMENSION least_height) noexcept {
  if (setjmp(escape) != 0) return false;
  for (info.scale_denom = 8; info.scale_denom > 1; info.scale_denom /= 2) {
    jpeg_calc_output_dimensions(&info);
    if (info.output_width >= least_width && info.output_height >= least_height) break;
  }
  jpeg_calc_output_dimensions(&info);
  return true;
}

bool JpegRows::Decoder::start() noexcept {
  if (setjmp(escape) != 0) return false;
  jpeg_start_decompress(&info);
  return true;
}

// Upsampling takes a column at the edge of what is decoded for one at the edge of the picture: so
// one column of the coarsest blocks more is decoded on either side.
bool JpegRows::Decoder::keep_columns(JDIMENSION& first, JDIMENSION& count) noexcept {
  if (setjmp(escape) != 0) return false;
  const auto margin = static_cast<JDIMENSION>(info.max_h_samp_factor * DCTSIZE);
  const JDIMENSION begin = first > margin ? first - margin : 0;
  const JDIMENSION end = std::min(first + count + margin, info.output_width);
  first = 0;
  count = info.output_width;
#if defined(LIBJPEG_TURBO_VERSION_NUMBER) && LIBJPEG_TURBO_VERSION_NUMBER >= 2000000
  if (info.scale_denom == 1 && end - begin < info.output_width) {
    first = begin;
    count = end - begin;
    jpeg_crop_scanline(&info, &first, &count);
  }
#else
  static_cast<void>(begin + end);
#endif
  return true;
}

// cmyk_row has room for one row of 4 components, and is null for RGB.
bool JpegRows::Decoder::read_rows(std::uint8_t* const* rows, int count,
                                  std::uint8_t* cmyk_row) noexcept {
  if (setjmp(escape) != 0) return false;
  for (int i = 0; i < count; ++i) {
    JSAMPROW row = cmyk_row != nullptr ? cmyk_row : rows[i];
    jpeg_read_scanlines(&info, &row, 1);
    if (cmyk_row != nullptr) cmyk_to_rgb(cmyk_row, info.output_width, rows[i]);
  }
  return true;
}

bool JpegRows::Decoder::finish() noexcept {
  if (setjmp(escape) != 0) return false;
  jpeg_finish_decompress(&info);
  return true;
}

JpegRows::JpegRows(const EncodedImage& file) : file_(file) {
  check_jpeg(file);
  decoder_ = std::make_unique<Decoder>();
  if (!decoder_->read_header(file.bytes)) refuse(file, decoder_->message);
  check_announced_size(file, decoder_->info.image_width, decoder_->info.image_height);
  width_ = column_count_ = static_cast<int>(decoder_->info.image_width);
  height_ = static_cast<int>(decoder_->info.image_height);
}

JpegRows::~JpegRows() = default;

void JpegRows::scale_down(int least_width, int least_height) {
  if (!decoder_->choose_scale(static_cast<JDIMENSION>(least_width),
                              static_cast<JDIMENSION>(least_height))) {
    refuse(file_, decoder_->message);
  }
  width_ = column_count_ = static_cast<int>(decoder_->info.output_width);
  height_ = static_cast<int>(decoder_->info.output_height);
}

void JpegRows::start() {
  if (!decoder_->start()) refuse(file_, decoder_->message);
  if (decoder_->info.out_color_space == JCS_CMYK) {
    cmyk_row_.resize(static_cast<std::size_t>(width_) * 4);
  }
  started_ = true;
}

void JpegRows::keep_columns(int begin, int end) {
  start();
  auto first = static_cast<JDIMENSION>(begin);
  auto count = static_cast<JDIMENSION>(end - begin);
  if (!decoder_->keep_columns(first, count)) refuse(file_, decoder_->message);
  first_column_ = static_cast<int>(first);
  column_count_ = static_cast<int>(count);
}

void JpegRows::read(std::uint8_t* const* rows, int count) {
  if (!started_) start();
  std::uint8_t* const cmyk = cmyk_row_.empty() ? nullptr : cmyk_row_.data();
  if (!decoder_->read_rows(rows, count, cmyk)) refuse(file_, decoder_->message);
}

void JpegRows::finish() {
  if (!decoder_->finish()) refuse(file_, decoder_->message);
}

Image decode_jpeg_with_libjpeg(const EncodedImage& file) {
  JpegRows jpeg(file);
  if (file.least_width > 0 && file.least_height > 0) {
    jpeg.scale_down(file.least_width, file.least_height);
  }
  Image image = make_image(jpeg.width(), jpeg.height());
  const std::size_t stride = static_cast<std::size_t>(image.width) * 3;
  std::uint8_t* row = image.pixels.data();
  for (int y = 0; y < image.height; ++y, row += stride) jpeg.read(&row, 1);
  jpeg.finish();
  return image;
}

}  // namespace fovea::detail
