// SPDX-License-Identifier: Apache-2.0
//
// A network as the trunk of something else: the pyramid of a picture, level by level, and on demand
// in a file that PyTorch and NumPy read.
//
//   features examples/models/convnext examples/images/ship.jpg pyramid.safetensors

#include <cstdio>
#include <string>
#include <vector>

#include "fovea/fovea.h"

int main(int argc, char** argv) {
  if (argc != 3 && argc != 4) {
    std::fprintf(stderr, "usage: features MODEL_FOLDER PICTURE [OUT.safetensors]\n");
    return 2;
  }
  try {
    const fovea::Model model = fovea::Model::load(argv[1]);
    const std::vector<fovea::Image> images = {fovea::read_image(argv[2])};
    fovea::Context ctx;

    // One tensor a level, (images, channels, h, w) as PyTorch has it.
    fovea::NamedTensors levels;
    for (const fovea::Tensor& level : model.features(images, ctx)) {
      const fovea::FeatureInfo& info = model.backbone().feature_info()[levels.size()];
      std::printf("%-10s %s, one feature for %d x %d pixels\n", info.module.c_str(),
                  fovea::to_string(level.shape()).c_str(), info.reduction, info.reduction);
      levels.emplace_back("features." + std::to_string(levels.size()), level);
    }
    if (argc == 4) fovea::save_safetensors(argv[3], levels);
  } catch (const fovea::Error& e) {
    std::fprintf(stderr, "features: %s\n", e.what());
    return 1;
  }
}
