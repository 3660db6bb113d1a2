// SPDX-License-Identifier: Apache-2.0
#include "fovea/io/image.h"

#include <limits>
#include <string>
#include <utility>

#include "fovea/core/error.h"
#include "src/io/decoders.h"
#include "src/io/file_bytes.h"

namespace fovea {
namespace detail {

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

}  // namespace detail

namespace {

using detail::Bytes;
using detail::EncodedImage;

struct Signature {
  std::string_view format;
  std::string_view bytes;
  std::size_t offset = 0;
};

using namespace std::string_view_literals;

constexpr Signature kJpeg = {"a JPEG file", "\xFF\xD8\xFF"sv};
constexpr Signature kPng = {"a PNG file", detail::kPngSignature};

// What people hand to image readers, other than JPEG and PNG.
constexpr Signature kOtherFormats[] = {
    {"a GIF file", "GIF8"sv},
    {"a BMP file", "BM"sv},
    {"a WebP file", "WEBP"sv, 8},
    {"a TIFF file", "II*\0"sv},
    {"a TIFF file", "MM\0*"sv},
    {"a BigTIFF file", "II+\0"sv},
    {"a BigTIFF file", "MM\0+"sv},
    {"an AVIF file", "ftypavi"sv, 4},
    {"a HEIC file", "ftyphe"sv, 4},
    {"a HEIF file", "ftypmif1"sv, 4},
    {"a HEIF file", "ftypmsf1"sv, 4},
    {"a JPEG 2000 file", "\0\0\0\x0CjP  "sv},
    {"a JPEG 2000 codestream", "\xFF\x4F\xFF\x51"sv},
    {"a JPEG XL file", "\0\0\0\x0CJXL "sv},
    {"a JPEG XL codestream", "\xFF\x0A"sv},
    {"a PSD (Photoshop) file", "8BPS"sv},
    {"an ICO file", "\0\0\1\0"sv},
    {"an OpenEXR file", "\x76\x2F\x31\x01"sv},
    {"a Radiance HDR file", "#?RADIANCE"sv},
    {"a QOI file", "qoif"sv},
    {"a DDS file", "DDS "sv},
    {"a PNM file", "P1\n"sv},
    {"a PNM file", "P2\n"sv},
    {"a PNM file", "P3\n"sv},
    {"a PNM file", "P4\n"sv},
    {"a PNM file", "P5\n"sv},
    {"a PNM file", "P6\n"sv},
    {"a PNM file", "P7\n"sv},
    {"a PDF file", "%PDF"sv},
    {"an SVG file", "<svg"sv},
    {"an XML file", "<?xml"sv},
    {"an HTML page", "<!DOCTYPE html"sv},
    {"an HTML page", "<html"sv},
    {"a Git LFS pointer and not the picture itself", "version https://git-lfs"sv},
};

bool matches(const Signature& signature, Bytes file) {
  return detail::starts_with(file, signature.bytes, signature.offset);
}

Image decode_jpeg(const EncodedImage& file) {
#if defined(FOVEA_WITH_LIBJPEG)
  return detail::decode_jpeg_with_libjpeg(file);
#elif defined(FOVEA_WITH_STB)
  return detail::decode_jpeg_with_stb(file);
#else
  detail::refuse(file, "this build has no JPEG decoder");
#endif
}

Image decode_png(const EncodedImage& file) {
#if defined(FOVEA_WITH_LIBPNG)
  return detail::decode_png_with_libpng(file);
#elif defined(FOVEA_WITH_STB)
  return detail::decode_png_with_stb(file);
#else
  detail::refuse(file, "this build has no PNG decoder");
#endif
}

[[noreturn]] void refuse_format(const EncodedImage& file) {
  if (file.bytes.empty()) detail::refuse(file, "the file is empty");
  for (const Signature& signature : kOtherFormats) {
    if (matches(signature, file.bytes)) {
      detail::refuse(file, "it is " + std::string(signature.format) +
                               "; the supported formats are JPEG and PNG");
    }
  }
  detail::refuse(file,
                 "its content is of no known image format; the supported ones are JPEG and PNG");
}

}  // namespace

Image make_image(int width, int height) {
  if (width < 1 || height < 1) {
    throw Error(Error::Kind::argument,
                "an image wants a width and height of at least 1, but found " +
                    std::to_string(width) + " x " + std::to_string(height));
  }
  const std::size_t values = static_cast<std::size_t>(width) * static_cast<std::size_t>(height) * 3;
  return {width, height, std::vector<std::uint8_t>(values)};
}

void check_image(const Image& image) {
  const bool positive = image.width >= 1 && image.height >= 1;
  const std::size_t wanted =
      positive ? static_cast<std::size_t>(image.width) * static_cast<std::size_t>(image.height) * 3
               : 0;
  if (positive && image.pixels.size() == wanted) return;
  throw Error(Error::Kind::argument,
              "an image of " + std::to_string(image.width) + " x " + std::to_string(image.height) +
                  " pixels wants " + (positive ? std::to_string(wanted) : "positive sizes and") +
                  " values, but found " + std::to_string(image.pixels.size()));
}

Image decode_image(std::span<const std::byte> file, const ImageOptions& options,
                   std::string_view name) {
  const EncodedImage encoded{file, name, options.max_pixels};
  const bool is_jpeg = matches(kJpeg, file);
  if (!is_jpeg && !matches(kPng, file)) refuse_format(encoded);
  Image image = is_jpeg ? decode_jpeg(encoded) : decode_png(encoded);
  if (!options.apply_exif_orientation) return image;
  const Bytes exif = is_jpeg ? detail::outline_jpeg(file).exif : detail::find_png_exif(file);
  return detail::apply_orientation(std::move(image), detail::exif_orientation(exif));
}

Image read_image(const std::filesystem::path& path, const ImageOptions& options) {
  return decode_image(open_file(path, FileAccess::read).bytes, options, path.string());
}

}  // namespace fovea
