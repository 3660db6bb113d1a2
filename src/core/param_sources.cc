// SPDX-License-Identifier: Apache-2.0
#include "fovea/core/param_sources.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "fovea/core/error.h"
#include "fovea/core/generator.h"

namespace fovea {
namespace {

template <class Map>
const auto& entry(const Map& map, std::string_view name, const ParamSource& source) {
  const auto found = map.find(name);
  if (found == map.end()) {
    throw Error(Error::Kind::argument,
                source.description() + ": there is no tensor " + std::string(name));
  }
  return found->second;
}

template <class Map>
std::vector<std::string> keys(const Map& map) {
  std::vector<std::string> names;
  names.reserve(map.size());
  for (const auto& [name, value] : map) names.push_back(name);
  return names;
}

std::int64_t sound_numel(const std::string& name, const Shape& shape) {
  const auto count = checked_numel(shape);
  if (!count) {
    throw Error(Error::Kind::argument, name + ": not a shape: " + to_string(shape));
  }
  return *count;
}

}  // namespace

void GeneratedSource::add(std::string name, Shape shape, double lo, double hi) {
  sound_numel(name, shape);
  if (!std::isfinite(lo) || !std::isfinite(hi) || lo > hi) {
    throw Error(Error::Kind::argument, name + ": generated values want finite lo <= hi, found " +
                                           std::to_string(lo) + " and " + std::to_string(hi));
  }
  const auto [place, fresh] = ranges_.try_emplace(std::move(name), Range{std::move(shape), lo, hi});
  if (!fresh) throw Error(Error::Kind::argument, place->first + ": added twice");
}

const Shape* GeneratedSource::find(std::string_view name) const {
  const auto found = ranges_.find(name);
  return found == ranges_.end() ? nullptr : &found->second.shape;
}

Tensor GeneratedSource::load(std::string_view name) const {
  const Range& range = entry(ranges_, name, *this);
  FloatBuffer values(static_cast<std::size_t>(numel(range.shape)));
  const std::uint64_t state = fnv1a(name);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = generated_value(state, i, range.lo, range.hi);
  }
  return Tensor::take(range.shape, std::move(values));
}

std::vector<std::string> GeneratedSource::names() const { return keys(ranges_); }

ZeroSource::ZeroSource(const std::vector<ParamLog::Entry>& entries) {
  for (const auto& [name, shape] : entries) {
    sound_numel(name, shape);
    shapes_.try_emplace(name, shape);
  }
}

const Shape* ZeroSource::find(std::string_view name) const {
  const auto found = shapes_.find(name);
  return found == shapes_.end() ? nullptr : &found->second;
}

Tensor ZeroSource::load(std::string_view name) const {
  const Shape& shape = entry(shapes_, name, *this);
  FloatBuffer values(static_cast<std::size_t>(numel(shape)));
  std::fill(values.begin(), values.end(), 0.0f);
  return Tensor::take(shape, std::move(values));
}

std::vector<std::string> ZeroSource::names() const { return keys(shapes_); }

}  // namespace fovea
