// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "src/io/pickle_document.h"

namespace fovea {

constexpr std::size_t kMaxPickle = 64U << 20;  // bytes

enum class PickleEnd {
  of_text,  // nothing may follow the pickle
  of_pickle,
};

// Reads the pickle at the beginning of `text`: values only, nothing is called or constructed.
// Understood are the opcodes and names of torch.load(weights_only=True); others end in Error
// (file), which begins with `where` and names what was refused. `used`, when given, becomes the
// length of the pickle. Takes memory and time in proportion to that length.
PickleDocument unpickle(std::string_view text, const std::string& where, PickleEnd end,
                        std::size_t* used = nullptr);

}  // namespace fovea
