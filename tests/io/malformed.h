// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <vector>

namespace fovea::test {

// A file that a reader must refuse, and part of what it must say. Tests check the message; fuzzers
// start from the content.
struct Malformed {
  int item;  // of the list that the table follows
  std::string name;
  std::string content;
  std::string message;
};

inline std::string repeated(const std::string& text, int count) {
  std::string out;
  out.reserve(text.size() * static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

}  // namespace fovea::test
