// SPDX-License-Identifier: Apache-2.0
// Networks from arguments: what tests of the families have in common.
#pragma once

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "fovea/io/hub_folder.h"
#include "fovea/models/registry.h"
#include "tests/backend/maps.h"
#include "tests/expect_error.h"

namespace fovea::test {

// A family's network with a configuration of its own, changed by `more`, ", " and members.
inline ModelSpec spec_of(const ModelFamily& family, const std::string& tiny,
                         const std::string& more) {
  ModelSpec spec = {&family, nullptr, parse_model_args(tiny)};
  const ModelArgs changes = parse_model_args("{" + (more.empty() ? "" : more.substr(1)) + "}");
  for (const auto& [name, value] : changes) spec.args.set(name, value);
  return spec;
}

inline void expect_refused(const ModelSpec& spec, const std::string& part) {
  expect_error([&] { list_parameters(spec); }, Error::Kind::argument, part);
}

inline void refuses(const ModelFamily& family, const std::string& tiny, const std::string& more,
                    const std::string& part) {
  expect_refused(spec_of(family, tiny, more), part);
}

inline std::set<std::string> parameter_names(const ModelSpec& spec) {
  std::set<std::string> names;
  for (const ParamLog::Entry& e : list_parameters(spec)) names.insert(e.name);
  return names;
}

// What the reference backend makes of a batch.
inline std::vector<float> logits(const ModelSpec& spec, const ParamSource& source,
                                 const TestMap& image) {
  const auto backend = make_backend("reference");
  const BuiltModel model = build_model(spec, source, *backend);
  Context ctx(1);
  const TestMap y(image.map().n, 1, 1, model.backbone->num_outputs(), 0);
  model.backbone->logits(image, y, ctx);
  return dense(y);
}

}  // namespace fovea::test
