// SPDX-License-Identifier: Apache-2.0
#include "src/io/json_section.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>

#include "src/io/printable.h"

namespace fovea {
namespace {

// "17", in no other spelling.
std::optional<std::size_t> index_of(const std::string& text) {
  std::size_t index = 0;
  const char* end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, index);
  if (error != std::errc() || stop != end || std::to_string(index) != text) return std::nullopt;
  return index;
}

bool are_placeholders(const std::vector<std::string>& labels) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] != "LABEL_" + std::to_string(i)) return false;
  }
  return true;
}

// Names and words of a file end up in messages of whoever does not know them.
constexpr std::size_t kLongestWord = 1000;
const std::string kWord =
    "a string of at most " + std::to_string(kLongestWord) + " bytes without control characters";

bool is_word(std::string_view text) {
  return text.size() <= kLongestWord && printable(text, kLongestWord) == text;
}

}  // namespace

ArgValue to_arg(const Json& value, const std::string& name, Error::Kind kind) {
  switch (value.type()) {
    case Json::value_t::null:
      return {nullptr};
    case Json::value_t::boolean:
      return {value.get<bool>()};
    case Json::value_t::string:
      if (is_word(value.get_ref<const std::string&>())) return {value.get<std::string>()};
      throw Error(kind, name + ": wanted " + kWord + ", found " + describe(value));
    case Json::value_t::number_float:
      return {value.get<double>()};
    case Json::value_t::array: {
      ArgValue::Array array;
      for (const Json& item : value) array.push_back(to_arg(item, name, kind));
      return {std::move(array)};
    }
    case Json::value_t::number_integer:
      return {value.get<std::int64_t>()};
    case Json::value_t::number_unsigned:
      if (value.get<std::uint64_t>() <= std::numeric_limits<std::int64_t>::max()) {
        return {value.get<std::int64_t>()};
      }
      break;
    default:
      break;
  }
  throw Error(kind, name + ": wanted a number, a string, true, false, null or an array, found " +
                        describe(value));
}

namespace {

// The members of an object, those of objects in it as "outer.inner". The parser limits the depth.
void add_args(const Json& object, const std::string& prefix, const std::string& where,
              Error::Kind kind, ModelArgs& args) {
  for (const auto& [key, value] : object.items()) {
    const std::string name = prefix + key;
    if (key.find('.') != std::string::npos && is_word(name)) {
      throw Error(kind, where + ": wanted names without a dot, found " + in_quotes(name));
    }
    if (!is_word(name)) {
      throw Error(kind, where + ": wanted for a name " + kWord + ", found " + in_quotes(name));
    }
    if (value.is_object()) {
      add_args(value, name + ".", where, kind, args);
    } else {
      args.set(name, to_arg(value, where + ": " + in_quotes(name), kind));
    }
  }
}

}  // namespace

ModelArgs to_args(const Json& object, const std::string& where, Error::Kind kind) {
  if (!object.is_object()) {
    throw Error(kind, where + ": wanted an object, found " + describe(object));
  }
  ModelArgs args;
  add_args(object, "", where, kind, args);
  return args;
}

bool Section::read(const std::string& key, std::string& field) const {
  if (!read_if(key, "a string", &Json::is_string, field)) return false;
  if (!is_word(field)) fail(key, kWord, *find(key));
  return true;
}

bool Section::read(const std::string& key, std::array<float, 3>& field) const {
  const Json* value = find(key);
  if (value == nullptr) return false;
  const bool sound =
      value->is_array() && value->size() == 3 &&
      std::all_of(value->begin(), value->end(), [](const Json& n) { return n.is_number(); });
  if (!sound) fail(key, "three numbers", *value);
  for (std::size_t i = 0; i < 3; ++i) field[i] = static_cast<float>((*value)[i].get<double>());
  return true;
}

bool Section::read_labels(const std::string& key, std::vector<std::string>& field) const {
  const Json* value = find(key);
  if (value == nullptr) return false;
  if (!value->is_array() && !value->is_object()) {
    fail(key, "an array of names or an object of numbers and names", *value);
  }
  std::vector<std::string> labels(value->size());
  std::size_t next = 0;
  for (const auto& [name, label] : value->items()) {
    const std::optional<std::size_t> i = value->is_array() ? next++ : index_of(name);
    if (!i || *i >= labels.size()) {
      throw Error(Error::Kind::file, where(key) + ": wanted the numbers 0 to " +
                                         std::to_string(labels.size() - 1) + ", found " +
                                         in_quotes(name));
    }
    if (!label.is_string()) fail(key, "names only", label);
    labels[*i] = label.get<std::string>();
  }
  if (are_placeholders(labels)) std::fill(labels.begin(), labels.end(), std::string());
  field = std::move(labels);
  return true;
}

bool Section::read_count(const std::string& key, int& field) const {
  const Json* value = find(key);
  if (value == nullptr) return false;
  field = count(key, "a whole number of at least 0", *value, 0, std::numeric_limits<int>::max());
  return true;
}

bool Section::read_input_size(const std::string& key, int& height, int& width) const {
  const Json* value = find(key);
  if (value == nullptr) return false;
  const std::string wanted = "[3, height, width] with sizes from 1 to 16384";
  if (!value->is_array() || value->size() != 3) fail(key, wanted, *value);
  count(key, wanted, (*value)[0], 3, 3);
  height = count(key, wanted, (*value)[1], 1, kMaxInputSize);
  width = count(key, wanted, (*value)[2], 1, kMaxInputSize);
  return true;
}

int Section::count(const std::string& key, const std::string& wanted, const Json& value, int lo,
                   int hi) const {
  // Negative numbers have a type of their own.
  const bool sound = value.is_number_unsigned() &&
                     value.get<std::uint64_t>() >= static_cast<std::uint64_t>(lo) &&
                     value.get<std::uint64_t>() <= static_cast<std::uint64_t>(hi);
  if (!sound) fail(key, wanted, value);
  return value.get<int>();
}

}  // namespace fovea
