// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cmath>

#include "fovea/backend/sequence_ops.h"

namespace fovea {

// The features of a head of d channels.
inline int feature_count(const LinearAttentionSpec& spec, int d) {
  return spec.map == FeatureMap::performer ? spec.features : d;
}

// out (feature_count) = map(x + bias) of one head of one token; bias may be null.
inline void map_features(const LinearAttentionSpec& spec, const float* x, const float* bias, int d,
                         double* out) {
  const auto biased = [&](int j) {
    return static_cast<double>(x[j]) + (bias != nullptr ? bias[j] : 0.0);
  };
  if (spec.map == FeatureMap::performer) {
    double squares = 0.0;
    for (int j = 0; j < d; ++j) squares += biased(j) * biased(j);
    const float* w = spec.projection;
    for (int f = 0; f < spec.features; ++f, w += d) {
      double dot = 0.0;
      for (int j = 0; j < d; ++j) dot += w[j] * biased(j);
      out[f] = std::exp(dot - squares / 2) / std::sqrt(static_cast<double>(spec.features));
    }
    return;
  }
  for (int j = 0; j < d; ++j) out[j] = biased(j);
  switch (spec.map) {
    case FeatureMap::none:
    case FeatureMap::performer:  // above
      return;
    case FeatureMap::relu:
      for (int j = 0; j < d; ++j) out[j] = std::max(out[j], 0.0);
      return;
    case FeatureMap::elu_plus_one:
      for (int j = 0; j < d; ++j) out[j] = out[j] > 0.0 ? out[j] + 1.0 : std::exp(out[j]);
      return;
    case FeatureMap::exp:
      for (int j = 0; j < d; ++j) out[j] = std::exp(out[j]);
      return;
    case FeatureMap::focused: {
      double before = 0.0, after = 0.0;
      for (int j = 0; j < d; ++j) {
        const double positive = std::max(out[j], 0.0);
        out[j] = positive * positive * positive;
        before += positive * positive;
        after += out[j] * out[j];
      }
      const double length = after > 0.0 ? std::sqrt(before / after) : 0.0;
      for (int j = 0; j < d; ++j) out[j] *= length;
      return;
    }
  }
}

// out (d) = x rotated as token t; a copy without a table. T is the type of x and out.
template <class T>
void rotate_features(const RotarySpec& spec, std::ptrdiff_t t, const T* x, int d, T* out) {
  if (spec.cos == nullptr) {
    std::copy_n(x, d, out);
    return;
  }
  const float* const cos = spec.cos + t * d;
  const float* const sin = spec.sin + t * d;
  const int step = spec.interleaved ? 2 : 1, apart = spec.interleaved ? 1 : d / 2;
  for (int pair = 0; pair < d / 2; ++pair) {
    const int first = pair * step, second = first + apart;
    const T a = x[first], b = x[second];
    out[first] = a * static_cast<T>(cos[first]) - b * static_cast<T>(sin[first]);
    out[second] = b * static_cast<T>(cos[second]) + a * static_cast<T>(sin[second]);
  }
}

}  // namespace fovea
