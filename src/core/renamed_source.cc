// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstring>
#include <limits>
#include <map>
#include <utility>

#include "fovea/core/error.h"
#include "fovea/core/params.h"

namespace fovea {
namespace {

// "qkv.weight[2/3]": the second of three tensors that are one under the canonical name.
struct Part {
  std::string whole;
  std::size_t index = 0, count = 1;  // index from 0
};

Part parse_part(const std::string& name) {
  const std::size_t n = name.size();
  const bool marked = n > 5 && name[n - 5] == '[' && name[n - 3] == '/' && name[n - 1] == ']' &&
                      name[n - 4] >= '1' && name[n - 4] <= name[n - 2] && name[n - 2] <= '9';
  if (!marked) return {name};
  return {name.substr(0, n - 5), static_cast<std::size_t>(name[n - 4] - '1'),
          static_cast<std::size_t>(name[n - 2] - '0')};
}

class RenamedSource final : public ParamSource {
 public:
  RenamedSource(const ParamSource& source, const Rename& rename) : source_(source) {
    std::map<std::string, Parts> partial;
    for (std::string& original : source.names()) {
      std::string canonical = rename(original);
      if (canonical.empty()) continue;
      const Part part = parse_part(canonical);
      if (part.count > 1) {
        Parts& parts = partial[part.whole];
        parts.resize(std::max(parts.size(), part.count));
        if (!parts[part.index].empty()) fail_twice(parts[part.index], original, canonical);
        parts[part.index] = std::move(original);
      } else {
        const Shape shape = *source.find(original);
        add(std::move(canonical), {{std::move(original)}, shape});
      }
    }
    for (auto& [whole, parts] : partial) add_parts(whole, std::move(parts));
  }

  const Shape* find(std::string_view name) const override {
    const auto found = originals_.find(name);
    return found == originals_.end() ? nullptr : &found->second.shape;
  }

  DType dtype(std::string_view name) const override {
    const Parts& parts = originals_.find(name)->second.parts;
    return same_dtype(parts) ? source_.dtype(parts.front()) : DType::f32;
  }

  Tensor load(std::string_view name) const override {
    const auto found = originals_.find(name);
    if (found == originals_.end()) {
      throw Error(Error::Kind::argument,
                  description() + ": there is no tensor " + std::string(name));
    }
    const Original& original = found->second;
    if (original.parts.size() == 1) return source_.load(original.parts.front());
    return join(original);
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    names.reserve(originals_.size());
    for (const auto& [canonical, original] : originals_) names.push_back(canonical);
    return names;
  }

  std::string description() const override { return source_.description(); }
  CheckpointSummary summary() const override { return source_.summary(); }

 private:
  using Parts = std::vector<std::string>;  // the file's names
  struct Original {
    Parts parts;
    Shape shape;  // of all of them together
  };

  [[noreturn]] void fail_twice(const std::string& a, const std::string& b,
                               const std::string& canonical) const {
    throw Error(Error::Kind::file, source_.description() + ": the tensors " + a + " and " + b +
                                       " are both " + canonical);
  }

  void add(std::string canonical, Original original) {
    const auto [place, fresh] = originals_.try_emplace(std::move(canonical), std::move(original));
    if (!fresh) {
      fail_twice(place->second.parts.front(), original.parts.front(), place->first);
    }
  }

  // Parts that do not make up a whole stay what they are, so that a message can name them.
  void add_parts(const std::string& whole, Parts parts) {
    std::int64_t rows = 0;
    bool complete = true;
    const Shape* first = parts[0].empty() ? nullptr : source_.find(parts[0]);
    for (const std::string& part : parts) {
      const Shape* shape = part.empty() ? nullptr : source_.find(part);
      complete = complete && shape != nullptr && first != nullptr && !shape->empty() &&
                 shape->size() == first->size() &&
                 std::equal(shape->begin() + 1, shape->end(), first->begin() + 1) &&
                 (*shape)[0] <= std::numeric_limits<std::int64_t>::max() - rows;
      if (complete) rows += (*shape)[0];
    }
    if (complete && first != nullptr) {
      Shape shape = *first;
      shape[0] = rows;
      complete = checked_numel(shape).has_value();
      if (complete) return add(whole, {std::move(parts), std::move(shape)});
    }
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (parts[i].empty()) continue;
      const Shape shape = *source_.find(parts[i]);
      add(whole + "[" + std::to_string(i + 1) + "/" + std::to_string(parts.size()) + "]",
          {{std::move(parts[i])}, shape});
    }
  }

  bool same_dtype(const Parts& parts) const {
    return std::all_of(parts.begin(), parts.end(), [&](const std::string& part) {
      return source_.dtype(part) == source_.dtype(parts.front());
    });
  }

  Tensor join(const Original& original) const {
    if (!same_dtype(original.parts)) return join_as_floats(original);
    const DType dtype = source_.dtype(original.parts.front());
    auto bytes = std::make_shared<std::vector<std::byte>>();
    bytes->reserve(static_cast<std::size_t>(numel(original.shape)) * size_of(dtype) + 1);
    for (const std::string& part : original.parts) {
      const Tensor tensor = source_.load(part);
      if (!tensor.has_data()) return Tensor::shape_only(original.shape, dtype);
      const std::size_t size = static_cast<std::size_t>(tensor.size()) * size_of(dtype);
      bytes->insert(bytes->end(), tensor.bytes(), tensor.bytes() + size);
    }
    bytes->push_back(std::byte{});  // so that an empty tensor has data
    const std::byte* data = bytes->data();
    return {original.shape, dtype, std::move(bytes), data};
  }

  Tensor join_as_floats(const Original& original) const {
    FloatBuffer values(static_cast<std::size_t>(numel(original.shape)));
    float* out = values.data();
    for (const std::string& part : original.parts) {
      const FloatBuffer piece = source_.load(part).to_floats();
      out = std::copy(piece.begin(), piece.end(), out);
    }
    return Tensor::take(original.shape, std::move(values));
  }

  const ParamSource& source_;
  std::map<std::string, Original, std::less<>> originals_;  // by canonical name
};

}  // namespace

std::unique_ptr<ParamSource> renamed(const ParamSource& source, const Rename& rename) {
  return std::make_unique<RenamedSource>(source, rename);
}

}  // namespace fovea
