// SPDX-License-Identifier: Apache-2.0
#include "fovea/models/fit.h"

#include <algorithm>
#include <limits>
#include <map>

#include "src/models/bind_names.h"

namespace fovea {
namespace {

// Tensors whose shape the network wants otherwise, though it resizes them when it is built.
std::size_t count_resized(const std::vector<ParamLog::Entry>& wanted,
                          const std::vector<ParamLog::Entry>& requested) {
  std::map<std::string_view, const Shape*> shapes;
  for (const ParamLog::Entry& entry : wanted) shapes.emplace(entry.name, &entry.shape);
  std::size_t resized = 0;
  for (const ParamLog::Entry& entry : requested) {
    const auto found = shapes.find(entry.name);
    resized += found != shapes.end() && *found->second != entry.shape ? 1u : 0u;
  }
  return resized;
}

ModelSpec with_classes(ModelSpec spec, int classes) {
  if (classes >= 0) spec.args.set("num_classes", {std::int64_t{classes}});
  return spec;
}

}  // namespace

CheckpointFit check_fit(const ModelSpec& spec, const ParamSource& weights) {
  Binding binding = bind_names(spec, weights, *make_backend("reference"), {});
  return {spec, binding.requested.size(), std::move(binding.problems)};
}

int classes_of(const ModelSpec& spec, const ParamSource& weights) {
  if (spec.info == nullptr) return -1;
  const Binding binding = bind_names(spec, weights, *make_backend("reference"), {});
  const ModelSpec headless = with_classes(spec, 0);
  std::map<std::string, Shape, std::less<>> trunk;
  for (ParamLog::Entry& entry : list_parameters(headless)) {
    trunk.emplace(std::move(entry.name), std::move(entry.shape));
  }
  bool has_classifier = false;
  for (const ParamLog::Entry& entry : binding.requested) {
    if (trunk.contains(entry.name)) continue;
    has_classifier = true;
    const Shape* found = binding.source->find(entry.name);
    if (found == nullptr || found->size() != entry.shape.size() || found->empty()) continue;
    if ((*found)[0] == entry.shape[0] || (*found)[0] < 1 || (*found)[0] > 1 << 20) return -1;
    if (!std::equal(found->begin() + 1, found->end(), entry.shape.begin() + 1)) return -1;
    return static_cast<int>((*found)[0]);
  }
  return has_classifier ? 0 : -1;
}

std::vector<CheckpointFit> best_fits(const ParamSource& weights) {
  const std::shared_ptr<const Backend> backend = make_backend("reference");
  std::pair fewest(std::numeric_limits<std::size_t>::max(), std::size_t{0});
  std::vector<CheckpointFit> best;
  for (const NamedModel& model : list_models()) {
    ModelSpec spec{model.family, model.info, {}};
    Binding binding = bind_names(spec, weights, *backend, {});
    // A network that shares nothing with the checkpoint is not worth a second look.
    if (!binding.problems.empty() && binding.problems.size() < binding.requested.size()) {
      if (const int classes = classes_of(spec, weights); classes >= 0) {
        spec = with_classes(spec, classes);
        binding = bind_names(spec, weights, *backend, {});
      }
    }
    const std::pair score(binding.problems.size(),
                          count_resized(list_parameters(spec), binding.requested));
    if (score > fewest) continue;
    if (score < fewest) best.clear();
    fewest = score;
    best.push_back({spec, binding.requested.size(), std::move(binding.problems)});
  }
  return best;
}

CanonicalWeights::CanonicalWeights(const ModelSpec& spec, const ParamSource& weights) {
  Binding binding = bind_names(spec, weights, *make_backend("reference"), {});
  if (!binding.problems.empty()) {
    throw Error(Error::Kind::file, describe_problems(spec, weights, binding.problems));
  }
  source_ = std::move(binding.source);
  // The authors of Swin have other places for the same tensors: what the network asks for without
  // a checkpoint is canonical.
  std::vector<ParamLog::Entry> canonical = list_parameters(spec);
  const bool same_order = std::equal(
      canonical.begin(), canonical.end(), binding.requested.begin(), binding.requested.end(),
      [](const auto& a, const auto& b) { return a.name == b.name || a.shape == b.shape; });
  names_.reserve(binding.requested.size());
  for (std::size_t i = 0; i < binding.requested.size(); ++i) {
    ParamLog::Entry& entry = binding.requested[i];
    std::string name = same_order ? canonical[i].name : entry.name;
    names_.emplace_back(std::move(name), std::move(entry));
  }
}

Tensor CanonicalWeights::load(std::size_t i) const {
  const ParamLog::Entry& entry = names_[i].second;
  return source_->load(entry.name).reshaped(entry.shape);
}

}  // namespace fovea
