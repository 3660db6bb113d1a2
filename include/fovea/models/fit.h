// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "fovea/models/registry.h"

namespace fovea {

// How the tensors of a checkpoint fit a network.
struct CheckpointFit {
  ModelSpec spec;
  std::size_t wanted = 0;             // tensors of the network
  std::vector<std::string> problems;  // one line each: missing, of another shape, superfluous
};

CheckpointFit check_fit(const ModelSpec& spec, const ParamSource& weights);

// The classes of the checkpoint's classifier where everything else about that tensor is what `spec`
// wants; 0 when the checkpoint lacks it; -1 when the number is spec's own, or nothing can be said.
int classes_of(const ModelSpec& spec, const ParamSource& weights);

// Of all registered networks those that fit best, each with as many classes as the checkpoint has,
// the first being what an unqualified name means. Several when they have the same tensors.
std::vector<CheckpointFit> best_fits(const ParamSource& weights);

// A network's tensors under canonical names, in the order of construction.
class CanonicalWeights {
 public:
  // Throws Error(file) that lists everything that does not fit. `weights` outlives the result.
  CanonicalWeights(const ModelSpec& spec, const ParamSource& weights);

  std::size_t size() const { return names_.size(); }
  const std::string& name(std::size_t i) const { return names_[i].first; }
  // In the checkpoint's dtype, in the shape that the network wants.
  Tensor load(std::size_t i) const;

 private:
  std::unique_ptr<ParamSource> source_;
  std::vector<std::pair<std::string, ParamLog::Entry>> names_;  // canonical, and the source's
};

}  // namespace fovea
