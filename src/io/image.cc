// SPDX-License-Identifier: Apache-2.0
#include "fovea/io/image.h"

#include <limits>
#include <string>
#include <utility>

#include "fovea/core/error.h"
#include "src/io/decoders.h"
#include "src/io/file_bytes.h"

namespace fovea {
namespace {

using detail::Bytes;
using detail::EncodedImage;

struct Signature {
  std::string_view format;
  std::string_view bytes;
  std::size_t offset = 0;
};

using namespace std::string_view_literals;

// What people hand to image readers, other than what is read.
constexpr Signature kOtherFormats[] = {
    {"a GIF file", "GIF8"sv},
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
    {"a PAM file", "P7\n"sv},
    {"a PFM file", "Pf\n"sv},
    {"a PFM file", "PF\n"sv},
    {"a PCX file", "\x0A\5\1"sv},
    {"a Sun raster file", "\x59\xA6\x6A\x95"sv},
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

Image decode_webp(const EncodedImage& file) {
#if defined(FOVEA_WITH_LIBWEBP)
  return detail::decode_webp_with_libwebp(file);
#else
  detail::refuse(file, "it is a WebP file, and this build has no WebP decoder");
#endif
}

// A format that is read: how it is recognised, decoded, and where it keeps its EXIF data.
struct Format {
  bool (*is)(Bytes file);
  Image (*decode)(const EncodedImage& file);
  Bytes (*exif)(Bytes file);
};

constexpr Bytes (*kNoExif)(Bytes) = [](Bytes) { return Bytes{}; };

constexpr Format kFormats[] = {
    {detail::is_jpeg, decode_jpeg, [](Bytes file) { return detail::outline_jpeg(file).exif; }},
    {[](Bytes file) { return detail::starts_with(file, detail::kPngSignature); }, decode_png,
     detail::find_png_exif},
    {detail::is_webp, decode_webp, detail::find_webp_exif},
    {[](Bytes file) { return detail::starts_with(file, "BM"sv); }, detail::decode_bmp, kNoExif},
    {detail::is_pnm, detail::decode_pnm, kNoExif},
};

[[noreturn]] void refuse_format(const EncodedImage& file) {
  constexpr const char* kSupported = "the supported formats are JPEG, PNG, WebP, BMP and PNM";
  if (file.bytes.empty()) detail::refuse(file, "the file is empty");
  for (const Signature& signature : kOtherFormats) {
    if (matches(signature, file.bytes)) {
      detail::refuse(file, "it is " + std::string(signature.format) + "; " + kSupported);
    }
  }
  detail::refuse(file, std::string("its content is of no known image format; ") + kSupported);
}

const Format& find_format(const EncodedImage& file) {
  for (const Format& format : kFormats) {
    if (format.is(file.bytes)) return format;
  }
  refuse_format(file);
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
  EncodedImage encoded{file, name, options.max_pixels};
  const Format& format = find_format(encoded);
  const int orientation =
      options.apply_exif_orientation ? detail::exif_orientation(format.exif(file)) : 1;
  if (options.fast_decode) {
    const bool swapped = orientation >= 5;  // width and height, when the picture is turned
    encoded.least_width = swapped ? options.least_height : options.least_width;
    encoded.least_height = swapped ? options.least_width : options.least_height;
  }
  return detail::apply_orientation(format.decode(encoded), orientation);
}

Image read_image(const std::filesystem::path& path, const ImageOptions& options) {
  return decode_image(open_file(path, FileAccess::read).bytes, options, path.string());
}

}  // namespace fovea
