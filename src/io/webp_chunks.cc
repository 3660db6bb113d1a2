// SPDX-License-Identifier: Apache-2.0
#include "src/io/decoders.h"

namespace fovea::detail {

Bytes webp_riff(Bytes file) noexcept {
  constexpr std::size_t kRiffHeader = 8;
  const auto size = read_uint(file, 4, 4, ByteOrder::little);
  if (!is_webp(file) || !size || *size > file.size() - kRiffHeader) return {};
  return file.first(kRiffHeader + *size);
}

bool is_webp(Bytes file) noexcept {
  return starts_with(file, "RIFF") && starts_with(file, "WEBP", 8);
}

std::optional<WebpChunk> next_webp_chunk(Bytes bytes, std::size_t& position) noexcept {
  constexpr std::size_t kName = 4, kHeader = 8;
  const auto size = read_uint(bytes, position + kName, 4, ByteOrder::little);
  if (!size || *size > bytes.size() - position - kHeader) return std::nullopt;
  const auto* name = reinterpret_cast<const char*>(bytes.data() + position);
  const WebpChunk chunk{{name, kName}, bytes.subspan(position + kHeader, *size)};
  position += kHeader + *size + *size % 2;  // a byte of padding keeps chunks at even places
  return chunk;
}

Bytes find_webp_exif(Bytes file) noexcept {
  const Bytes riff = webp_riff(file);
  std::size_t position = kWebpStart;
  while (const auto chunk = next_webp_chunk(riff, position)) {
    if (chunk->name != "EXIF") continue;
    // Some writers put the prefix of JPEG files in front.
    return starts_with(chunk->data, kExifHeader) ? chunk->data.subspan(kExifHeader.size())
                                                 : chunk->data;
  }
  return {};
}

}  // namespace fovea::detail
