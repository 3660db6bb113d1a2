// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdlib>
#include <string_view>

#include "fovea/core/error.h"

namespace fovea::fuzz {

// A finding without a sanitizer's help.
inline void require(bool condition) {
  if (!condition) std::abort();
}

// Messages go to terminals and logs: short, in one line, without control characters.
inline void require_printable(std::string_view message) {
  constexpr std::size_t kLongest = 10'000;
  require(!message.empty() && message.size() <= kLongest);
  for (const char c : message) {
    const auto byte = static_cast<unsigned char>(c);
    require(byte >= 0x20 && byte != 0x7F);
  }
}

// Runs `body`, which may throw Error and nothing else.
template <class Body>
void only_errors(const Body& body) {
  try {
    body();
  } catch (const Error& e) {
    require_printable(e.what());
  }
}

}  // namespace fovea::fuzz
