// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>

#include "fovea/backend/ops.h"

namespace fovea {

// An activation in the precision T, by the formulas of Activation::Kind.
template <class T>
T activate(const Activation& act, T x) {
  const auto sigmoid = [](T v) { return T(1) / (T(1) + std::exp(-v)); };
  switch (act.kind) {
    case Activation::Kind::none:
      return x;
    case Activation::Kind::relu:
      return std::max(x, T(0));
    case Activation::Kind::gelu:
      // 1 + erf(v) as erfc(-v): nothing cancels where x is far below zero.
      return T(0.5) * x * std::erfc(x * T(-0.70710678118654752440));
    case Activation::Kind::gelu_tanh: {
      const T inner = T(0.79788456080286535588) * (x + T(0.044715) * x * x * x);
      return T(0.5) * x * (T(1) + std::tanh(inner));
    }
    case Activation::Kind::quick_gelu:
      return x * sigmoid(T(1.702) * x);
    case Activation::Kind::silu:
      return x * sigmoid(x);
    case Activation::Kind::star_relu: {
      const T positive = std::max(x, T(0));
      return T(act.scale) * positive * positive + T(act.bias);
    }
    case Activation::Kind::sigmoid:
      return sigmoid(x);
    case Activation::Kind::tanh:
      return std::tanh(x);
  }
  return x;
}

}  // namespace fovea
