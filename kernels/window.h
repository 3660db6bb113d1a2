// SPDX-License-Identifier: Apache-2.0
#pragma once

namespace fovea::kernels {

// A window that slides over one NHWC image: depthwise convolutions and pooling.  Output (oy, ox)
// sees the inputs (oy * stride_h - pad_h + ky * dilation_h, ox * stride_w - pad_w + kx *
// dilation_w); those outside the image do not exist (a convolution reads zeros there).
struct Window2d {
  int h, w, c;  // of the input; c is also the output's
  int out_h, out_w;
  int kernel_h, kernel_w;
  int stride_h, stride_w;
  int pad_h, pad_w;  // above and to the left
  int dilation_h, dilation_w;
};

}  // namespace fovea::kernels
