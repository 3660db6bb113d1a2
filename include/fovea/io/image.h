// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

namespace fovea {

// A picture: 8-bit sRGB, (height, width, 3), rows from top to bottom without gaps.
struct Image {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> pixels;  // height * width * 3 values
};

// A black picture. Throws Error (argument) unless width >= 1 and height >= 1.
Image make_image(int width, int height);

// Throws Error (argument) unless the sizes are positive and `pixels` has exactly height * width * 3
// values. Everything that takes an Image asks this at its door.
void check_image(const Image& image);

struct ImageOptions {
  // Turn and mirror the picture as its EXIF orientation (1 to 8) asks, so that up is up.
  bool apply_exif_orientation = true;
  // A file that announces more pixels is refused before anything of that size is allocated. The
  // default is the number above which Pillow reports a decompression bomb.
  std::int64_t max_pixels = std::int64_t{2} * 89478485;
  // Opt in to pixels that differ from Pillow's: when only a picture of some size is wanted, as for
  // the input of a network, libjpeg-turbo can leave fine detail out while it decodes. The picture
  // is then 1/8, 1/4 or 1/2 of its size, the smallest that is (upright) at least `least_width` x
  // `least_height` pixels. Without these, and for other formats and decoders, nothing changes.
  bool fast_decode = false;
  int least_width = 0;
  int least_height = 0;
};

// Decodes a JPEG, PNG, WebP, BMP or PNM (P1 to P6) file held in memory. The format is recognised by
// the content. JPEG and PNG files need libjpeg-turbo and libpng, or else stb_image; WebP files need
// libwebp. Of animations the first frame is read.
//
// The pixels are those of Pillow 9.4's Image.open(...).convert("RGB"): grey is repeated, palettes
// are expanded, transparency is dropped and not composited, 16-bit colour keeps its high byte,
// gamma and colour profiles are ignored. 16-bit grey without alpha saturates at 255 (value v
// becomes min(v, 255)), because that is what Pillow does; CMYK is taken as inverted, as Adobe
// writes it.
//
// Unlike Pillow, a JPEG whose compressed data are damaged is refused, not delivered half grey.
//
// Memory: what the picture takes (3 bytes a pixel), once more to turn it upright, and what the
// decoder needs, at most 8 bytes a pixel for libjpeg, libpng and libwebp, 16 for stb_image. All of
// that only after the announced size was found to be at most max_pixels, and possible: the file's
// length bounds the pixels of a JPEG (64 for each bit of the file), PNG (1032-fold compression),
// PNM or uncompressed BMP file. Metadata and profiles are skipped, never inflated. The time is
// linear in the file's size and in pixels times scans of a JPEG, of which 500 are allowed.
//
// `name` stands for the file in messages. Throws Error (file) when the bytes are not a complete,
// intact file of these formats, or too large a picture; for other well-known formats it names the
// format.
Image decode_image(std::span<const std::byte> file, const ImageOptions& options = {},
                   std::string_view name = "in memory");

// The same for a file on disk. Throws Error (file) also when it cannot be read.
Image read_image(const std::filesystem::path& path, const ImageOptions& options = {});

}  // namespace fovea
