// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/core/preprocess_config.h"
#include "fovea/io/image.h"

namespace fovea {

// timm's evaluation transform, transforms_imagenet_eval in timm 1.0.29's
// data/transforms_factory.py: resize, centre crop or pad, scale to [0, 1], normalise.
//
// nhwc_out receives (config.height, config.width, 3) floats, (pixel / 255 - mean) / std, each step
// rounded to single precision as torchvision's ToTensor and Normalize do.
//
// Two properties of timm worth knowing: pixels outside the picture are black in the modes center
// and squash, and the mean colour in the mode border; and in the mode center, a network whose input
// is not square is served by bilinear interpolation whatever the configuration says.
//
// Throws Error (argument) for a configuration that fails validate, for a picture that fails
// check_image, and for one so elongated that the resized picture has an edge of no pixels or of
// more than an int counts.
void preprocess(const Image& image, const PreprocessConfig& config, float* nhwc_out);

}  // namespace fovea
