// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string_view>

namespace fovea {

// Values that are a pure function of a tensor's name: the splitmix64 stream seeded with the FNV-1a
// hash of the name. The oracles use it to describe networks of any size in a few kilobytes.

constexpr std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  }
  return hash;
}

// Element `index` (flat, row-major, from 0) of the tensor whose name hashes to `state`: uniform in
// [lo, hi), evaluated in double and rounded once.
constexpr float generated_value(std::uint64_t state, std::uint64_t index, double lo, double hi) {
  std::uint64_t z = state + (index + 1) * 0x9E3779B97F4A7C15ULL;
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
  z = z ^ (z >> 31);
  const double u = static_cast<double>(z >> 40) * 0x1p-24;
  return static_cast<float>(lo + (hi - lo) * u);
}

}  // namespace fovea
