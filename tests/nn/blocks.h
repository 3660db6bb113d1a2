// SPDX-License-Identifier: Apache-2.0
// Blocks built on every backend with the same generated weights, and compared.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fovea/backend/backend.h"
#include "fovea/core/param_sources.h"
#include "tests/backend/maps.h"
#include "tests/tolerance.h"

namespace fovea::test {

// Tensors given one by one.
class ListedSource final : public ParamSource {
 public:
  void add(const std::string& name, const Tensor& tensor) {
    tensors_.insert_or_assign(name, tensor);
    shapes_.insert_or_assign(name, tensor.shape());
  }
  // All of another source's.
  void add_all(const ParamSource& source) {
    for (const std::string& name : source.names()) add(name, source.load(name));
  }

  const Shape* find(std::string_view name) const override {
    const auto it = shapes_.find(name);
    return it == shapes_.end() ? nullptr : &it->second;
  }
  Tensor load(std::string_view name) const override { return tensors_.find(name)->second; }
  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const auto& [name, shape] : shapes_) names.push_back(name);
    return names;
  }
  std::string description() const override { return "listed weights"; }

 private:
  std::map<std::string, Tensor, std::less<>> tensors_;
  std::map<std::string, Shape, std::less<>> shapes_;
};

// Weights for parameters: matrices such that a product keeps the magnitude of its input, vectors
// around one for norms, small ones else.
inline ListedSource generated_weights(const std::vector<ParamLog::Entry>& entries) {
  GeneratedSource source;
  for (const ParamLog::Entry& e : entries) {
    double lo = -0.2, hi = 0.2;
    if (e.shape.size() >= 2 && e.name.ends_with("weight")) {
      const double fan_in = static_cast<double>(numel(e.shape)) / static_cast<double>(e.shape[0]);
      hi = std::sqrt(3.0 / fan_in);
      lo = -hi;
    } else if (e.name.ends_with("weight") || e.name.ends_with("running_var")) {
      lo = 0.7;
      hi = 1.3;
    } else if (e.name.ends_with("logit_scale")) {
      lo = 1.5;
      hi = 2.5;
    } else if (e.shape.size() >= 2) {  // tables, learned queries
      lo = -1.0;
      hi = 1.0;
    }
    source.add(e.name, e.shape, lo, hi);
  }
  ListedSource listed;
  listed.add_all(source);
  return listed;
}

// The weights that build(Params) asks for.
template <class Build>
ListedSource weights_for(const Build& build) {
  ParamLog log;
  const auto backend = make_backend("reference");
  build(Params(nullptr, *backend, log));
  return generated_weights(log.requested);
}

// build(Params) on a backend, with nothing missing.
template <class Build>
auto build_with(const Build& build, const ParamSource& source, const Backend& backend) {
  ParamLog log;
  auto block = build(Params(&source, backend, log));
  EXPECT_TRUE(log.problems.empty()) << log.problems.front();
  return block;
}

// Runs run(block, y, ctx) on every backend; y, of the shape of `out`, starts as a copy of it. What
// comes out lies within `bound` of the reference backend's, as a relative L2 distance.
template <class Build, class Run>
void expect_backends_agree(const Build& build, const Run& run, const TestMap& out, double bound) {
  const ListedSource source = weights_for(build);
  const auto result = [&](std::string_view name) {
    const auto backend = make_backend(name);
    const auto block = build_with(build, source, *backend);
    Context ctx(2);
    const TestMap y = out;
    run(block, y.map(), ctx);
    std::vector<float> values;
    for (std::ptrdiff_t r = 0; r < y.map().rows(); ++r) {
      values.insert(values.end(), y.map().row(r), y.map().row(r) + y.map().c);
    }
    return values;
  };
  const std::vector<float> wanted = result("reference");
  for (const std::string_view name : backend_names()) {
    const std::vector<float> found = result(name);
    const double distance =
        relative_l2(found.data(), wanted.data(), static_cast<std::ptrdiff_t>(wanted.size()));
    EXPECT_LE(distance, bound) << "backend " << name << ", output " << shape_string(out.map());
  }
}

// A block is a chain of operators; their errors add at most.
inline double block_bound(int operators, std::ptrdiff_t k) {
  return operators * operator_l2_bound(k);
}

}  // namespace fovea::test
