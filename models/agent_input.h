// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/core/preprocess_config.h"

namespace fovea::models {

// How the authors of agent attention evaluate: both edges of the image are resized to 256 / 224 of
// the network's, whatever its aspect ratio, and the centre is cut out.
constexpr PreprocessConfig agent_input(int size) {
  return {.height = size,
          .width = size,
          .crop_pct = crop_pct_for(size, size * 256 / 224),
          .crop_mode = CropMode::squash};
}

// How they evaluate networks that were tuned for larger images: without cutting anything out.
constexpr PreprocessConfig agent_whole_input(int size) {
  return {.height = size, .width = size, .crop_pct = 1.0, .crop_mode = CropMode::squash};
}

}  // namespace fovea::models
