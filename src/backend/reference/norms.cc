// SPDX-License-Identifier: Apache-2.0
// Normalisations and softmax.
#include <algorithm>
#include <cmath>
#include <vector>

#include "src/backend/reference/reference_backend.h"

namespace fovea {
namespace {

// Mean and variance over all elements of x.
struct Moments {
  double mean = 0, variance = 0;
};
Moments moments(const CMapF& x) {
  const double count = static_cast<double>(x.rows()) * x.c;
  Moments m;
  for (std::ptrdiff_t r = 0; r < x.rows(); ++r) {
    for (int c = 0; c < x.c; ++c) m.mean += x.row(r)[c];
  }
  m.mean /= count;
  for (std::ptrdiff_t r = 0; r < x.rows(); ++r) {
    for (int c = 0; c < x.c; ++c) {
      const double difference = x.row(r)[c] - m.mean;
      m.variance += difference * difference;
    }
  }
  m.variance /= count;
  return m;
}

double weight_at(const NormParams& norm, int c) {
  return norm.weight != nullptr ? norm.weight[c] : 1.0;
}

double bias_at(const NormParams& norm, int c) { return norm.bias != nullptr ? norm.bias[c] : 0.0; }

// All elements of x by the same mean and variance.
void normalize(const CMapF& x, const NormParams& norm, const MapF& y) {
  const Moments m = moments(x);
  for (std::ptrdiff_t r = 0; r < x.rows(); ++r) {
    for (int c = 0; c < x.c; ++c) {
      const double unit = (x.row(r)[c] - m.mean) / std::sqrt(m.variance + norm.eps);
      y.row(r)[c] = static_cast<float>(unit * weight_at(norm, c) + bias_at(norm, c));
    }
  }
}

}  // namespace

void ReferenceBackend::do_layer_norm(CMapF x, const NormParams& norm, MapF y, Context&) const {
  for (std::ptrdiff_t r = 0; r < x.rows(); ++r) {
    normalize(x.row_range(r, 1), norm, y.row_range(r, 1));
  }
}

void ReferenceBackend::do_group_norm(CMapF x, const NormParams& norm, MapF y, Context&) const {
  for (int n = 0; n < x.n; ++n) normalize(x.image(n), norm, y.image(n));
}

void ReferenceBackend::do_grn(CMapF x, const NormParams& norm, MapF y, Context&) const {
  for (int n = 0; n < x.n; ++n) {
    const CMapF image = x.image(n);
    std::vector<double> g(static_cast<std::size_t>(x.c));  // (c)
    double mean = 0;
    for (int c = 0; c < x.c; ++c) {
      double squares = 0;
      for (std::ptrdiff_t r = 0; r < image.rows(); ++r) {
        squares += static_cast<double>(image.row(r)[c]) * image.row(r)[c];
      }
      g[c] = std::sqrt(squares);
      mean += g[c] / x.c;
    }
    for (std::ptrdiff_t r = 0; r < image.rows(); ++r) {
      for (int c = 0; c < x.c; ++c) {
        const double value = image.row(r)[c];
        const double response = value * g[c] / (mean + norm.eps);
        y.image(n).row(r)[c] =
            static_cast<float>(value + weight_at(norm, c) * response + bias_at(norm, c));
      }
    }
  }
}

void ReferenceBackend::do_softmax(CMapF x, MapF y, Context&) const {
  for (std::ptrdiff_t r = 0; r < x.rows(); ++r) {
    const double largest = *std::max_element(x.row(r), x.row(r) + x.c);
    double sum = 0;
    for (int c = 0; c < x.c; ++c) sum += std::exp(x.row(r)[c] - largest);
    for (int c = 0; c < x.c; ++c) {
      y.row(r)[c] = static_cast<float>(std::exp(x.row(r)[c] - largest) / sum);
    }
  }
}

}  // namespace fovea
