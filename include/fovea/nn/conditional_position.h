// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/nn/conv2d.h"

namespace fovea::nn {

// Conditional position encoding (arXiv:2102.10882): x + dw(x), a depthwise convolution whose zero
// padding tells where the border is. Binds "weight" and "bias".
class ConditionalPosition {
 public:
  ConditionalPosition(const Params& p, int c, int kernel = 3)
      : conv_(p, c, c, kernel, Conv2dSpec::square(1, kernel / 2, c)) {}

  // x (n, h, w, c) -> y of the same shape, not in place.
  void forward(CMapF x, MapF y, Context& ctx) const { conv_.forward(x, y, ctx, {.residual = x}); }

 private:
  Conv2d conv_;
};

}  // namespace fovea::nn
