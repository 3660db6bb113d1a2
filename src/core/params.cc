// SPDX-License-Identifier: Apache-2.0
#include "fovea/core/params.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <utility>

#include "fovea/core/error.h"

namespace fovea {
namespace {

std::string join(const std::string& path, std::string_view child) {
  if (path.empty()) return std::string(child);
  std::string joined;
  joined.reserve(path.size() + 1 + child.size());
  joined += path;
  joined += '.';
  joined += child;
  return joined;
}

// Whether the shapes are equal but for sizes of one at either end.
bool agree(const Shape& a, const Shape& b) {
  const auto trimmed = [](const Shape& shape) {
    const auto more_than_one = [](std::int64_t size) { return size != 1; };
    const auto first = std::find_if(shape.begin(), shape.end(), more_than_one);
    const auto last =
        std::find_if(shape.rbegin(), std::make_reverse_iterator(first), more_than_one);
    return std::pair(first, last.base());
  };
  const auto [a_first, a_last] = trimmed(a);
  const auto [b_first, b_last] = trimmed(b);
  return std::equal(a_first, a_last, b_first, b_last);
}

class RenamedSource final : public ParamSource {
 public:
  RenamedSource(const ParamSource& source, const Rename& rename) : source_(source) {
    for (std::string& original : source.names()) {
      std::string canonical = rename(original);
      if (canonical.empty()) continue;
      const auto [place, fresh] = originals_.try_emplace(std::move(canonical), original);
      if (!fresh) {
        throw Error(Error::Kind::file, source.description() + ": the tensors " + place->second +
                                           " and " + original + " are both " + place->first);
      }
    }
  }

  const Shape* find(std::string_view name) const override {
    const auto found = originals_.find(name);
    return found == originals_.end() ? nullptr : source_.find(found->second);
  }

  DType dtype(std::string_view name) const override {
    return source_.dtype(originals_.find(name)->second);
  }

  Tensor load(std::string_view name) const override {
    const auto found = originals_.find(name);
    if (found == originals_.end()) {
      throw Error(Error::Kind::argument,
                  description() + ": there is no tensor " + std::string(name));
    }
    return source_.load(found->second);
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
  const ParamSource& source_;
  std::map<std::string, std::string, std::less<>> originals_;  // by canonical name
};

}  // namespace

std::unique_ptr<ParamSource> renamed(const ParamSource& source, const Rename& rename) {
  return std::make_unique<RenamedSource>(source, rename);
}

Params Params::operator/(std::string_view child) const {
  Params below = *this;
  below.path_ = join(path_, child);
  return below;
}

std::string Params::path(std::string_view name) const { return join(path_, name); }

Tensor Params::get(std::string_view name, const Shape& shape) const {
  const std::string full = path(name);
  log_->requested.push_back({full, shape});
  if (source_ == nullptr) return Tensor::shape_only(shape);
  const Shape* found = source_->find(full);
  if (found == nullptr) {
    log_->problems.push_back("missing " + full + " " + to_string(shape));
    return Tensor::shape_only(shape);
  }
  if (!agree(shape, *found)) {
    log_->problems.push_back(full + ": wanted " + to_string(shape) + ", found " +
                             to_string(*found));
    return Tensor::shape_only(shape);
  }
  if (check_only_) return Tensor::shape_only(shape);
  return source_->load(full).reshaped(shape);
}

bool Params::has(std::string_view name) const {
  return source_ != nullptr && source_->find(path(name)) != nullptr;
}

std::optional<Shape> Params::shape(std::string_view name) const {
  const Shape* found = source_ == nullptr ? nullptr : source_->find(path(name));
  if (found == nullptr) return std::nullopt;
  return *found;
}

}  // namespace fovea
