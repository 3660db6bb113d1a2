// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "fovea/backend/ops.h"

namespace fovea {

// Where the tokens of shifted windows lie in an image of h x w pixels: the index arithmetic that
// WindowSpec describes, instead of copies of rolled, padded and partitioned maps.
class WindowGrid {
 public:
  WindowGrid(int h, int w, const WindowSpec& spec)
      : h_(h),
        w_(w),
        window_h_(spec.window_h),
        window_w_(spec.window_w),
        shift_h_(spec.shift_h),
        shift_w_(spec.shift_w),
        down_((h + spec.window_h - 1) / spec.window_h),
        across_((w + spec.window_w - 1) / spec.window_w) {}

  int windows() const { return down_ * across_; }
  int area() const { return window_h_ * window_w_; }

  // The pixel, counted in rows of the image's map, of one token of one window; -1 for padding.
  std::ptrdiff_t pixel(int window, int token) const {
    const int y = shifted_y(window, token), x = shifted_x(window, token);
    if (y >= h_ || x >= w_) return -1;
    return static_cast<std::ptrdiff_t>((y + shift_h_) % h_) * w_ + (x + shift_w_) % w_;
  }

  // Tokens of one window see each other unmasked when their regions are equal: 0 to 3.
  int region(int window, int token) const {
    const bool below = shifted_y(window, token) >= down_ * window_h_ - shift_h_;
    const bool right = shifted_x(window, token) >= across_ * window_w_ - shift_w_;
    return (below ? 2 : 0) + (right ? 1 : 0);
  }

  // Whether a window holds several regions at all.
  bool masked(int window) const {
    return (shift_h_ > 0 && window / across_ == down_ - 1) ||
           (shift_w_ > 0 && window % across_ == across_ - 1);
  }

 private:
  int shifted_y(int window, int token) const {
    return window / across_ * window_h_ + token / window_w_;
  }
  int shifted_x(int window, int token) const {
    return window % across_ * window_w_ + token % window_w_;
  }

  int h_, w_, window_h_, window_w_, shift_h_, shift_w_;
  int down_, across_;  // windows in a column and in a row
};

}  // namespace fovea
