// SPDX-License-Identifier: Apache-2.0
#include <webp/decode.h>

#include "src/io/decoders.h"

namespace fovea::detail {
namespace {

// What libwebp is to decode, and where in the picture it belongs: all of it, but for animations.
struct Frame {
  Bytes bytes;
  std::int64_t canvas_width = 0;
  std::int64_t canvas_height = 0;
  std::int64_t left = 0;
  std::int64_t top = 0;
  bool animated = false;
};

// "WebP Container Specification": of an animation, the first ANMF chunk: position in units of two
// pixels, size minus one, duration and flags, in 16 bytes, then the frame's own chunks. Its
// transparency (ALPH) is not read, for it is dropped anyway.
Frame first_frame(const EncodedImage& file, Bytes riff, const WebpChunk& header) {
  const auto number = [](Bytes data, std::size_t offset) {
    return std::int64_t{read_uint(data, offset, 3, ByteOrder::little).value_or(0)};
  };
  Frame frame{{}, number(header.data, 4) + 1, number(header.data, 7) + 1, 0, 0, true};
  std::size_t position = kWebpStart;
  while (const auto chunk = next_webp_chunk(riff, position)) {
    if (chunk->name != "ANMF") continue;
    if (chunk->data.size() < 16) break;
    frame.left = 2 * number(chunk->data, 0);
    frame.top = 2 * number(chunk->data, 3);
    std::size_t inner = 16;
    while (const auto part = next_webp_chunk(chunk->data, inner)) {
      if (part->name == "VP8 " || part->name == "VP8L") {
        frame.bytes = part->data;
        return frame;
      }
    }
    break;
  }
  refuse(file, "it is an animated WebP file without a complete first frame");
}

Frame find_frame(const EncodedImage& file) {
  constexpr std::uint32_t kAnimated = 2;
  const Bytes riff = webp_riff(file.bytes);
  if (riff.empty()) refuse(file, "the WebP file is truncated");
  std::size_t position = kWebpStart;
  const auto chunk = next_webp_chunk(riff, position);
  if (chunk && chunk->name == "VP8X" && chunk->data.size() >= 10 &&
      (read_uint(chunk->data, 0, 1).value_or(0) & kAnimated) != 0) {
    return first_frame(file, riff, *chunk);
  }
  return {riff, 0, 0, 0, 0, false};
}

const std::uint8_t* octets(Bytes bytes) {
  return reinterpret_cast<const std::uint8_t*>(bytes.data());
}

}  // namespace

Image decode_webp_with_libwebp(const EncodedImage& file) {
  Frame frame = find_frame(file);
  WebPBitstreamFeatures features;
  if (WebPGetFeatures(octets(frame.bytes), frame.bytes.size(), &features) != VP8_STATUS_OK) {
    refuse(file, "the WebP file is truncated or damaged in its header");
  }
  if (!frame.animated) {
    frame.canvas_width = features.width;
    frame.canvas_height = features.height;
  }
  check_announced_size(file, frame.canvas_width, frame.canvas_height);
  if (frame.left + features.width > frame.canvas_width ||
      frame.top + features.height > frame.canvas_height) {
    refuse(file, "the first frame of the WebP file does not fit its canvas");
  }

  // What a first frame does not cover is black: transparent, that is, in a file with transparency.
  Image image =
      make_image(static_cast<int>(frame.canvas_width), static_cast<int>(frame.canvas_height));
  const std::int64_t stride = 3 * frame.canvas_width;
  const std::int64_t offset = frame.top * stride + 3 * frame.left;
  if (WebPDecodeRGBInto(octets(frame.bytes), frame.bytes.size(), image.pixels.data() + offset,
                        image.pixels.size() - static_cast<std::size_t>(offset),
                        static_cast<int>(stride)) == nullptr) {
    refuse(file, "the WebP file is truncated or damaged");
  }
  return image;
}

}  // namespace fovea::detail
