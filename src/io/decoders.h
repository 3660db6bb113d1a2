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
  // 0, or the size, as stored, below which a JPEG decoder that can scale must not scale.
  int least_width = 0;
  int least_height = 0;
};

// Throws Error (file): "cannot read image <name>: <why>".
[[noreturn]] void refuse(const EncodedImage& file, const std::string& why);

// Refuses empty pictures, those above max_pixels, and those whose edges do not fit an int. A
// decoder calls it with the sizes of the header, before it allocates.
void check_announced_size(const EncodedImage& file, std::int64_t width, std::int64_t height);

// Refuses files that are too short for `rows` rows of `row_bits` bits, which were compressed to no
// less than a `ratio`-th: a header alone must not make a decoder allocate. row_bits * ratio >= 1;
// all factors are below 2^40.
void check_enough_data(const EncodedImage& file, std::int64_t rows, std::int64_t row_bits,
                       std::int64_t ratio);

// The decoders: whole, intact files in, upright or not as stored, Pillow's RGB out.
// Throw Error (file).
#ifdef FOVEA_WITH_LIBJPEG
Image decode_jpeg_with_libjpeg(const EncodedImage& file);
#endif
#ifdef FOVEA_WITH_LIBPNG
Image decode_png_with_libpng(const EncodedImage& file);
#endif
#ifdef FOVEA_WITH_LIBWEBP
Image decode_webp_with_libwebp(const EncodedImage& file);
#endif
Image decode_bmp(const EncodedImage& file);
Image decode_pnm(const EncodedImage& file);
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

// In front of the TIFF structure in JPEG files.
inline constexpr std::string_view kExifHeader{"Exif\0\0", 6};

inline bool is_jpeg(Bytes file) noexcept { return starts_with(file, "\xFF\xD8\xFF"); }

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
  int frames = 0;  // SOF segments; a picture has one
  bool scan_before_frame = false;
  std::uint32_t frame_marker = 0;
  int adobe_transform = -1;  // of the APP14 segment, -1 without one
  Bytes frame_header;        // data of the last SOF segment
  Bytes exif;                // the TIFF structure in the first APP1 segment that has one
};
JpegOutline outline_jpeg(Bytes file) noexcept;

// In a frame header (T.81, B.2.2): the number of components, and then for each of them three bytes,
// of which the middle one holds the horizontal and vertical sampling factors.
inline constexpr std::size_t kJpegComponentCount = 5;

inline bool is_arithmetic(const JpegOutline& outline) { return outline.frame_marker >= 0xC9; }

// The outline of a file whose frame header is sound and of a kind that decoders know, and whose
// size is allowed. Throws Error (file) for others: they would meet it with warnings or worse.
JpegOutline check_jpeg(const EncodedImage& file);

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

inline constexpr std::uint32_t kPngGrey = 0, kPngPalette = 3;  // colour types

struct PngHeader {
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::uint32_t depth = 0;
  std::uint32_t color_type = 0;
};

// The header of a PNG file, which is sound, and whose size is allowed and possible for the file's
// length. Throws Error (file) for others.
PngHeader check_png(const EncodedImage& file);

// Whether the bytes begin as a portable bitmap, greymap or pixmap does: P1 to P6 and white space.
bool is_pnm(Bytes file) noexcept;

inline constexpr std::size_t kWebpStart = 12;  // behind RIFF, a size, and WEBP

bool is_webp(Bytes file) noexcept;

// The bytes of a WebP file that belong to it by its own account; empty when some of them are
// missing.
Bytes webp_riff(Bytes file) noexcept;

struct WebpChunk {
  std::string_view name;  // four characters
  Bytes data;
};

// The chunk at `position`, which moves behind it; nothing when `bytes` end inside the chunk.
std::optional<WebpChunk> next_webp_chunk(Bytes bytes, std::size_t& position) noexcept;

// The TIFF structure in a WebP file's EXIF chunk, empty without one.
Bytes find_webp_exif(Bytes file) noexcept;

// The TIFF structure in a PNG's eXIf chunk, empty without one.
Bytes find_png_exif(Bytes file) noexcept;

// The value of the orientation tag in a TIFF structure, 1 (upright) when it is absent or malformed.
int exif_orientation(Bytes tiff) noexcept;

// Turns a picture stored with an orientation of 1 to 8 upright.
Image apply_orientation(Image image, int orientation);

}  // namespace fovea::detail
