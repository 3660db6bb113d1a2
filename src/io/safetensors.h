// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "fovea/core/params.h"
#include "src/io/file_bytes.h"

namespace fovea {

// Reads one .safetensors file and checks all of its header. Beyond the format's own rules a file is
// refused when it repeats a key, has a tensor of a dtype that DType lacks (the 8-bit floats, the
// sub-byte and complex types, wide unsigned integers), more than 100000 tensors or metadata
// entries, a name longer than 4096 bytes or a rank above 16. Throws Error (file).
std::unique_ptr<ParamSource> open_safetensors(FileBytes file);

}  // namespace fovea
