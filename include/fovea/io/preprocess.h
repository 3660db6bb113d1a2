// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string_view>

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

// preprocess(decode_image(file, options, name), config, nhwc_out), bit for bit, in less time and
// memory: a JPEG goes through row by row and is never held as a whole, and columns that the centre
// crop leaves out are not computed, where libjpeg-turbo decodes it and EXIF does not turn it.
//
// With options.fast_decode, a JPEG is decoded at the smallest of 1/8, 1/4 and 1/2 of its size that
// is not below what it will be resized to; least_width and least_height are not looked at.
//
// Throws what decode_image and preprocess throw; nhwc_out is then partly written.
void decode_and_preprocess(std::span<const std::byte> file, const PreprocessConfig& config,
                           float* nhwc_out, const ImageOptions& options = {},
                           std::string_view name = "in memory");

// The same for a file on disk. Throws Error (file) also when it cannot be read.
void read_and_preprocess(const std::filesystem::path& path, const PreprocessConfig& config,
                         float* nhwc_out, const ImageOptions& options = {});

}  // namespace fovea
