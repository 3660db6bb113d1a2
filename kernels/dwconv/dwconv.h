// SPDX-License-Identifier: Apache-2.0
// Depthwise convolution of one NHWC image, fp32:
//
//   y(oy, ox, j) = epilogue(sum over ky, kx of w(ky, kx, j) * x(oy * stride_h - pad_h + ky *
//   dilation_h, ..., j))
//
// x points at the image's first pixel; pixels are ldx elements apart, lines w * ldx.  w is
// [kernel_h * kernel_w][c] with rows ldw apart.  y and the epilogue's residual point at the pixel
// (0, 0) of the output, whatever the rows asked for; rows [row_begin, row_end) are computed.  A
// range of channels is a smaller c with moved pointers.  y must not overlap x.  Taps are added in
// order of ky, kx in every path, those outside the image are left out.
#pragma once

#include <cstddef>

#include "kernels/epilogue.h"
#include "kernels/window.h"

namespace fovea {

using dwconv_fn = void(const float* x, std::ptrdiff_t ldx, const float* w, std::ptrdiff_t ldw,
                       float* y, std::ptrdiff_t ldy, const kernels::Window2d& window, int row_begin,
                       int row_end, const kernels::Epilogue& e) noexcept;

#define FOVEA_KERNEL(isa, name) \
  namespace isa {               \
  name##_fn name;               \
  }
#include "kernels/dwconv/kernels.inc"
#undef FOVEA_KERNEL

}  // namespace fovea
