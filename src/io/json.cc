// SPDX-License-Identifier: Apache-2.0
#include "src/io/json.h"

#include <set>
#include <vector>

#include "src/io/file_bytes.h"
#include "src/io/printable.h"

namespace fovea {
namespace {

constexpr int kMaxDepth = 64;

// What the parser itself lets pass. Sees every value as it is read, before its content is.
class Guard {
 public:
  Guard(const std::string& where, Error::Kind kind) : where_(where), kind_(kind) {}

  bool operator()(int depth, Json::parse_event_t event, const Json& value) {
    using Event = Json::parse_event_t;
    if (depth > kMaxDepth) {
      throw Error(kind_, where_ + ": the JSON is nested more than " + std::to_string(kMaxDepth) +
                             " levels deep");
    }
    if (event == Event::object_start) {
      keys_.emplace_back();
    } else if (event == Event::object_end) {
      keys_.pop_back();
    } else if (event == Event::key) {
      const auto& key = value.get_ref<const std::string&>();
      if (!keys_.back().insert(key).second) {
        throw Error(kind_, where_ + ": the JSON has the key " + in_quotes(key) + " twice");
      }
    }
    return true;
  }

 private:
  const std::string& where_;
  Error::Kind kind_;
  std::vector<std::set<std::string>> keys_;  // of the objects being read, outermost first
};

}  // namespace

Json parse_json(std::string_view text, const std::string& where, Error::Kind kind) {
  // The parser takes a NUL for the end of the text.
  if (text.find('\0') != std::string_view::npos) {
    throw Error(kind, where + ": the JSON contains a NUL byte");
  }
  try {
    Guard guard(where, kind);
    return Json::parse(text, [&guard](int depth, Json::parse_event_t event, Json& value) {
      return guard(depth, event, value);
    });
  } catch (const Json::parse_error& e) {
    throw Error(kind, where + ": not JSON: an error at byte " + std::to_string(e.byte));
  } catch (const Json::exception&) {
    throw Error(kind, where + ": not JSON: a number out of range");
  }
}

Json read_json(const std::filesystem::path& path, std::size_t max_bytes) {
  const FileBytes file = open_file(path, FileAccess::read, max_bytes);
  return parse_json(file.text(), file.name, Error::Kind::file);
}

std::string printable(std::string_view text, std::size_t longest) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : text.substr(0, longest)) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x20 || byte == 0x7F) {
      out += "\\x";
      out += kHex[byte >> 4];
      out += kHex[byte & 15];
    } else {
      out += c;
    }
  }
  return out + (text.size() > longest ? "..." : "");
}

std::string in_quotes(std::string_view text) { return '"' + printable(text, 100) + '"'; }

std::string shortened(std::string_view text) { return printable(text, 200); }

std::string describe(const Json& value) {
  switch (value.type()) {
    case Json::value_t::null:
      return "null";
    case Json::value_t::boolean:
      return value.get<bool>() ? "true" : "false";
    case Json::value_t::string:
      return in_quotes(value.get_ref<const std::string&>());
    case Json::value_t::array:
      return "an array of " + std::to_string(value.size());
    case Json::value_t::object:
      return "an object";
    default:
      return value.dump();  // a number
  }
}

}  // namespace fovea
