// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fovea/core/dtype.h"
#include "fovea/core/shape.h"

namespace fovea {

// What the header of a safetensors file says of one tensor. The bytes are relative to the end of
// the header.
struct SafetensorsEntry {
  DType dtype = DType::f32;
  Shape shape;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

using SafetensorsEntries = std::map<std::string, SafetensorsEntry, std::less<>>;

struct SafetensorsHeader {
  SafetensorsEntries entries;
  std::vector<std::pair<std::string, std::string>> metadata;  // as in the file
};

// Reads the JSON of a header. Each entry is complete, but neither compared with the others nor with
// the size of the file. Throws Error (file), which begins with `file`.
SafetensorsHeader parse_safetensors_header(std::string_view header, const std::string& file);

}  // namespace fovea
