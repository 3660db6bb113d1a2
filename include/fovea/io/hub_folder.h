// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/preprocess_config.h"
#include "fovea/models/model_args.h"

namespace fovea {

// A folder as timm or transformers publish it on the Hugging Face hub: config.json, for
// transformers preprocessor_config.json too, and weights.
struct HubFolder {
  std::filesystem::path path;
  std::filesystem::path weights;  // the file, or the index of several
  // "swin_tiny_patch4_window7_224"; of a folder of transformers, its class:
  // "SwinForImageClassification".
  std::string architecture;
  // Of a folder of transformers: the family that builds it, from `args` alone. "": the architecture
  // is a registered name.
  std::string family;
  ModelArgs args;                   // in the family's words, with num_classes
  bool has_preprocess = false;      // whether the folder says how to prepare images
  PreprocessConfig preprocess;      // what the folder leaves out has timm's defaults
  std::vector<std::string> labels;  // one for each class; empty when there are none
  bool has_placeholders = false;    // LABEL_0, LABEL_1, ... instead: nobody knows the classes
};

// Reads config.json, of timm in the present form (pretrained_cfg) and the older flat one, or of
// transformers (model_type) with preprocessor_config.json. Weights are chosen as timm chooses.
// Throws Error(file) for a folder without config.json or weights, for values of the wrong type, and
// for what this library has no network or preprocessing for.
HubFolder read_hub_folder(const std::filesystem::path& path);

// Arguments from a JSON object: {"depths": [1, 2], "img_size": 64}. Throws Error(argument).
ModelArgs parse_model_args(std::string_view json);

}  // namespace fovea
