// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace fovea::test {

// A safetensors file whose header announces its own length.
inline std::string safetensors_file(const std::string& header, const std::string& data = "") {
  std::string length(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) {
    length[i] = static_cast<char>(static_cast<std::uint64_t>(header.size()) >> (8 * i) & 0xFF);
  }
  return length + header + data;
}

// The header of a file with one tensor "a", of which `fields` are the three keys.
inline std::string tensor_a(const std::string& fields) { return "{\"a\":{" + fields + "}}"; }

// What the header says of a tensor without elements.
inline const std::string kEmptyTensor = "{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}";

// `count` tensors without elements, of different names.
inline std::string many_tensors(int count) {
  std::string header = "{";
  for (int i = 0; i < count; ++i) {
    header += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\":" + kEmptyTensor;
  }
  return header + "}";
}

}  // namespace fovea::test
