// SPDX-License-Identifier: Apache-2.0
#include <fovea/fovea.h>

#include <iostream>

int main(int, char** argv) {
  const fovea::Model model = fovea::Model::load(argv[1]);
  fovea::Context ctx;
  const auto predictions = model.classify(fovea::read_image(argv[2]), ctx, 1);
  std::cout << predictions.at(0).label << " says Fovea " << FOVEA_VERSION << "\n";
}
