// SPDX-License-Identifier: Apache-2.0
#include "src/models/bind_names.h"

#include <algorithm>
#include <set>

namespace fovea {
namespace {

// The checkpoint under the family's names, without what PyTorch counts for batch norms in training.
std::unique_ptr<ParamSource> canonical(const ModelFamily& family, const ParamSource& weights) {
  const bool foreign =
      family.rename != nullptr &&
      (family.canonical_tensor.empty() || weights.find(family.canonical_tensor) == nullptr);
  return renamed(weights, [&family, foreign](const std::string& name) {
    if (name.ends_with(".num_batches_tracked")) return std::string();
    return foreign ? family.rename(name) : name;
  });
}

}  // namespace

std::unique_ptr<Backbone> make_network(const ModelSpec& spec, const Params& p) {
  return spec.family->make(p, spec.info != nullptr ? spec.info->variant : -1, spec.args);
}

Binding bind_names(const ModelSpec& spec, const ParamSource& weights, const Backend& backend,
                   std::span<const std::string> accept) {
  Binding binding;
  binding.source = canonical(*spec.family, weights);
  ParamLog log;
  make_network(spec, Params(binding.source.get(), backend, log, /*check_only=*/true));
  binding.problems = std::move(log.problems);
  binding.requested = std::move(log.requested);

  std::set<std::string_view> expected(accept.begin(), accept.end());
  for (const ParamLog::Entry& entry : binding.requested) expected.insert(entry.name);
  for (const std::string& name : binding.source->names()) {
    if (!expected.contains(name)) {
      binding.problems.push_back("superfluous " + name + " " +
                                 to_string(*binding.source->find(name)));
    }
  }
  return binding;
}

std::string describe_problems(const ModelSpec& spec, const ParamSource& weights,
                              const std::vector<std::string>& problems) {
  constexpr std::size_t kMost = 2000;
  std::string text = weights.description() + " does not fit " + spec.name() + " (" +
                     std::to_string(problems.size()) +
                     (problems.size() == 1 ? " tensor):" : " tensors):");
  for (std::size_t i = 0; i < std::min(problems.size(), kMost); ++i) text += "\n  " + problems[i];
  if (problems.size() > kMost) {
    text += "\n  and " + std::to_string(problems.size() - kMost) + " more";
  }
  return text;
}

}  // namespace fovea
