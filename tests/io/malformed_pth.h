// SPDX-License-Identifier: Apache-2.0
// What a PyTorch checkpoint can be wrong in, as tables: the number in the list of what a reader of
// .pth must refuse, what is wrong, the file, part of the message.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/io/pickle_writer.h"

namespace fovea {

struct MalformedPth {
  int item;
  const char* what;
  std::string file;
  const char* message;
};

std::vector<MalformedPth> malformed_archives();  // 1-6
std::vector<MalformedPth> malformed_pickles();   // 7-11
std::vector<MalformedPth> malformed_tensors();   // 12-15

namespace pickle {

constexpr std::int64_t kHuge = std::int64_t{1} << 62;

// The good archive with another pickle; its storage "0" has 8 bytes.
inline std::string with_pickle(const std::string& content) {
  return archive(content, {std::string(8, 'x')}).write();
}
inline std::string with_value(const std::string& value) {
  return with_pickle(whole(dict(unicode("a") + vector(2) + unicode("b") + value)));
}
inline std::string repeated(const std::string& text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}
}  // namespace pickle
}  // namespace fovea
