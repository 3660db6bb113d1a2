// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <string>
#include <string_view>
#include <system_error>

#include "models/family_tools.h"

namespace fovea::models {

// Torch's own epsilon of a LayerNorm.
inline constexpr float kTorchNormEps = 1e-5f;

// "norm_layer", where the reference takes a constructor of norms, for its epsilon: "LayerNorm",
// with torch's own, or "LayerNorm eps 1e-6". None leaves it as it is.
inline void read_norm_epsilon(const ModelArgs& args, float& eps) {
  std::string name;
  args.read("norm_layer", name);
  if (name.empty() && (!args.has("norm_layer") || args.is_null("norm_layer"))) return;
  constexpr std::string_view kPlain = "LayerNorm", kPrefix = "LayerNorm eps ";
  eps = kTorchNormEps;
  if (name == kPlain) return;
  const char* const end = name.data() + name.size();
  const auto [stop, error] = name.starts_with(kPrefix)
                                 ? std::from_chars(name.data() + kPrefix.size(), end, eps)
                                 : std::from_chars_result{name.data(), std::errc::invalid_argument};
  if (error != std::errc() || stop != end || !(eps > 0.0f && eps < 1.0f)) {
    wrong_argument("norm_layer", "LayerNorm or LayerNorm eps <number>", "\"" + name + "\"");
  }
}

}  // namespace fovea::models
