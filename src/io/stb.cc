// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <memory>
#include <vector>

#include "src/io/decoders.h"

// stb_image, the decoder for builds without libjpeg or libpng, trusts its input more than a library
// may that reads files of strangers. So the containers are checked here before it sees them, and
// what it allocates is limited and zeroed: where data are missing it would deliver uninitialised
// memory.

namespace {

thread_local std::size_t largest_allocation = 0;

void* stb_allocate(std::size_t size) {
  return size <= largest_allocation ? std::calloc(1, size) : nullptr;
}

void* stb_reallocate(void* memory, std::size_t size) {
  return size <= largest_allocation ? std::realloc(memory, size) : nullptr;
}

}  // namespace

#define STBI_MALLOC(size) stb_allocate(size)
#define STBI_REALLOC(memory, size) stb_reallocate(memory, size)
#define STBI_FREE(memory) std::free(memory)
#define STBI_ASSERT(condition) static_cast<void>(0)  // a library does not abort
#define STBI_NO_FAILURE_STRINGS                      // one of them is a shared buffer
#define STBI_NO_STDIO
#define STBI_ONLY_JPEG
#define STBI_ONLY_PNG
#define STB_IMAGE_STATIC
#define STB_IMAGE_IMPLEMENTATION
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-compare"
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#include <stb_image.h>
#pragma GCC diagnostic pop

namespace fovea::detail {
namespace {

template <class Value>
using StbPixels = std::unique_ptr<Value, decltype(&std::free)>;

struct StbInput {
  const stbi_uc* data = nullptr;
  int size = 0;
};

StbInput stb_input(const EncodedImage& file, Bytes bytes) {
  if (bytes.size() > static_cast<std::size_t>(std::numeric_limits<int>::max())) {
    refuse(file, "the file is larger than 2 GiB, which stb_image does not support");
  }
  return {reinterpret_cast<const stbi_uc*>(bytes.data()), static_cast<int>(bytes.size())};
}

// Checks the announced size, and lets stb_image allocate what a picture of that size can need:
// planes of at most 8 bytes a pixel, padded to whole blocks, in buffers that grow by doubling.
void prepare(const EncodedImage& file, const StbInput& input) {
  int width = 0, height = 0, components = 0;
  largest_allocation = std::size_t{1} << 20;
  if (stbi_info_from_memory(input.data, input.size, &width, &height, &components) == 0) {
    refuse(file, "its header is damaged or of a kind that stb_image does not support");
  }
  check_announced_size(file, width, height);
  const auto padded = [](int edge) { return static_cast<std::size_t>(edge) + 64; };
  largest_allocation += 16 * padded(width) * padded(height) + 2 * file.bytes.size();
}

Image decode_rgb(const EncodedImage& file, const StbInput& input) {
  prepare(file, input);
  int width = 0, height = 0, components = 0;
  const StbPixels<stbi_uc> pixels(
      stbi_load_from_memory(input.data, input.size, &width, &height, &components, 3), std::free);
  if (pixels == nullptr)
    refuse(file, "its data are damaged or of a kind that stb_image does not support");
  Image image = make_image(width, height);
  std::copy_n(pixels.get(), image.pixels.size(), image.pixels.data());
  return image;
}

// 16-bit grey, which Pillow clips where stb_image would scale: see decode_image.
Image decode_clipped_grey(const EncodedImage& file, const StbInput& input) {
  prepare(file, input);
  int width = 0, height = 0, components = 0;
  const StbPixels<stbi_us> pixels(
      stbi_load_16_from_memory(input.data, input.size, &width, &height, &components, 1), std::free);
  if (pixels == nullptr)
    refuse(file, "its data are damaged or of a kind that stb_image does not support");
  Image image = make_image(width, height);
  for (std::size_t i = 0; i < image.pixels.size(); ++i) {
    image.pixels[i] = static_cast<std::uint8_t>(std::min<int>(pixels.get()[i / 3], 255));
  }
  return image;
}

void append_uint(std::vector<std::byte>& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8)
    out.push_back(static_cast<std::byte>(value >> shift));
}

void append_chunk(std::vector<std::byte>& out, std::uint32_t type, Bytes data) {
  append_uint(out, static_cast<std::uint32_t>(data.size()));
  append_uint(out, type);
  out.insert(out.end(), data.begin(), data.end());
  append_uint(out, 0);  // stb_image skips checksums
}

// 256 colours; those that the file leaves out are greys of their index, as in Pillow.
std::array<std::byte, 768> complete_palette(Bytes palette) {
  std::array<std::byte, 768> colors{};
  for (std::size_t i = 0; i < colors.size(); ++i) {
    colors[i] = i < palette.size() ? palette[i] : static_cast<std::byte>(i / 3);
  }
  return colors;
}

struct CheckedPng {
  std::vector<std::byte> bytes;
  std::uint32_t depth = 0;
  std::uint32_t color_type = 0;
};

constexpr std::uint32_t kGrey = 0, kPalette = 3;

void append_critical_chunk(const EncodedImage& file, const PngChunk& chunk, CheckedPng& png) {
  const bool first = png.bytes.size() == kPngSignature.size();
  if (first != (chunk.type == png_type("IHDR"))) {
    refuse(file, "the PNG file wants one IHDR chunk, and that in front of all others");
  }
  if (chunk.type == png_type("IHDR")) {
    png.depth = read_uint(chunk.data, 8, 1).value_or(0);
    png.color_type = read_uint(chunk.data, 9, 1).value_or(0);
  } else if (chunk.type == png_type("PLTE")) {
    if (png.color_type != kPalette) return;  // a suggestion for displays
    if (chunk.data.empty() || chunk.data.size() > 768 || chunk.data.size() % 3 != 0) {
      refuse(file, "its palette has a length of " + std::to_string(chunk.data.size()) + " bytes");
    }
    const auto colors = complete_palette(chunk.data);
    return append_chunk(png.bytes, chunk.type, colors);
  } else if (chunk.type != png_type("IDAT") && chunk.type != png_type("IEND")) {
    refuse(file, "the PNG file has a critical chunk of an unknown type");
  }
  append_chunk(png.bytes, chunk.type, chunk.data);
}

// The critical chunks of the file, each one checked; transparency and all metadata stay behind.
CheckedPng checked_png(const EncodedImage& file) {
  CheckedPng png;
  const auto signature = file.bytes.first(kPngSignature.size());
  png.bytes.reserve(file.bytes.size() + 1024);
  png.bytes.assign(signature.begin(), signature.end());
  std::size_t position = kPngSignature.size();
  while (const auto chunk = next_png_chunk(file.bytes, position)) {
    const bool critical = (chunk->type & 0x20000000u) == 0;  // its first letter is a capital
    if (!critical) continue;
    if (crc32(chunk->checked) != chunk->checksum) refuse(file, "a PNG chunk fails its checksum");
    append_critical_chunk(file, *chunk, png);
    if (chunk->type == png_type("IEND")) return png;
  }
  refuse(file, "the PNG file is truncated");
}

// In a frame header (T.81, B.2.2): the number of components, and then for each of them three bytes,
// of which the middle one holds the horizontal and vertical sampling factors.
constexpr std::size_t kComponentCount = 5;

// stb_image up to 2.27 writes behind its tables when a Huffman code has more than 256 symbols.
void check_huffman_tables(const EncodedImage& file, Bytes data) {
  constexpr std::size_t kLengths = 16;
  for (std::size_t position = 0; position < data.size();) {
    std::uint32_t symbols = 0;
    for (std::size_t i = 1; i <= kLengths; ++i) {
      symbols += read_uint(data, position + i, 1).value_or(0);
    }
    position += 1 + kLengths + symbols;
    if (symbols > 256 || position > data.size()) refuse(file, "it has a malformed Huffman table");
  }
}

// And it reads behind its planes when one sampling factor does not divide the largest.
void check_sampling(const EncodedImage& file, Bytes frame_header) {
  const std::size_t count = read_uint(frame_header, kComponentCount, 1).value_or(0);
  std::uint32_t largest[2] = {1, 1};
  for (const bool divides : {false, true}) {  // the first round finds the largest
    for (std::size_t i = 0; i < count; ++i) {
      const auto both = read_uint(frame_header, kComponentCount + 2 + 3 * i, 1).value_or(0);
      const std::uint32_t factors[2] = {both >> 4, both & 15};
      for (int axis = 0; axis < 2; ++axis) {
        largest[axis] = std::max(largest[axis], factors[axis]);
        if (factors[axis] == 0 || (divides && largest[axis] % factors[axis] != 0)) {
          refuse(file,
                 "its sampling factors are malformed or of a kind stb_image does not support");
        }
      }
    }
  }
}

void check_jpeg_tables(const EncodedImage& file) {
  std::size_t position = kJpegStart;
  while (const auto segment = next_jpeg_segment(file.bytes, position)) {
    if (segment->marker == kJpegEoi) break;
    if (segment->marker == kJpegDht) check_huffman_tables(file, segment->data);
    if (is_frame_header(segment->marker)) check_sampling(file, segment->data);
  }
}

}  // namespace

Image decode_jpeg_with_stb(const EncodedImage& file) {
  const JpegOutline outline = outline_jpeg(file.bytes);
  if (!outline.complete || outline.scans == 0) refuse(file, "the JPEG file is truncated");
  if (outline.scans > kMaxJpegScans) {
    refuse(file, "the JPEG file has more than " + std::to_string(kMaxJpegScans) + " scans");
  }
  check_jpeg_tables(file);
  const bool cmyk = read_uint(outline.frame_header, kComponentCount, 1) == 4u;
  if (cmyk && outline.adobe_transform != 0 && outline.adobe_transform != 2) {
    refuse(file, "it is a CMYK picture without Adobe's marker, which stb_image does not support");
  }
  return decode_rgb(file, stb_input(file, file.bytes));
}

Image decode_png_with_stb(const EncodedImage& file) {
  if (!starts_with(file.bytes, kPngSignature)) refuse(file, "it is not a PNG file");
  const CheckedPng png = checked_png(file);
  const StbInput input = stb_input(file, png.bytes);
  const bool grey16 = png.depth == 16 && png.color_type == kGrey;
  return grey16 ? decode_clipped_grey(file, input) : decode_rgb(file, input);
}

}  // namespace fovea::detail
