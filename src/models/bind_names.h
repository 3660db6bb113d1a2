// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "fovea/models/registry.h"

// What building a network and telling what a checkpoint is have in common.
namespace fovea {

std::unique_ptr<Backbone> make_network(const ModelSpec& spec, const Params& p);

// A checkpoint under a network's names.
struct Binding {
  std::unique_ptr<ParamSource> source;     // under the family's names; refers to the checkpoint
  std::vector<ParamLog::Entry> requested;  // by the network, in the order of construction
  std::vector<std::string> problems;       // one line each: missing, of another shape, superfluous
};

// Walks the construction without data. `accept` names tensors that may be left over.
Binding bind_names(const ModelSpec& spec, const ParamSource& weights, const Backend& backend,
                   std::span<const std::string> accept);

// Problems as a message: all of them, but for the thousands of a wholly different network.
std::string describe_problems(const ModelSpec& spec, const ParamSource& weights,
                              const std::vector<std::string>& problems);

}  // namespace fovea
