// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace fovea {

// A text of a stranger for a message or a summary: control characters escaped, since they could
// steer a terminal, and cut behind `longest` bytes.
std::string printable(std::string_view text, std::size_t longest);

}  // namespace fovea
