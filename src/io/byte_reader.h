// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace fovea {

static_assert(std::endian::native == std::endian::little, "files are read as they lie in memory");

// The little-endian number of type T at `offset` of `bytes`, which holds it whole.
template <class T>
T little_endian(std::string_view bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}

}  // namespace fovea
