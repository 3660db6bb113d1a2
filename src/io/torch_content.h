// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>

#include "src/io/file_bytes.h"
#include "src/io/pickle_document.h"

namespace fovea {

// A PyTorch checkpoint, taken apart. Everything points into the file.
struct TorchContent {
  using Storages = std::map<std::string_view, std::span<const std::byte>, std::less<>>;

  std::string format;       // as in CheckpointSummary
  PickleDocument document;  // each storage in it is in `storages` and has its size there
  Storages storages;        // by key
};

// torch.save since 1.6: a zip archive. Throws Error (file).
TorchContent read_torch_zip(const FileBytes& file);

// torch.save before 1.6: pickles, then the storages one after the other. Throws Error (file).
TorchContent read_torch_legacy(const FileBytes& file);

// Of each key the storage that the pickle describes. Throws Error (file) when a key is described in
// two ways.
std::map<std::string_view, PickleStorage, std::less<>> described_storages(
    const PickleDocument& document, const std::string& file);

}  // namespace fovea
