// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstring>

#include "src/io/decoders.h"

// Netpbm's bitmaps, greymaps and pixmaps: P1 to P3 in decimal digits, P4 to P6 in binary.

namespace fovea::detail {
namespace {

bool is_space(std::byte byte) {
  const auto c = std::to_integer<unsigned char>(byte);
  return c == ' ' || (c >= '\t' && c <= '\r');
}

// The text of a file: numbers between white space, and comments from # to the end of the line.
class Text {
 public:
  explicit Text(const EncodedImage& file) : file_(file) {}

  std::size_t position() const { return position_; }

  // The next number, which has at most 10 digits, and the one character behind it.
  std::int64_t number() {
    constexpr int kMaxDigits = 10;
    std::int64_t value = 0;
    int digits = 0;
    for (;;) {
      if (at_end() && digits > 0) return value;
      const std::byte byte = next();
      if (is_space(byte)) {
        if (digits > 0) return value;
        continue;
      }
      value = value * 10 + digit(byte);
      if (++digits > kMaxDigits) refuse(file_, "a number in it has more than 10 digits");
    }
  }

  // The next digit, with or without white space before it.
  int bit() {
    std::byte byte = next();
    while (is_space(byte)) byte = next();
    const int value = digit(byte);
    if (value > 1)
      refuse(file_, "a bitmap's digits are 0 and 1, but found " + std::to_string(value));
    return value;
  }

 private:
  void skip_comments() {
    while (position_ < file_.bytes.size() && file_.bytes[position_] == std::byte{'#'}) {
      while (position_ < file_.bytes.size() && file_.bytes[position_] != std::byte{'\n'} &&
             file_.bytes[position_] != std::byte{'\r'}) {
        ++position_;
      }
      if (position_ < file_.bytes.size()) ++position_;
    }
  }

  bool at_end() {
    skip_comments();
    return position_ == file_.bytes.size();
  }

  std::byte next() {
    if (at_end()) refuse(file_, "the PNM file is truncated");
    return file_.bytes[position_++];
  }

  int digit(std::byte byte) const {
    const int value = std::to_integer<int>(byte) - '0';
    if (value < 0 || value > 9) refuse(file_, "wanted a number, but found other characters");
    return value;
  }

  const EncodedImage& file_;
  std::size_t position_ = 2;  // behind P and a digit
};

struct Header {
  int kind = 0;  // 1 to 6
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t largest = 1;  // the value that stands for white
  bool bitmap() const { return kind == 1 || kind == 4; }
  bool grey() const { return kind == 2 || kind == 5; }
  int samples() const { return kind == 3 || kind == 6 ? 3 : 1; }
};

Header read_header(const EncodedImage& file, Text& text) {
  Header header;
  header.kind = std::to_integer<int>(file.bytes[1]) - '0';
  header.width = text.number();
  header.height = text.number();
  check_announced_size(file, header.width, header.height);
  if (header.bitmap()) return header;
  header.largest = text.number();
  if (header.largest < 1 || header.largest > 65535) {
    refuse(file, "its largest value is " + std::to_string(header.largest) +
                     "; wanted one from 1 to 65535");
  }
  return header;
}

// Pillow's: colour, and grey of at most 255 steps, is scaled to 255, halves being rounded to even
// numbers. Finer grey is scaled to 65535, and saturates at 255.
std::uint8_t scaled(std::int64_t value, const Header& header) {
  const double white = header.grey() && header.largest > 255 ? 65535 : 255;
  const double level = static_cast<double>(value) / static_cast<double>(header.largest) * white;
  return static_cast<std::uint8_t>(std::min(255.0, std::nearbyint(level)));
}

void put_grey(std::uint8_t value, std::uint8_t* out) { std::memset(out, value, 3); }

Image decode_plain(const EncodedImage& file, const Header& header, Text& text) {
  // A character for each sample, or two with the space between.
  check_enough_data(file, header.height, header.width * header.samples() * 8, 1);
  Image image = make_image(static_cast<int>(header.width), static_cast<int>(header.height));
  const auto sample = [&] {
    const std::int64_t value = text.number();
    if (value > header.largest) {
      refuse(file, "it has the value " + std::to_string(value) + ", above its largest, " +
                       std::to_string(header.largest));
    }
    return scaled(value, header);
  };
  std::uint8_t* const end = image.pixels.data() + image.pixels.size();
  for (std::uint8_t* out = image.pixels.data(); out != end; out += 3) {
    if (header.bitmap()) {
      put_grey(text.bit() != 0 ? 0 : 255, out);
    } else if (header.grey()) {
      put_grey(sample(), out);
    } else {
      for (int c = 0; c < 3; ++c) out[c] = sample();
    }
  }
  return image;
}

void expand_bits(const std::byte* in, std::int64_t width, std::uint8_t* out) {
  for (std::int64_t x = 0; x < width; ++x, out += 3) {
    const bool black = (std::to_integer<int>(in[x / 8]) >> (7 - x % 8) & 1) != 0;
    put_grey(black ? 0 : 255, out);
  }
}

void expand_samples(const std::byte* in, const Header& header, std::uint8_t* out) {
  const std::int64_t size = header.largest > 255 ? 2 : 1;
  for (std::int64_t i = 0; i < header.width * header.samples(); ++i, in += size) {
    std::int64_t value = std::to_integer<std::int64_t>(in[0]);
    if (size == 2) value = value * 256 + std::to_integer<std::int64_t>(in[1]);
    const std::uint8_t level = scaled(value, header);
    if (header.grey()) {
      put_grey(level, out + 3 * i);
    } else {
      out[i] = level;
    }
  }
}

Image decode_binary(const EncodedImage& file, const Header& header, std::size_t begin) {
  const std::int64_t bits = header.bitmap() ? 1 : header.largest > 255 ? 16 : 8;
  const std::int64_t row_bytes = (header.width * header.samples() * bits + 7) / 8;
  check_enough_data(file, header.height, row_bytes * 8, 1);
  const Bytes data = file.bytes.subspan(std::min(begin, file.bytes.size()));
  if (static_cast<std::int64_t>(data.size()) / row_bytes < header.height) {
    refuse(file, "the PNM file is truncated");
  }
  Image image = make_image(static_cast<int>(header.width), static_cast<int>(header.height));
  const std::byte* in = data.data();
  std::uint8_t* out = image.pixels.data();
  for (std::int64_t y = 0; y < header.height; ++y, in += row_bytes, out += 3 * header.width) {
    if (header.bitmap()) {
      expand_bits(in, header.width, out);
    } else if (header.kind == 6 && header.largest == 255) {
      std::memcpy(out, in, static_cast<std::size_t>(row_bytes));
    } else {
      expand_samples(in, header, out);
    }
  }
  return image;
}

}  // namespace

bool is_pnm(Bytes file) noexcept {
  return file.size() > 2 && file[0] == std::byte{'P'} && file[1] >= std::byte{'1'} &&
         file[1] <= std::byte{'6'} && is_space(file[2]);
}

Image decode_pnm(const EncodedImage& file) {
  if (!is_pnm(file.bytes)) refuse(file, "it is not a PNM file");
  Text text(file);
  const Header header = read_header(file, text);
  return header.kind <= 3 ? decode_plain(file, header, text)
                          : decode_binary(file, header, text.position());
}

}  // namespace fovea::detail
