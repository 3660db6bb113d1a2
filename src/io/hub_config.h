// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>

#include "fovea/io/hub_folder.h"
#include "src/io/json.h"

// The two kinds of configuration that a hub folder may have. Both fill in everything of `folder`
// but the weights; `file` begins messages. Throw Error (file).
namespace fovea {

void read_timm_config(const Json& json, const std::string& file, HubFolder& folder);

void read_transformers_config(const Json& json, const std::string& file, HubFolder& folder);
// preprocessor_config.json. `model_type` says who prepares the pictures when the file does not.
void read_transformers_preprocess(const std::filesystem::path& path, const std::string& model_type,
                                  HubFolder& folder);

}  // namespace fovea
