// SPDX-License-Identifier: Apache-2.0
#include "fovea/models/model_args.h"

#include <cmath>
#include <cstdio>

namespace fovea {
namespace {

[[noreturn]] void wrong(std::string_view name, const std::string& wanted, const ArgValue& found) {
  throw Error(Error::Kind::argument, "argument " + std::string(name) + ": wanted " + wanted +
                                         ", found " + to_string(found));
}

std::string range(const std::string& what, int lo, int hi) {
  return what + " from " + std::to_string(lo) + " to " + std::to_string(hi);
}

// A JSON number that is whole: 4 and 4.0 alike, as Python's own comparisons have it.
bool as_int(const ArgValue& v, int lo, int hi, int& out) {
  double number = 0;
  if (const auto* i = std::get_if<std::int64_t>(&v.value)) {
    if (*i < lo || *i > hi) return false;
    out = static_cast<int>(*i);
    return true;
  }
  if (const auto* d = std::get_if<double>(&v.value)) {
    number = *d;
  } else {
    return false;
  }
  if (!(number >= lo && number <= hi) || number != std::floor(number)) return false;
  out = static_cast<int>(number);
  return true;
}

template <class Real>
bool as_real(const ArgValue& v, Real& out) {
  if (const auto* i = std::get_if<std::int64_t>(&v.value)) {
    out = static_cast<Real>(*i);
    return true;
  }
  if (const auto* d = std::get_if<double>(&v.value)) {
    out = static_cast<Real>(*d);
    return std::isfinite(out);
  }
  return false;
}

// Whether an initial value is there: a number, or null.
bool as_presence(const ArgValue& v, bool& out) {
  double number = 0;
  out = !std::holds_alternative<std::nullptr_t>(v.value);
  return !out || as_real(v, number);
}

// Fills a list by `convert`; a bare value stands for a list of one.
template <class T, class Convert>
void read_list(std::string_view name, const ArgValue& v, const std::string& wanted, List<T>& field,
               const Convert& convert) {
  const ArgValue::Array one{v};
  const auto* array = std::get_if<ArgValue::Array>(&v.value);
  const ArgValue::Array& items = array != nullptr ? *array : one;
  const std::string described =
      "a list of 1 to " + std::to_string(List<T>::kCapacity) + " " + wanted;
  if (items.empty() || items.size() > static_cast<std::size_t>(List<T>::kCapacity)) {
    wrong(name, described, v);
  }
  field.clear();
  for (const ArgValue& item : items) {
    T value{};
    if (!convert(item, value)) wrong(name, described, v);
    field.push_back(value);
  }
}

struct JsonText {
  std::string operator()(std::nullptr_t) const { return "null"; }
  std::string operator()(bool b) const { return b ? "true" : "false"; }
  std::string operator()(std::int64_t i) const { return std::to_string(i); }
  std::string operator()(double d) const {
    char text[32];
    std::snprintf(text, sizeof text, "%.9g", d);
    return text;
  }
  std::string operator()(const std::string& s) const { return "\"" + s + "\""; }
  std::string operator()(const ArgValue::Array& a) const {
    std::string text = "[";
    for (const ArgValue& v : a) text += (text.size() > 1 ? ", " : "") + to_string(v);
    return text + "]";
  }
};

}  // namespace

std::string to_string(const ArgValue& value) { return std::visit(JsonText{}, value.value); }

const ArgValue* ModelArgs::find(std::string_view name) const {
  known_.emplace(name);
  const auto it = values_.find(name);
  if (it == values_.end() || std::holds_alternative<std::nullptr_t>(it->second.value)) {
    return nullptr;
  }
  return &it->second;
}

bool ModelArgs::is_null(std::string_view name) const {
  return find(name) == nullptr && values_.find(name) != values_.end();
}

void ModelArgs::read(std::string_view name, bool& field) const {
  const ArgValue* v = find(name);
  if (v == nullptr) return;
  const bool* b = std::get_if<bool>(&v->value);
  if (b == nullptr) wrong(name, "true or false", *v);
  field = *b;
}

void ModelArgs::read(std::string_view name, int& field, int lo, int hi) const {
  const ArgValue* v = find(name);
  if (v != nullptr && !as_int(*v, lo, hi, field)) wrong(name, range("an integer", lo, hi), *v);
}

void ModelArgs::read(std::string_view name, float& field) const {
  const ArgValue* v = find(name);
  if (v != nullptr && !as_real(*v, field)) wrong(name, "a finite number", *v);
}

void ModelArgs::read(std::string_view name, double& field) const {
  const ArgValue* v = find(name);
  if (v != nullptr && !as_real(*v, field)) wrong(name, "a finite number", *v);
}

void ModelArgs::read(std::string_view name, std::string& field) const {
  const ArgValue* v = find(name);
  if (v == nullptr) return;
  const std::string* s = std::get_if<std::string>(&v->value);
  if (s == nullptr) wrong(name, "a string", *v);
  field = *s;
}

void ModelArgs::read(std::string_view name, List<int>& field, int lo, int hi) const {
  if (const ArgValue* v = find(name)) {
    read_list(name, *v, range("integers", lo, hi), field,
              [&](const ArgValue& item, int& out) { return as_int(item, lo, hi, out); });
  }
}

void ModelArgs::read(std::string_view name, List<float>& field) const {
  if (const ArgValue* v = find(name)) read_list(name, *v, "finite numbers", field, as_real<float>);
}

void ModelArgs::read(std::string_view name, List<double>& field) const {
  if (const ArgValue* v = find(name)) {
    read_list(name, *v, "finite numbers", field, as_real<double>);
  }
}

void ModelArgs::read(std::string_view name, List<bool>& field) const {
  if (const ArgValue* v = find(name)) {
    read_list(name, *v, "truth values", field, [](const ArgValue& item, bool& out) {
      const bool* b = std::get_if<bool>(&item.value);
      if (b != nullptr) out = *b;
      return b != nullptr;
    });
  }
}

void ModelArgs::read(std::string_view name, std::vector<std::string>& field) const {
  const ArgValue* v = find(name);
  if (v == nullptr) return;
  const ArgValue::Array one{*v};
  const auto* array = std::get_if<ArgValue::Array>(&v->value);
  field.clear();
  for (const ArgValue& item : array != nullptr ? *array : one) {
    const std::string* s = std::get_if<std::string>(&item.value);
    if (s == nullptr) wrong(name, "strings", *v);
    field.push_back(*s);
  }
}

void ModelArgs::read(std::string_view name, std::vector<std::vector<std::string>>& field) const {
  const ArgValue* v = find(name);
  if (v == nullptr) return;
  const auto* lists = std::get_if<ArgValue::Array>(&v->value);
  if (lists == nullptr) wrong(name, "lists of strings", *v);
  field.clear();
  for (const ArgValue& list : *lists) {
    const auto* items = std::get_if<ArgValue::Array>(&list.value);
    if (items == nullptr) wrong(name, "lists of strings", *v);
    field.emplace_back();
    for (const ArgValue& item : *items) {
      const std::string* s = std::get_if<std::string>(&item.value);
      if (s == nullptr) wrong(name, "lists of strings", *v);
      field.back().push_back(*s);
    }
  }
}

void ModelArgs::read(std::string_view name, std::vector<int>& field, int lo, int hi) const {
  const ArgValue* v = find(name);
  if (v == nullptr) return;
  const auto* array = std::get_if<ArgValue::Array>(&v->value);
  if (array == nullptr) wrong(name, "a list of numbers", *v);
  field.clear();
  for (const ArgValue& item : *array) {
    int number = 0;
    if (!as_int(item, lo, hi, number)) wrong(name, "a list of " + range("integers", lo, hi), *v);
    field.push_back(number);
  }
}

void ModelArgs::read_presence(std::string_view name, bool& present) const {
  find(name);  // makes the name known
  const auto it = values_.find(name);
  if (it != values_.end() && !as_presence(it->second, present)) {
    wrong(name, "a finite number or null", it->second);
  }
}

void ModelArgs::read_presence(std::string_view name, List<bool>& present) const {
  find(name);
  const auto it = values_.find(name);
  if (it != values_.end()) {
    read_list(name, it->second, "finite numbers or nulls", present, as_presence);
  }
}

void ModelArgs::read(std::string_view name, Size2d& field, int lo, int hi) const {
  const ArgValue* v = find(name);
  if (v == nullptr) return;
  const std::string wanted = range("one size or [height, width], each", lo, hi);
  if (const auto* pair = std::get_if<ArgValue::Array>(&v->value)) {
    if (pair->size() != 2 || !as_int((*pair)[0], lo, hi, field.h) ||
        !as_int((*pair)[1], lo, hi, field.w)) {
      wrong(name, wanted, *v);
    }
  } else {
    if (!as_int(*v, lo, hi, field.h)) wrong(name, wanted, *v);
    field.w = field.h;
  }
}

void ModelArgs::ignore(std::initializer_list<std::string_view> names) const {
  for (const std::string_view name : names) known_.emplace(name);
}

void ModelArgs::finish(std::string_view family) const {
  for (const auto& [name, value] : values_) {
    if (known_.contains(name)) continue;
    std::string known;
    for (const std::string& k : known_) known.append(known.empty() ? "" : ", ").append(k);
    throw Error(Error::Kind::argument, "unknown argument " + name + " = " + to_string(value) +
                                           " of family " + std::string(family) +
                                           "; the known ones are " + known);
  }
}

}  // namespace fovea
