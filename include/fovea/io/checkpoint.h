// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "fovea/core/params.h"

namespace fovea {

struct CheckpointOptions {
  // Files are mapped into memory, and must not change or shrink as long as a tensor of theirs is in
  // use (a file that shrinks ends the process with SIGBUS). false: they are read to the end first.
  bool map = true;
  // Where a PyTorch checkpoint keeps the tensors that are meant, "state_dict" or
  // "teacher.backbone";
  // "": at the first of the customary places, see CheckpointSummary. Ignored by other formats.
  std::string key = {};
};

// Opens a checkpoint: safetensors, or what torch.save wrote (.pth, .pt, .bin), told by its content;
// or the index of several such files beside it (model.safetensors.index.json). Nothing in a file is
// ever run. Tensors point into the file's mapping where they are contiguous, and stay valid after
// the source is gone. Throws Error(file) for anything that is not complete and consistent, saying
// what and where.
//
// Files may come from strangers. Every length and offset is checked before it is used. Opening
// takes time in proportion to the header or pickle of the file, and for each byte of that at most
// 64 bytes of heap (a few in ordinary files), besides the file itself where it is not mapped.
std::unique_ptr<ParamSource> open_checkpoint(const std::filesystem::path& path,
                                             const CheckpointOptions& options = {});

}  // namespace fovea
