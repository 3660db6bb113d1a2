// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

namespace fovea {

// Whether all of `text` fits a shell pattern: * stands for any characters, ? for one.
bool matches_wildcard(std::string_view pattern, std::string_view text);

}  // namespace fovea
