// SPDX-License-Identifier: Apache-2.0
#include "fovea/core/params.h"

#include <algorithm>
#include <iterator>
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

}  // namespace

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
