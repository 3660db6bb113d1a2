// SPDX-License-Identifier: Apache-2.0
// JPEG files for tests and benchmarks, written by libjpeg.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
// libjpeg's header relies on the ones above.
// clang-format off
#include <jpeglib.h>
// clang-format on

#include <span>
#include <vector>

#include "fovea/io/image.h"

namespace fovea::test {

// Of luminance and the two colour components.
struct Sampling {
  int h[3];
  int v[3];
};
inline constexpr Sampling k420 = {{2, 1, 1}, {2, 1, 1}};

struct JpegSettings {
  Sampling sampling = k420;
  int quality = 90;
  bool progressive = false;
  unsigned restart_interval = 0;  // 0: no markers
};

inline std::vector<std::byte> encode_jpeg(const Image& image, const JpegSettings& settings = {}) {
  jpeg_compress_struct info{};
  jpeg_error_mgr errors{};
  info.err = jpeg_std_error(&errors);  // ends the process, which suits tests and benchmarks
  jpeg_create_compress(&info);
  unsigned char* bytes = nullptr;
  unsigned long size = 0;
  jpeg_mem_dest(&info, &bytes, &size);
  info.image_width = static_cast<JDIMENSION>(image.width);
  info.image_height = static_cast<JDIMENSION>(image.height);
  info.input_components = 3;
  info.in_color_space = JCS_RGB;
  jpeg_set_defaults(&info);
  jpeg_set_quality(&info, settings.quality, TRUE);
  if (settings.progressive) jpeg_simple_progression(&info);
  info.restart_interval = settings.restart_interval;
  for (int c = 0; c < 3; ++c) {
    info.comp_info[c].h_samp_factor = settings.sampling.h[c];
    info.comp_info[c].v_samp_factor = settings.sampling.v[c];
  }
  jpeg_start_compress(&info, TRUE);
  while (info.next_scanline < info.image_height) {
    auto* row = const_cast<std::uint8_t*>(image.pixels.data()) +
                std::size_t{info.next_scanline} * info.image_width * 3;
    jpeg_write_scanlines(&info, &row, 1);
  }
  jpeg_finish_compress(&info);
  const auto found = std::as_bytes(std::span(bytes, size));
  std::vector<std::byte> file(found.begin(), found.end());
  jpeg_destroy_compress(&info);
  std::free(bytes);
  return file;
}

}  // namespace fovea::test
