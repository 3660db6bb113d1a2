// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>

#include "fovea/core/params.h"

namespace fovea {

// Opens a checkpoint: a .safetensors file, or a model.safetensors.index.json with its shards beside
// it. Files are mapped; tensors point into the mapping and stay valid after the source is gone.
// Throws Error(file) for anything that is not a complete and consistent safetensors file, saying
// what and where.
std::unique_ptr<ParamSource> open_checkpoint(const std::filesystem::path& path);

}  // namespace fovea
