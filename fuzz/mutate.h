// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fovea::fuzz {

// A small change or several of a file: bits flipped, bytes and numbers replaced, pieces cut out,
// repeated or taken from `other`. The same number makes the same change on every machine.
std::string mutated(std::string_view file, std::string_view other, std::uint64_t number);

}  // namespace fovea::fuzz
