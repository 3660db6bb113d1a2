// SPDX-License-Identifier: Apache-2.0
#include "fovea/models/registry.h"

#include <algorithm>
#include <array>

#include "fovea/core/weight_arena.h"
#include "fovea/core/wildcard.h"
#include "models/families.h"
#include "src/models/bind_names.h"

namespace fovea {
namespace {

// timm's families first: where two share a name, the first is what an unqualified name means.
constexpr std::array<const ModelFamily*, 23> kFamilies = {
    &models::kVit,
    &models::kSwin,
    &models::kSwinV2,
    &models::kConvNeXt,
    &models::kMetaFormer,
    &models::kMambaOut,
    &models::kPoolFormer,
    &models::kVMamba,
    &models::kMsVMamba,
    &models::kMsVMambaV2,
    &models::kResVMamba,
    &models::kPlainMamba,
    &models::kAgentDeit,
    &models::kAgentPvt,
    &models::kSlab,
    &models::kVssd,
    &models::kVig,
    &models::kVigH,
    &models::kRavlt,
    &models::kAdventurer,
    &models::kAgentSwin,
    &models::kAgentCswin,
    &models::kConvNeXtTorchvision,
};

// How far a misspelt name is from a registered one: edits to reach the nearest beginning of it,
// since people leave the sizes at the end out, then edits to reach all of it (Levenshtein).
std::pair<int, int> edit_distances(std::string_view misspelt, std::string_view name) {
  std::vector<int> row(name.size() + 1);
  for (std::size_t j = 0; j <= name.size(); ++j) row[j] = static_cast<int>(j);
  for (std::size_t i = 1; i <= misspelt.size(); ++i) {
    int diagonal = row[0];
    row[0] = static_cast<int>(i);
    for (std::size_t j = 1; j <= name.size(); ++j) {
      const int change = diagonal + (misspelt[i - 1] == name[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, change});
    }
  }
  return {*std::min_element(row.begin(), row.end()), row.back()};
}

std::string nearest_names(std::string_view name) {
  const std::string_view wanted = name.substr(0, 64);  // what a stranger's file says may be long
  std::vector<std::pair<std::pair<int, int>, std::string_view>> ranked;
  for (const ModelFamily* family : kFamilies) {
    for (const ModelInfo& info : family->models) {
      ranked.emplace_back(edit_distances(wanted, info.name), info.name);
    }
  }
  std::sort(ranked.begin(), ranked.end());
  ranked.erase(std::unique(ranked.begin(), ranked.end()), ranked.end());
  std::string text;
  for (std::size_t i = 0; i < std::min<std::size_t>(3, ranked.size()); ++i) {
    text += (i == 0 ? "" : ", ") + std::string(ranked[i].second);
  }
  return text;
}

}  // namespace

std::span<const ModelFamily* const> model_families() { return kFamilies; }

std::string ModelSpec::name() const {
  if (info != nullptr) return std::string(info->name);
  return "a network of family " + std::string(family->name);
}

std::vector<ModelSpec> find_models(std::string_view name) {
  const std::string_view base = name.substr(0, name.find('.'));  // "architecture.tag"
  std::vector<ModelSpec> found;
  for (const ModelFamily* family : kFamilies) {
    for (const ModelInfo& info : family->models) {
      if (info.name == base) found.push_back({family, &info, {}});
    }
  }
  if (found.empty()) {
    throw Error(Error::Kind::argument, "unknown architecture \"" +
                                           std::string(name.substr(0, 200)) +
                                           "\"; the nearest names are " + nearest_names(base));
  }
  return found;
}

const ModelFamily& find_family(std::string_view name) {
  std::string known;
  for (const ModelFamily* family : kFamilies) {
    if (family->name == name) return *family;
    known += (known.empty() ? "" : ", ") + std::string(family->name);
  }
  throw Error(Error::Kind::argument,
              "unknown family \"" + std::string(name) + "\"; the known ones are " + known);
}

std::vector<NamedModel> list_models(std::string_view pattern) {
  std::vector<NamedModel> found;
  for (const ModelFamily* family : kFamilies) {
    for (const ModelInfo& info : family->models) {
      if (matches_wildcard(pattern, info.name)) found.push_back({family, &info});
    }
  }
  return found;
}

std::vector<ParamLog::Entry> list_parameters(const ModelSpec& spec) {
  ParamLog log;
  make_network(spec, Params(nullptr, *make_backend("reference"), log));
  return std::move(log.requested);
}

BuiltModel build_model(const ModelSpec& spec, const ParamSource& weights, const Backend& backend,
                       std::span<const std::string> accept, const ThreadPool* pool) {
  const Binding fit = bind_names(spec, weights, backend, accept);
  if (!fit.problems.empty()) {
    throw Error(Error::Kind::file, describe_problems(spec, weights, fit.problems));
  }
  WeightArena arena;
  ParamLog log;
  log.pool = pool;
  log.arena = &arena;
  BuiltModel built;
  built.backbone = make_network(spec, Params(fit.source.get(), backend, log));
  for (const ParamLog::Entry& entry : log.requested) built.parameters += numel(entry.shape);
  built.packed_bytes = log.packed_bytes;
  return built;
}

BuiltModel build_shape_only(const ModelSpec& spec, const Backend& backend) {
  ParamLog log;
  BuiltModel built;
  built.backbone = make_network(spec, Params(nullptr, backend, log));
  for (const ParamLog::Entry& entry : log.requested) built.parameters += numel(entry.shape);
  return built;
}

const ModelSpec& best_fit(std::span<const ModelSpec> candidates, const ParamSource& weights) {
  if (candidates.size() == 1) return candidates[0];
  const std::shared_ptr<const Backend> backend = make_backend("reference");
  const ModelSpec* best = nullptr;
  std::size_t fewest = 0;
  for (const ModelSpec& spec : candidates) {
    // Arguments in one candidate's words may mean nothing to another.
    std::size_t problems = 0;
    try {
      problems = bind_names(spec, weights, *backend, {}).problems.size();
    } catch (const Error& e) {
      if (e.kind() != Error::Kind::argument) throw;
      continue;
    }
    if (best == nullptr || problems < fewest) {
      best = &spec;
      fewest = problems;
    }
  }
  return best != nullptr ? *best : candidates[0];
}

}  // namespace fovea
