// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/core/buffer.h"

namespace fovea::nn {

// Resizes a grid of learned vectors (h, w, c) to (new_h, new_w, c): bicubic with antialiasing, the
// sampling of torch.nn.functional.interpolate(mode="bicubic", antialias=True,
// align_corners=False), in double. What timm does to position embeddings when the input's size
// differs from the trained one. Without antialiasing it is the sampling of interpolate(
// mode="bicubic", align_corners=False): what transformers does.
FloatBuffer resize_grid(const float* grid, int h, int w, int c, int new_h, int new_w,
                        bool antialias = true);

// The latter into `out` (new_h, new_w, c), without allocating: for use in a forward.
void resize_grid_plain(const float* grid, int h, int w, int c, int new_h, int new_w, float* out);

// Resizes a table of relative position biases ((2 window - 1)^2, heads) to ((2 new_h - 1) (2 new_w
// - 1), heads): linear between known offsets that spread geometrically from the centre, so that
// neighbours keep their biases and far ones are stretched. What timm does to the tables of Swin
// (after BEiT, arXiv:2106.08254) when the window differs from the trained one.
FloatBuffer resize_bias_table(const float* table, int window, int heads, int new_h, int new_w);

}  // namespace fovea::nn
