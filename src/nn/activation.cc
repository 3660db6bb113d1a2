// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/activation.h"

#include <array>
#include <string>
#include <utility>

#include "fovea/core/error.h"

namespace fovea::nn {
namespace {

using Kind = Activation::Kind;

// timm spells some of them in two ways.
constexpr std::array<std::pair<std::string_view, Kind>, 12> kNames = {{
    {"identity", Kind::none},
    {"relu", Kind::relu},
    {"gelu", Kind::gelu},
    {"gelu_erf", Kind::gelu},
    {"gelu_tanh", Kind::gelu_tanh},
    {"gelu_pytorch_tanh", Kind::gelu_tanh},
    {"quick_gelu", Kind::quick_gelu},
    {"quickgelu", Kind::quick_gelu},
    {"silu", Kind::silu},
    {"swish", Kind::silu},
    {"sigmoid", Kind::sigmoid},
    {"tanh", Kind::tanh},
}};

}  // namespace

Activation activation(std::string_view name) {
  std::string known;
  for (const auto& [entry, kind] : kNames) {
    if (entry == name) return kind;
    known += (known.empty() ? "" : ", ") + std::string(entry);
  }
  throw Error(Error::Kind::argument,
              "unknown activation \"" + std::string(name) + "\"; the known ones are " + known);
}

Activation star_relu(const Params& p) {
  const FloatBuffer scale = p.floats("scale", {1});
  const FloatBuffer bias = p.floats("bias", {1});
  return {Kind::star_relu, scale[0], bias[0]};
}

}  // namespace fovea::nn
