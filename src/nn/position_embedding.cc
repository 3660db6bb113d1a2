// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/position_embedding.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

namespace fovea::nn {
namespace {

// Keys' cubic convolution kernel. torch takes a = -0.5 when it antialiases, else a = -0.75.
double cubic(double x, double a) {
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return ((x - 5.0) * x + 8.0) * x * a - 4.0 * a;
  return 0.0;
}

// The inputs that one output is a sum of.
struct Taps {
  int first = 0;
  std::vector<double> weights;
};

// Of every output along one axis. When the axis shrinks, the kernel widens by the same ratio.
std::vector<Taps> make_taps(int in, int out) {
  const double ratio = static_cast<double>(in) / out;
  const double stretch = std::max(ratio, 1.0);
  const double support = 2.0 * stretch;
  std::vector<Taps> taps(static_cast<std::size_t>(out));
  for (int i = 0; i < out; ++i) {
    Taps& t = taps[static_cast<std::size_t>(i)];
    const double center = ratio * (i + 0.5);
    t.first = std::max(static_cast<int>(center - support + 0.5), 0);
    const int last = std::min(static_cast<int>(center + support + 0.5), in);
    double sum = 0.0;
    for (int j = t.first; j < last; ++j) {
      t.weights.push_back(cubic((j - center + 0.5) / stretch, -0.5));
      sum += t.weights.back();
    }
    for (double& w : t.weights) w /= sum;
  }
  return taps;
}

// The same without antialiasing: four inputs, however the axis shrinks. The outermost ones repeat
// beyond the edges.
struct PlainTaps {
  PlainTaps(int in, int out, int i) {
    const double center = static_cast<double>(in) / out * (i + 0.5) - 0.5;
    const double below = std::floor(center);
    for (int j = 0; j < 4; ++j) {
      const int at = static_cast<int>(below) + j - 1;
      input[j] = std::clamp(at, 0, in - 1);
      weight[j] = cubic(at - center, -0.75);
    }
  }
  int input[4];
  double weight[4];
};

// A sum of n terms 1 + q + q^2 + ...
double geometric_sum(double q, int n) { return (1.0 - std::pow(q, n)) / (1.0 - q); }

// The offsets -(window - 1) .. window - 1 of the trained window, spread so that the outermost comes
// to lie at new_window - 1. The ratio is found by bisection between 1.01 and 1.5.
std::vector<double> spread_offsets(int window, int new_window) {
  double left = 1.01, right = 1.5, q = left;
  while (right - left > 1e-6) {
    q = (left + right) / 2.0;
    (geometric_sum(q, window - 1) > new_window - 1 ? right : left) = q;
  }
  std::vector<double> offsets(2 * static_cast<std::size_t>(window) - 1);
  double offset = 0.0;
  const std::size_t middle = offsets.size() / 2;
  for (std::size_t i = 1; i <= middle; ++i) {
    offset += std::pow(q, static_cast<int>(i) - 1);
    offsets[middle + i] = offset;
    offsets[middle - i] = -offset;
  }
  return offsets;
}

// Linear interpolation at -(new_window - 1) .. new_window - 1 of values known at `offsets`.
std::vector<Taps> linear_taps(const std::vector<double>& offsets, int new_window) {
  std::vector<Taps> taps;
  for (int i = 1 - new_window; i < new_window; ++i) {
    const double x = std::clamp(static_cast<double>(i), offsets.front(), offsets.back());
    const auto right = std::lower_bound(offsets.begin() + 1, offsets.end() - 1, x);
    const double t = offsets.size() < 2 ? 0.0 : (x - right[-1]) / (right[0] - right[-1]);
    taps.push_back({static_cast<int>(right - offsets.begin()) - 1, {1.0 - t, t}});
  }
  return taps;
}

FloatBuffer rounded(const std::vector<double>& values) {
  FloatBuffer y(values.size());
  std::transform(values.begin(), values.end(), y.begin(),
                 [](double v) { return static_cast<float>(v); });
  return y;
}

// The middle axis of (outer, in, inner) to (outer, taps.size(), inner).
template <class T>
std::vector<double> resize_axis(const T* x, std::size_t outer, std::size_t in, std::size_t inner,
                                const std::vector<Taps>& taps) {
  std::vector<double> y(outer * taps.size() * inner);
  for (std::size_t o = 0; o < outer; ++o) {
    for (std::size_t i = 0; i < taps.size(); ++i) {
      double* row = y.data() + (o * taps.size() + i) * inner;
      for (std::size_t j = 0; j < taps[i].weights.size(); ++j) {
        const T* source = x + (o * in + static_cast<std::size_t>(taps[i].first) + j) * inner;
        for (std::size_t k = 0; k < inner; ++k) row[k] += taps[i].weights[j] * source[k];
      }
    }
  }
  return y;
}

}  // namespace

FloatBuffer resize_grid(const float* grid, int h, int w, int c, int new_h, int new_w,
                        bool antialias) {
  const auto size = [](int n) { return static_cast<std::size_t>(n); };
  if (!antialias) {
    FloatBuffer y(size(new_h) * size(new_w) * size(c));
    resize_grid_plain(grid, h, w, c, new_h, new_w, y.data());
    return y;
  }
  const std::vector<double> wide =
      resize_axis(grid, size(h), size(w), size(c), make_taps(w, new_w));
  return rounded(resize_axis(wide.data(), 1, size(h), size(new_w) * size(c), make_taps(h, new_h)));
}

void resize_grid_plain(const float* grid, int h, int w, int c, int new_h, int new_w, float* out) {
  for (int y = 0; y < new_h; ++y) {
    const PlainTaps down(h, new_h, y);
    for (int x = 0; x < new_w; ++x, out += c) {
      const PlainTaps across(w, new_w, x);
      for (int k = 0; k < c; ++k) {
        double sum = 0.0;
        for (int i = 0; i < 4; ++i) {
          const float* const row = grid + static_cast<std::ptrdiff_t>(down.input[i]) * w * c + k;
          double part = 0.0;
          for (int j = 0; j < 4; ++j) {
            part += across.weight[j] *
                    static_cast<double>(row[static_cast<std::ptrdiff_t>(across.input[j]) * c]);
          }
          sum += down.weight[i] * part;
        }
        out[k] = static_cast<float>(sum);
      }
    }
  }
}

FloatBuffer resize_bias_table(const float* table, int window, int heads, int new_h, int new_w) {
  const std::size_t side = 2 * static_cast<std::size_t>(window) - 1;
  const std::vector<Taps> across = linear_taps(spread_offsets(window, new_w), new_w);
  const std::vector<Taps> down = linear_taps(spread_offsets(window, new_h), new_h);
  const std::size_t c = static_cast<std::size_t>(heads);
  const std::vector<double> wide = resize_axis(table, side, side, c, across);
  return rounded(resize_axis(wide.data(), 1, side, across.size() * c, down));
}

}  // namespace fovea::nn
