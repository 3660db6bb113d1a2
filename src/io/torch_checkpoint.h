// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>

#include "fovea/core/params.h"
#include "src/io/file_bytes.h"

namespace fovea {

// Opens what torch.save wrote, with or without zip. `key` as in CheckpointOptions. Contiguous
// tensors point into the file; others are made when they are loaded. Nothing in the file is ever
// run. Memory taken: at most 64 bytes for each of the pickle's, and while a tensor that is not
// contiguous is in use, its own size; all tensors together have at most 16 times the bytes of the
// file, and a megabyte. Throws Error (file), or (argument) when there are no tensors at `key`.
std::unique_ptr<ParamSource> open_torch_checkpoint(FileBytes file, const std::string& key = {});

}  // namespace fovea
