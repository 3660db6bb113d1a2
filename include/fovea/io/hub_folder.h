// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/preprocess_config.h"
#include "fovea/models/model_args.h"

namespace fovea {

// A folder as timm publishes it on the Hugging Face hub: config.json and model.safetensors.
struct HubFolder {
  std::filesystem::path path;
  std::filesystem::path weights;    // model.safetensors or model.safetensors.index.json
  std::string architecture;         // "swin_tiny_patch4_window7_224"
  ModelArgs args;                   // model_args, and num_classes
  bool has_preprocess = false;      // whether the file says how to prepare images
  PreprocessConfig preprocess;      // pretrained_cfg; what it leaves out has timm's defaults
  std::vector<std::string> labels;  // label_names; empty when there are none
};

// Reads config.json, in the present form (pretrained_cfg) and the older flat one. Throws
// Error(file) for a folder without config.json or weights, and for values of the wrong type.
HubFolder read_hub_folder(const std::filesystem::path& path);

// Arguments from a JSON object: {"depths": [1, 2], "img_size": 64}. Throws Error(argument).
ModelArgs parse_model_args(std::string_view json);

}  // namespace fovea
