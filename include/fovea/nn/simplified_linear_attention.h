// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/nn/linear_attention.h"

namespace fovea::nn {

struct SimplifiedLinearOptions {
  int heads = 1;
  int kernel = 5;      // of the convolution, odd
  int h = 14, w = 14;  // the map, or the window
  int reduction = 1;   // how many times smaller the map of keys and values is
};

// Simplified linear attention (SLAB, arXiv:2405.11582): linear attention with ReLU, positions that
// are added to the keys, and a convolution of the values that all heads share.
class SimplifiedLinearMixing : public LinearMixing {
 public:
  SimplifiedLinearMixing(const Params& p, int c, const SimplifiedLinearOptions& o)
      : LinearMixing(p, c,
                     {.heads = o.heads,
                      .map = FeatureMap::relu,
                      .kernel = o.kernel,
                      .shared_kernel = true,
                      .positions = true,
                      .h = o.h,
                      .w = o.w,
                      .reduction = o.reduction}) {}
};

}  // namespace fovea::nn
