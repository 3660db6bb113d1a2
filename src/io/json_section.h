// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string>
#include <vector>

#include "fovea/models/model_args.h"
#include "src/io/json.h"

// Reading of a stranger's JSON objects, key by key.
namespace fovea {

inline constexpr int kMaxInputSize = 1 << 14;  // pixels a side

// A scalar or an array of such. `name` says in a message what it was. Throws Error of that kind.
ArgValue to_arg(const Json& value, const std::string& name, Error::Kind kind);
// What is in an object in an object is called "outer.inner".
ModelArgs to_args(const Json& object, const std::string& where, Error::Kind kind);

// An object of config.json, read key by key. A key that is absent or null leaves its field alone.
class Section {
 public:
  Section(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) {
      throw Error(Error::Kind::file, where_ + ": wanted an object, found " + describe(object));
    }
  }

  const Json* find(const std::string& key) const {
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  [[noreturn]] void fail(const std::string& key, const std::string& wanted,
                         const Json& found) const {
    throw Error(Error::Kind::file,
                where_ + ": " + key + ": wanted " + wanted + ", found " + describe(found));
  }

  std::string where(const std::string& key) const { return where_ + ": " + key; }

  // At most 1000 bytes without control characters.
  bool read(const std::string& key, std::string& field) const;
  bool read(const std::string& key, bool& field) const {
    return read_if(key, "true or false", &Json::is_boolean, field);
  }
  bool read(const std::string& key, double& field) const {
    return read_if(key, "a number", &Json::is_number, field);
  }
  bool read(const std::string& key, std::array<float, 3>& field) const;
  // One name for each class: an array, or an object {"0": name, "1": name, ...}. What transformers
  // writes in place of names, LABEL_0 and so on, counts but says nothing: then the texts are empty.
  bool read_labels(const std::string& key, std::vector<std::string>& field) const;
  // A number in [0, INT_MAX].
  bool read_count(const std::string& key, int& field) const;
  // [3, height, width].
  bool read_input_size(const std::string& key, int& height, int& width) const;
  // `value` as a whole number in [lo, hi]; `wanted` is for the message about another.
  int count(const std::string& key, const std::string& wanted, const Json& value, int lo,
            int hi) const;

 private:
  template <class Field>
  bool read_if(const std::string& key, const std::string& wanted,
               bool (Json::*is_wanted)() const noexcept, Field& field) const {
    const Json* value = find(key);
    if (value == nullptr) return false;
    if (!(value->*is_wanted)()) fail(key, wanted, *value);
    field = value->get<Field>();
    return true;
  }

  const Json& object_;
  std::string where_;
};

// Runs `convert`, whose Error(argument) is about a value of the file, as one of the file.
template <class Convert>
auto of_file(const std::string& where, const Convert& convert) {
  try {
    return convert();
  } catch (const Error& e) {
    throw Error(Error::Kind::file, where + ": " + e.what());
  }
}

}  // namespace fovea
