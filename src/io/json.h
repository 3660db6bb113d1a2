// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "fovea/core/error.h"

namespace fovea {

using Json = nlohmann::json;

// Parses a JSON text of a stranger: at most 64 levels deep, no key twice in one object, no NUL.
// Takes at most 64 bytes of heap for each byte of text. Throws Error of that kind, which begins
// with `where`.
Json parse_json(std::string_view text, const std::string& where, Error::Kind kind);

// The same for a whole file of at most `max_bytes`. Throws Error (file).
Json read_json(const std::filesystem::path& path, std::size_t max_bytes);

// A text of a stranger in quotes, for a message: control characters escaped, cut when long.
std::string in_quotes(std::string_view text);

// A text of a stranger for a summary: cut when longer than 200 bytes.
std::string shortened(std::string_view text);

// A value for a message: scalars as they stand, "an array of 3", "an object".
std::string describe(const Json& value);

}  // namespace fovea
