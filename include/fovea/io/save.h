// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "fovea/core/tensor.h"

namespace fovea {

using NamedTensors = std::vector<std::pair<std::string, Tensor>>;

// Writes one fp32 tensor as NumPy's .npy (format 1.0). The file appears whole or not at all: it is
// written beside its place and renamed. Throws Error(file).
void save_npy(const std::filesystem::path& path, const Tensor& tensor);

// Writes tensors of any dtype as one .safetensors file, in the order given, whole or not at all.
void save_safetensors(const std::filesystem::path& path, const NamedTensors& tensors);

// Writes a text as it is, whole or not at all.
void save_text(const std::filesystem::path& path, const std::string& text);

}  // namespace fovea
