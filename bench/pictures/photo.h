// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "fovea/core/generator.h"
#include "fovea/io/image.h"

// Pictures to measure with, made when a benchmark starts.

namespace fovea::bench {

// Something that compresses like a photograph: soft shapes, edges, fine texture and noise. At
// quality 90 and 4:2:0 a JPEG file of it takes about two bits a pixel.
inline Image make_photo(int width, int height) {
  Image image = make_image(width, height);
  const std::uint64_t state = fnv1a("photo");
  std::uint64_t draw = 0;
  std::size_t i = 0;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const float u = static_cast<float>(x) / static_cast<float>(width);
      const float v = static_cast<float>(y) / static_cast<float>(height);
      const float soft = std::sin(7 * u + 3 * v) + std::sin(11 * v - 5 * u * v);
      const float edge = std::sin(40 * u + 9 * soft) > 0 ? 30.0f : -30.0f;
      const float texture = 10 * std::sin(static_cast<float>(x) * 0.8f) *
                            std::sin(static_cast<float>(y) * 0.6f + 4 * soft);
      const auto noise = static_cast<float>(generated_value(state, draw++, -8, 8));
      const float light = 128 + 40 * soft + edge + texture + noise;
      const float tint[3] = {20 * v, 0, -25 * u};
      for (const float shift : tint) {
        image.pixels[i++] = static_cast<std::uint8_t>(std::clamp(light + shift, 0.0f, 255.0f));
      }
    }
  }
  return image;
}

}  // namespace fovea::bench
