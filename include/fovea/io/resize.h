// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/core/preprocess_config.h"
#include "fovea/io/image.h"

namespace fovea {

// Resamples a picture to width x height pixels; every byte equals that of Pillow's
// Image.resize((width, height), filter).
//
// `nearest` takes the pixel under each centre. The others are separable convolutions whose kernel
// is widened by the scale when shrinking (so they antialias): first along x, then along y, with
// coefficients of 22 fractional bits and rounding to 8 bits after each pass.
//
// Throws Error (argument) for sizes below 1 and for a picture that fails check_image.
Image resize(const Image& image, int width, int height, Filter filter);

// A rectangle of pixels: columns left .. left + width - 1, rows top .. top + height - 1.
struct Window {
  int left = 0;
  int top = 0;
  int width = 0;
  int height = 0;
};

// Cuts `window` out of resize(image, width, height, filter) and computes nothing else. Throws Error
// (argument) also when the window is empty or leaves the resized picture.
Image resize_window(const Image& image, int width, int height, Filter filter, const Window& window);

}  // namespace fovea
