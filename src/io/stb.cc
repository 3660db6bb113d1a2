// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <memory>
#include <utility>
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

// The critical chunks of a file with this header, each one checked; transparency and all metadata
// stay behind.
class PngCleaner {
 public:
  PngCleaner(const EncodedImage& file, const PngHeader& header) : file_(file), header_(header) {
    const auto signature = file.bytes.first(kPngSignature.size());
    bytes_.reserve(file.bytes.size() + 1024);
    bytes_.assign(signature.begin(), signature.end());
  }

  std::vector<std::byte> clean() {
    std::size_t position = kPngSignature.size();
    while (const auto chunk = next_png_chunk(file_.bytes, position)) {
      if (crc32(chunk->checked) != chunk->checksum) refuse(file_, "a PNG chunk fails its checksum");
      const bool critical = (chunk->type & 0x20000000u) == 0;  // its first letter is a capital
      if (critical) append(*chunk);
      if (chunk->type == png_type("IEND")) return std::move(bytes_);
    }
    refuse(file_, "the PNG file is truncated");
  }

 private:
  void append(const PngChunk& chunk) {
    const bool first = bytes_.size() == kPngSignature.size();
    if (!first && chunk.type == png_type("IHDR")) refuse(file_, "the PNG file has two headers");
    if (chunk.type == png_type("PLTE")) {
      if (header_.color_type != kPngPalette) return;  // a suggestion for displays
      if (has_palette_ || chunk.data.empty() || chunk.data.size() > 768 ||
          chunk.data.size() % 3 != 0) {
        refuse(file_, "its palette has a length of " + std::to_string(chunk.data.size()) +
                          " bytes, or is not the only one");
      }
      has_palette_ = true;
      return append_chunk(bytes_, chunk.type, complete_palette(chunk.data));
    }
    const bool known = chunk.type == png_type("IHDR") || chunk.type == png_type("IDAT") ||
                       chunk.type == png_type("IEND");
    if (!known) refuse(file_, "the PNG file has a critical chunk of an unknown type");
    append_chunk(bytes_, chunk.type, chunk.data);
  }

  const EncodedImage& file_;
  const PngHeader& header_;
  std::vector<std::byte> bytes_;
  bool has_palette_ = false;
};

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
  const std::size_t count = read_uint(frame_header, kJpegComponentCount, 1).value_or(0);
  std::uint32_t largest[2] = {1, 1};
  for (const bool divides : {false, true}) {  // the first round finds the largest
    for (std::size_t i = 0; i < count; ++i) {
      const auto both = read_uint(frame_header, kJpegComponentCount + 2 + 3 * i, 1).value_or(0);
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
  const JpegOutline outline = check_jpeg(file);
  if (!outline.complete || outline.scans == 0) refuse(file, "the JPEG file is truncated");
  if (is_arithmetic(outline)) {
    refuse(file, "it is a JPEG file with arithmetic coding, which stb_image does not support");
  }
  check_jpeg_tables(file);
  const bool cmyk = read_uint(outline.frame_header, kJpegComponentCount, 1) == 4u;
  if (cmyk && outline.adobe_transform != 0 && outline.adobe_transform != 2) {
    refuse(file, "it is a CMYK picture without Adobe's marker, which stb_image does not support");
  }
  return decode_rgb(file, stb_input(file, file.bytes));
}

Image decode_png_with_stb(const EncodedImage& file) {
  if (!starts_with(file.bytes, kPngSignature)) refuse(file, "it is not a PNG file");
  const PngHeader header = check_png(file);
  const std::vector<std::byte> bytes = PngCleaner(file, header).clean();
  const StbInput input = stb_input(file, bytes);
  const bool grey16 = header.depth == 16 && header.color_type == kPngGrey;
  return grey16 ? decode_clipped_grey(file, input) : decode_rgb(file, input);
}

}  // namespace fovea::detail
