// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/core/params.h"
#include "fovea/core/preprocess_config.h"
#include "fovea/models/backbone.h"

namespace fovea {

// A published network, by timm's name.
struct ModelInfo {
  std::string_view name;
  int variant = 0;              // its index in the family's own table of configurations
  PreprocessConfig preprocess;  // of its usual checkpoint; a hub folder's own goes first
  int num_classes = 1000;
};

// A file of models/: its variants, how one is built, how foreign checkpoints are renamed.
struct ModelFamily {
  std::string_view name;
  std::string_view description;  // one line: paper, reference
  std::span<const ModelInfo> models;
  // Builds variant `variant` (-1: the reference's own defaults) with `args` changed.
  std::unique_ptr<Backbone> (*make)(const Params& p, int variant, const ModelArgs& args);
  // The authors' name of a tensor -> the canonical one; "" for tensors to be ignored. Canonical
  // names come back unchanged. Null when there is nothing to rename.
  std::string (*rename)(const std::string& name) = nullptr;
  // Whether a network is built for one input size, given by the argument "img_size".
  bool takes_img_size = false;
  // A tensor that only checkpoints under canonical names have. In its presence nothing is renamed:
  // some authors use a canonical name for another tensor. Empty when there is no such case.
  std::string_view canonical_tensor = {};
};

// Every family, in the order of `fovea list`.
std::span<const ModelFamily* const> model_families();

// A network to build. Where two families share a name (timm's and the authors' PoolFormer) there
// are several candidates, timm's first.
struct ModelSpec {
  const ModelFamily* family = nullptr;
  const ModelInfo* info = nullptr;  // null: every argument comes from `args`
  ModelArgs args;

  std::string name() const;
};

// Candidates for "name" or "name.tag". Throws Error(argument) naming the nearest names.
std::vector<ModelSpec> find_models(std::string_view name);
// The family of that name, or Error(argument).
const ModelFamily& find_family(std::string_view name);

struct NamedModel {
  const ModelFamily* family;
  const ModelInfo* info;
};
// Names that match a wildcard pattern ("swin*"), in order.
std::vector<NamedModel> list_models(std::string_view pattern = "*");

// Names and shapes of a network's parameters, in the order of construction.
std::vector<ParamLog::Entry> list_parameters(const ModelSpec& spec);

struct BuiltModel {
  std::unique_ptr<Backbone> backbone;
  std::int64_t parameters = 0;   // numbers in all tensors
  std::size_t packed_bytes = 0;  // of packed weights
};

// Builds a network and binds its weights. Missing, superfluous and wrongly shaped tensors are an
// Error(file) that lists them all. `accept` names tensors that may be left over (buffers). The
// threads of `pool`, unless it is null, share the packing.
BuiltModel build_model(const ModelSpec& spec, const ParamSource& weights, const Backend& backend,
                       std::span<const std::string> accept = {}, const ThreadPool* pool = nullptr);
// Without weights: for listings and dry runs.
BuiltModel build_shape_only(const ModelSpec& spec, const Backend& backend);

// The candidate whose names fit the checkpoint best.
const ModelSpec& best_fit(std::span<const ModelSpec> candidates, const ParamSource& weights);

}  // namespace fovea
