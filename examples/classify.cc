// SPDX-License-Identifier: Apache-2.0
//
// The shortest useful program: what is in a picture?
//
//   classify examples/models/swin examples/images/ship.jpg

#include <cstdio>

#include "fovea/fovea.h"

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: classify MODEL_FOLDER PICTURE\n");
    return 2;
  }
  try {
    const fovea::Model model = fovea::Model::load(argv[1]);
    const fovea::Image image = fovea::read_image(argv[2]);
    fovea::Context ctx;
    for (const fovea::Prediction& p : model.classify(image, ctx)) {
      std::printf("%5.1f %%  %s\n", 100.0 * static_cast<double>(p.probability), p.label.c_str());
    }
  } catch (const fovea::Error& e) {
    std::fprintf(stderr, "classify: %s\n", e.what());
    return 1;
  }
}
