// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "src/io/decoders.h"

namespace fovea::detail {

// A JPEG file that libjpeg-turbo decodes row by row, from top to bottom. Every pixel is that of
// decode_jpeg_with_libjpeg, which is made of this. All members throw Error (file).
class JpegRows {
 public:
  // Checks the header. `file` must outlive the object.
  explicit JpegRows(const EncodedImage& file);
  ~JpegRows();
  JpegRows(const JpegRows&) = delete;
  JpegRows& operator=(const JpegRows&) = delete;

  int width() const { return width_; }
  int height() const { return height_; }

  // Decodes at 1/8, 1/4 or 1/2 of the size, the smallest that is not below the one given. width()
  // and height() follow.
  void scale_down(int least_width, int least_height);

  // Leaves out columns before `begin` and from `end` on where that saves time. Call it, if at all,
  // before the first row.
  void keep_columns(int begin, int end);
  // The column of the pixels that read() writes first, and their number.
  int first_column() const { return first_column_; }
  int column_count() const { return column_count_; }

  // The next `count` rows, in RGB: column_count() pixels each.
  void read(std::uint8_t* const* rows, int count);
  // Reads on to the end of the file, and so notices one that lost its last bytes.
  void finish();

 private:
  struct Decoder;

  void start();

  const EncodedImage& file_;
  std::unique_ptr<Decoder> decoder_;
  std::vector<std::uint8_t> cmyk_row_;  // empty for RGB
  int width_ = 0;
  int height_ = 0;
  int first_column_ = 0;
  int column_count_ = 0;
  bool started_ = false;
};

}  // namespace fovea::detail
