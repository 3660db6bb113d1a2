// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "fovea/core/error.h"

namespace fovea {

// A short list of literals that may stand in a constexpr table: depths, widths, heads per stage.
template <class T>
class List {
 public:
  static constexpr int kCapacity = 8;

  constexpr List() = default;
  constexpr List(std::initializer_list<T> values) {
    for (const T v : values) push_back(v);
  }

  constexpr int size() const { return size_; }
  constexpr T operator[](int i) const { return values_[static_cast<std::size_t>(i)]; }
  constexpr const T* begin() const { return values_.data(); }
  constexpr const T* end() const { return values_.data() + size_; }
  constexpr void push_back(T v) {
    if (size_ == kCapacity) throw Error(Error::Kind::argument, "a list of more than 8 stages");
    values_[static_cast<std::size_t>(size_++)] = v;
  }
  constexpr void clear() { size_ = 0; }

 private:
  std::array<T, kCapacity> values_{};
  int size_ = 0;
};

struct Size2d {
  int h = 0, w = 0;
  friend constexpr bool operator==(const Size2d&, const Size2d&) = default;
};

// An argument of a network's constructor: what a JSON value can be, but objects.
struct ArgValue {
  // A type of its own: libstdc++ 12 takes a variant of standard types for one that is never empty,
  // and destroys what is not there when copying it runs out of memory.
  struct Array : std::vector<ArgValue> {
    using std::vector<ArgValue>::vector;
  };
  std::variant<std::nullptr_t, bool, std::int64_t, double, std::string, Array> value;
};
std::string to_string(const ArgValue& value);  // as JSON

// The arguments that change a network against its registered variant, in the words of its
// reference (`depths`, `num_heads`, `window_size`): `model_args` of a hub folder's config.json.
//
// A family reads what it knows with read(), which leaves the field alone when the argument is
// absent or null, and ends with finish(). Wrong types, values outside [lo, hi] and unknown names
// throw Error(argument) that names the argument, the value and what was wanted. An argument inside
// an object of the reference's is called "object.argument".
class ModelArgs {
 public:
  ModelArgs() = default;

  void set(std::string name, ArgValue value) { values_[std::move(name)] = std::move(value); }
  bool empty() const { return values_.empty(); }
  // All of them, as pairs of name and value, by name.
  auto begin() const { return values_.begin(); }
  auto end() const { return values_.end(); }
  bool has(std::string_view name) const { return find(name) != nullptr; }
  // Whether the argument is there and null: what the reference calls None.
  bool is_null(std::string_view name) const;

  void read(std::string_view name, bool& field) const;
  void read(std::string_view name, int& field, int lo = 0, int hi = 1 << 16) const;
  void read(std::string_view name, float& field) const;
  void read(std::string_view name, double& field) const;  // where a product of it is truncated
  void read(std::string_view name, std::string& field) const;
  // A number for every stage, or one number for all `stages` of them where that is allowed.
  void read(std::string_view name, List<int>& field, int lo = 0, int hi = 1 << 16) const;
  void read(std::string_view name, List<float>& field) const;
  void read(std::string_view name, List<double>& field) const;
  void read(std::string_view name, List<bool>& field) const;
  void read(std::string_view name, std::vector<std::string>& field) const;
  // Numbers, as many as there are; none is possible.
  void read(std::string_view name, std::vector<int>& field, int lo, int hi) const;
  // A list of lists, of any lengths.
  void read(std::string_view name, std::vector<std::vector<std::string>>& field) const;
  // One number for both sides, or [h, w].
  void read(std::string_view name, Size2d& field, int lo = 1, int hi = 1 << 14) const;

  // Initial values, which matter at inference only in that null stands for "no such parameter": a
  // number sets `present`, an explicit null clears it. The list form is per stage.
  void read_presence(std::string_view name, bool& present) const;
  void read_presence(std::string_view name, List<bool>& present) const;

  // Arguments that do not matter at inference (drop rates, initialisation).
  void ignore(std::initializer_list<std::string_view> names) const;
  // Throws for the first argument that nobody read; `family` and the names read go in the message.
  void finish(std::string_view family) const;

 private:
  const ArgValue* find(std::string_view name) const;

  std::map<std::string, ArgValue, std::less<>> values_;
  mutable std::set<std::string, std::less<>> known_;  // names asked for
};

}  // namespace fovea
