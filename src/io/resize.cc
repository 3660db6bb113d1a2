// SPDX-License-Identifier: Apache-2.0
#include "fovea/io/resize.h"

#include <cstdint>
#include <cstring>
#include <string>

#include "fovea/core/error.h"
#include "src/io/resample.h"

namespace fovea {

Image resize_window(const Image& image, int width, int height, Filter filter,
                    const Window& window) {
  check_image(image);
  if (width < 1 || height < 1) {
    throw Error(Error::Kind::argument, "resize wants a width and height of at least 1, but found " +
                                           std::to_string(width) + " x " + std::to_string(height));
  }
  if (window.left < 0 || window.top < 0 || window.width < 1 || window.height < 1 ||
      window.left > width - window.width || window.top > height - window.height) {
    throw Error(Error::Kind::argument,
                "resize wants a window inside " + std::to_string(width) + " x " +
                    std::to_string(height) + ", but found " + std::to_string(window.width) + " x " +
                    std::to_string(window.height) + " at (" + std::to_string(window.left) + ", " +
                    std::to_string(window.top) + ")");
  }
  detail::RowResampler resampler(image.width, image.height, width, height, filter, window);
  Image result = make_image(window.width, window.height);
  const std::size_t stride = static_cast<std::size_t>(window.width) * 3;
  std::uint8_t* out = result.pixels.data();
  detail::resample(image, resampler, [&](const std::uint8_t* row) {
    std::memcpy(out, row, stride);
    out += stride;
  });
  return result;
}

Image resize(const Image& image, int width, int height, Filter filter) {
  return resize_window(image, width, height, filter, {0, 0, width, height});
}

}  // namespace fovea
