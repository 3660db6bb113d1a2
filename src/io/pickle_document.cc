// SPDX-License-Identifier: Apache-2.0
#include "src/io/pickle_document.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>

#include "src/io/printable.h"

namespace fovea {
namespace {

constexpr std::size_t kMaxDescription = 200;  // bytes
constexpr int kMaxDepth = 4;                  // of what is described

std::string shortest(double value) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() ? std::string(text.data(), end) : "a number";
}

}  // namespace

PickleDocument::PickleDocument(std::string_view source) : source_(source) {
  add(PickleKind::none, 0);
  add(PickleKind::boolean, 0);
  add(PickleKind::boolean, 1);
  add(PickleKind::tuple, 0);
}

double PickleDocument::real(PickleId id) const { return std::bit_cast<double>(values_[id].bits); }

std::string_view PickleDocument::text(PickleId id) const {
  return source_.substr(static_cast<std::size_t>(values_[id].bits), values_[id].size);
}

const PickleGlobal& PickleDocument::global(PickleId id) const {
  const Value& value = values_[id];
  return *globals_[value.kind == PickleKind::record ? value.size : value.bits];
}

std::span<const PickleId> PickleDocument::items(PickleId id) const {
  const Value& value = values_[id];
  if (value.kind == PickleKind::tuple) {
    return std::span(tuples_).subspan(static_cast<std::size_t>(value.bits), value.size);
  }
  return containers_[value.bits];
}

std::vector<std::int64_t> PickleDocument::integers(PickleId tuple) const {
  std::vector<std::int64_t> values;
  values.reserve(items(tuple).size());
  for (const PickleId item : items(tuple)) values.push_back(integer(item));
  return values;
}

const PickleId* PickleDocument::find(PickleId dict, std::string_view key) const {
  const std::span<const PickleId> pairs = items(dict);
  for (std::size_t i = pairs.size(); i >= 2; i -= 2) {
    const PickleId name = pairs[i - 2];
    const bool is_text = is(name, PickleKind::text) || is(name, PickleKind::bytes);
    if (is_text && text(name) == key) return &pairs[i - 1];
  }
  return nullptr;
}

PickleId PickleDocument::add(PickleKind kind, std::uint64_t bits, std::uint32_t size) {
  const bool hashable = kind != PickleKind::list && kind != PickleKind::dict &&
                        kind != PickleKind::record && kind != PickleKind::tensor &&
                        kind != PickleKind::storage;
  values_.push_back({kind, hashable, size, bits});
  return static_cast<PickleId>(values_.size() - 1);
}

PickleId PickleDocument::add_text(PickleKind kind, std::string_view part) {
  return add(kind, static_cast<std::uint64_t>(part.data() - source_.data()),
             static_cast<std::uint32_t>(part.size()));
}

PickleId PickleDocument::add_global(const PickleGlobal* global) {
  globals_.push_back(global);
  return add(PickleKind::global, globals_.size() - 1);
}

PickleId PickleDocument::add_tuple(std::span<const PickleId> items) {
  const PickleId id =
      add(PickleKind::tuple, tuples_.size(), static_cast<std::uint32_t>(items.size()));
  tuples_.insert(tuples_.end(), items.begin(), items.end());
  values_[id].hashable =
      std::all_of(items.begin(), items.end(), [this](PickleId item) { return hashable(item); });
  return id;
}

PickleId PickleDocument::add_container(PickleKind kind) {
  containers_.emplace_back();
  return add(kind, containers_.size() - 1);
}

PickleId PickleDocument::add_record(PickleId global, PickleId arguments) {
  containers_.emplace_back(1, arguments);
  return add(PickleKind::record, containers_.size() - 1,
             static_cast<std::uint32_t>(values_[global].bits));
}

PickleId PickleDocument::add_storage(const PickleStorage& storage) {
  storages_.push_back(storage);
  return add(PickleKind::storage, storages_.size() - 1);
}

PickleId PickleDocument::add_tensor(const PickleTensor& tensor) {
  tensors_.push_back(tensor);
  return add(PickleKind::tensor, tensors_.size() - 1);
}

void PickleDocument::append(PickleId container, std::span<const PickleId> items) {
  std::vector<PickleId>& content = containers_[values_[container].bits];
  content.insert(content.end(), items.begin(), items.end());
}

std::string PickleDocument::describe(PickleId id) const {
  std::string out;
  describe(id, 0, out);
  if (out.size() <= kMaxDescription) return out;
  return out.substr(0, kMaxDescription) + "...";
}

// Ends after a few levels and a few hundred bytes, whatever the values contain.
void PickleDocument::describe(PickleId id, int depth, std::string& out) const {
  const auto list = [&](std::string_view open, std::string_view close, bool pairs,
                        std::span<const PickleId> values) {
    out += open;
    if (depth == kMaxDepth && !values.empty()) {
      out += "...";
      values = {};
    }
    const std::size_t step = pairs ? 2 : 1;
    for (std::size_t i = 0; i + step <= values.size() && out.size() <= kMaxDescription; i += step) {
      if (i > 0) out += ", ";
      describe(values[i], depth + 1, out);
      if (!pairs) continue;
      out += ": ";
      describe(values[i + 1], depth + 1, out);
    }
    out += close;
  };
  switch (kind(id)) {
    case PickleKind::none:
      out += "None";
      return;
    case PickleKind::boolean:
      out += boolean(id) ? "True" : "False";
      return;
    case PickleKind::integer:
      out += std::to_string(integer(id));
      return;
    case PickleKind::big_integer:
      out += "a large integer";
      return;
    case PickleKind::real:
      out += shortest(real(id));
      return;
    case PickleKind::text:
      out += printable(text(id), kMaxDescription);
      return;
    case PickleKind::bytes:
      out += std::to_string(text(id).size()) + " bytes";
      return;
    case PickleKind::tuple:
      return list("(", ")", false, items(id));
    case PickleKind::list:
      return list("[", "]", false, items(id));
    case PickleKind::dict:
      return list("{", "}", true, items(id));
    case PickleKind::global:
      out += printable(global(id).name, kMaxDescription);
      return;
    case PickleKind::storage:
      out += "a storage";
      return;
    case PickleKind::tensor:
      out += "a tensor";
      return;
    case PickleKind::record: {
      const std::string_view name = global(id).name;
      out += printable(name.substr(name.rfind('.') + 1), kMaxDescription);
      std::span<const PickleId> parts = items(id);
      if (parts.size() > 1 && items(parts[0]).empty()) parts = parts.subspan(1);
      return list("(", ")", false, parts);
    }
  }
}

}  // namespace fovea
