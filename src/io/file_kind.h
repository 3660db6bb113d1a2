// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

namespace fovea {

enum class FileKind { safetensors, zip, torch_legacy, other };

// What a checkpoint's first bytes say it is; its name is not asked. A file that says nothing is
// taken for safetensors, whose first bytes are a number.
FileKind kind_of_checkpoint(std::string_view content);

// What a file is that no reader of checkpoints takes, and what to do about it, for a message; ""
// for anything unknown.
std::string describe_foreign_file(std::string_view content);

}  // namespace fovea
