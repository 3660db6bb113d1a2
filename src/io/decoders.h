// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "fovea/io/image.h"

// The parts behind decode_image, which tests also call one by one.

namespace fovea::detail {

using Bytes = std::span<const std::byte>;

struct EncodedImage {
  Bytes bytes;
  std::string_view name;  // for messages
  std::int64_t max_pixels = ImageOptions{}.max_pixels;
};

// Throws Error (file): "cannot read image <name>: <why>".
[[noreturn]] void refuse(const EncodedImage& file, const std::string& why);

// Refuses empty pictures, those above max_pixels, and those whose edges do not fit an int. A
// decoder calls it with the sizes of the header, before it allocates.
void check_announced_size(const EncodedImage& file, std::int64_t width, std::int64_t height);

// The decoders: whole, intact files in, upright or not as stored, Pillow's RGB out.
// Throw Error (file).
#ifdef FOVEA_WITH_LIBJPEG
Image decode_jpeg_with_libjpeg(const EncodedImage& file);
#endif
#ifdef FOVEA_WITH_LIBPNG
Image decode_png_with_libpng(const EncodedImage& file);
#endif
#ifdef FOVEA_WITH_STB
Image decode_jpeg_with_stb(const EncodedImage& file);
Image decode_png_with_stb(const EncodedImage& file);
#endif

// An unsigned integer of `size` (1 to 4) bytes at `offset`; nothing when it would leave `bytes`.
enum class ByteOrder { big, little };
std::optional<std::uint32_t> read_uint(Bytes bytes, std::size_t offset, std::size_t size,
                                       ByteOrder order = ByteOrder::big) noexcept;

bool starts_with(Bytes bytes, std::string_view prefix, std::size_t offset = 0) noexcept;

// The CRC-32 of ISO 3309, which ends every PNG chunk.
std::uint32_t crc32(Bytes bytes) noexcept;

struct JpegSegment {
  std::uint32_t marker = 0;  // the byte behind 0xFF
  Bytes data;                // without its length field
};

inline constexpr std::size_t kJpegStart = 2;  // behind the first marker, SOI
inline constexpr std::uint32_t kJpegDht = 0xC4, kJpegEoi = 0xD9;

// The next segment behind `position`, which moves behind it, compressed data being skipped; the end
// marker counts as an empty one. Nothing when the file ends before or inside it.
std::optional<JpegSegment> next_jpeg_segment(Bytes file, std::size_t& position) noexcept;

// SOF0 to SOF15, the kinds of compression.
bool is_frame_header(std::uint32_t marker) noexcept;

// What the segments of a JPEG file tell without decoding it.
struct JpegOutline {
  bool complete = false;  // an unbroken chain of segments up to the end marker
  int scans = 0;
  int adobe_transform = -1;  // of the APP14 segment, -1 without one
  Bytes frame_header;        // data of the last SOF segment
  Bytes exif;                // the TIFF structure in the first APP1 segment that has one
};
JpegOutline outline_jpeg(Bytes file) noexcept;

// A progressive file may repeat cheap scans without end, and each costs a pass over the picture.
inline constexpr int kMaxJpegScans = 500;

struct PngChunk {
  std::uint32_t type = 0;  // four characters, big-endian
  Bytes data;
  Bytes checked;  // type and data: what the checksum covers
  std::uint32_t checksum = 0;
};

constexpr std::uint32_t png_type(const char (&name)[5]) {
  std::uint32_t type = 0;
  for (int i = 0; i < 4; ++i) type = type << 8 | static_cast<unsigned char>(name[i]);
  return type;
}

inline constexpr std::string_view kPngSignature = "\x89PNG\r\n\x1a\n";

// The chunk at `position`, which moves behind it; nothing when the file ends inside the chunk. The
// first one stands behind the signature.
std::optional<PngChunk> next_png_chunk(Bytes file, std::size_t& position) noexcept;

// The TIFF structure in a PNG's eXIf chunk, empty without one.
Bytes find_png_exif(Bytes file) noexcept;

// The value of the orientation tag in a TIFF structure, 1 (upright) when it is absent or malformed.
int exif_orientation(Bytes tiff) noexcept;

// Turns a picture stored with an orientation of 1 to 8 upright.
Image apply_orientation(Image image, int orientation);

}  // namespace fovea::detail
