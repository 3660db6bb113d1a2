// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace fovea::fuzz {

using Bytes = std::span<const std::byte>;

// The targets: each gives one file of a stranger to a reader, and to what users do next with what
// it read. The reader may throw fovea::Error. Any other exception, an Error whose message is not
// fit to print, and whatever a sanitizer sees are findings: they end the process.
#define FOVEA_FUZZ_TARGET(name) void name(Bytes input);
#include "fuzz/targets.inc"
#undef FOVEA_FUZZ_TARGET

using Target = void (*)(Bytes);

struct NamedTarget {
  std::string_view name;
  Target run;
};
std::span<const NamedTarget> targets();

// What a target starts from: the tables of malformed files in tests/io and small sound files.
struct Seed {
  std::string name;
  std::string content;
};
std::vector<Seed> seeds_of(std::string_view target);

// Parts the two files of the target `config`; no JSON has it.
inline constexpr char kNextFile = '\x1E';

// Sets the checksums of a PNG file's chunks right, so that mutations get past them.
void repair_png(std::span<std::byte> file);

}  // namespace fovea::fuzz
