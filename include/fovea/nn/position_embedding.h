// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/core/buffer.h"

namespace fovea::nn {

// Resizes a grid of learned vectors (h, w, c) to (new_h, new_w, c): bicubic with antialiasing, the
// sampling of torch.nn.functional.interpolate(mode="bicubic", antialias=True,
// align_corners=False), in double. What timm does to position embeddings when the input's size
// differs from the trained one.
FloatBuffer resize_grid(const float* grid, int h, int w, int c, int new_h, int new_w);

}  // namespace fovea::nn
