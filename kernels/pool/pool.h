// SPDX-License-Identifier: Apache-2.0
// Pooling over one NHWC image.  As for dwconv, x points at the input's first pixel (pixels ldx
// apart, lines w * ldx), y at the output's first pixel whatever the rows asked for, and rows
// [row_begin, row_end) are computed.  y must not overlap x.  Dilation must be 1.
#pragma once

#include <cstddef>

#include "kernels/epilogue.h"
#include "kernels/window.h"

namespace fovea {

// Sum of the window's elements over their number: kernel_h * kernel_w with count_padding, else
// those inside the image.  A window with no element of the image gives 0 with count_padding, else
// NaN.
using average_pool_fn = void(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy,
                             const kernels::Window2d& window, bool count_padding, int row_begin,
                             int row_end) noexcept;
// Largest element inside the image; minus infinity where there is none.  NaN elements are not
// ordered.
using max_pool_fn = void(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy,
                         const kernels::Window2d& window, int row_begin, int row_end) noexcept;
// y = epilogue(average(x) - x): the token mixer of PoolFormer (arXiv:2111.11418).  k x k, k odd,
// stride 1, padding k / 2 and not counted, on an image of h lines, w columns, c channels.  The
// epilogue's residual points at pixel (0, 0) and may be x.
using pool_mix_fn = void(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy, int h,
                         int w, int c, int k, int row_begin, int row_end,
                         const kernels::Epilogue& e) noexcept;

#define FOVEA_KERNEL(isa, name) \
  namespace isa {               \
  name##_fn name;               \
  }
#include "kernels/pool/kernels.inc"
#undef FOVEA_KERNEL

}  // namespace fovea
