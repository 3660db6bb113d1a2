// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <map>

#include "fovea/core/params.h"

namespace fovea {

// Weights that are a function of their names (core/generator.h): what the oracles run with.
class GeneratedSource final : public ParamSource {
 public:
  // The values of tensor `name` are uniform in [lo, hi).
  void add(std::string name, Shape shape, double lo, double hi);

  const Shape* find(std::string_view name) const override;
  Tensor load(std::string_view name) const override;
  std::vector<std::string> names() const override;
  std::string description() const override { return "generated weights"; }

 private:
  struct Range {
    Shape shape;
    double lo, hi;
  };
  std::map<std::string, Range, std::less<>> ranges_;
};

// The parameters of a network as list_parameters() gives them, all zero: packs and runs like the
// real ones, for measuring memory and time without a checkpoint.
class ZeroSource final : public ParamSource {
 public:
  explicit ZeroSource(const std::vector<ParamLog::Entry>& entries);

  const Shape* find(std::string_view name) const override;
  Tensor load(std::string_view name) const override;
  std::vector<std::string> names() const override;
  std::string description() const override { return "zero weights"; }

 private:
  std::map<std::string, Shape, std::less<>> shapes_;
};

}  // namespace fovea
