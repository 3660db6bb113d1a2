// SPDX-License-Identifier: Apache-2.0
// Layers in double, one number at a time: what tests of blocks put together by the formulas of
// their headers.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include "tests/nn/blocks.h"

namespace fovea::test {

using Row = std::vector<double>;
using Rows = std::vector<Row>;  // the tokens of one image, line by line

inline Rows rows_of(CMapF image) {
  Rows rows;
  for (std::ptrdiff_t r = 0; r < image.rows(); ++r) {
    rows.emplace_back(image.row(r), image.row(r) + image.c);
  }
  return rows;
}

inline TestMap map_of(const Rows& rows, int h, int w) {
  TestMap map(1, h, w, static_cast<int>(rows[0].size()), 0);
  for (std::size_t r = 0; r < rows.size(); ++r) {
    for (std::size_t c = 0; c < rows[r].size(); ++c) {
      map.map().row(static_cast<std::ptrdiff_t>(r))[c] = static_cast<float>(rows[r][c]);
    }
  }
  return map;
}

inline double silu(double x) { return x / (1 + std::exp(-x)); }
inline double sigmoid(double x) { return 1 / (1 + std::exp(-x)); }
inline double softplus(double x) { return std::log1p(std::exp(x)); }
inline double gelu(double x) { return 0.5 * x * std::erfc(-x / std::sqrt(2.0)); }

template <class F>
Rows each(Rows rows, const F& f) {
  for (Row& row : rows) {
    for (double& v : row) v = f(v);
  }
  return rows;
}

template <class F>
Rows pairs(Rows a, const Rows& b, const F& f) {
  for (std::size_t r = 0; r < a.size(); ++r) {
    for (std::size_t c = 0; c < a[r].size(); ++c) a[r][c] = f(a[r][c], b[r][c]);
  }
  return a;
}

// Channels first .. first + count.
inline Rows part(const Rows& rows, std::size_t first, std::size_t count) {
  Rows result;
  for (const Row& row : rows) {
    const auto begin = row.begin() + static_cast<std::ptrdiff_t>(first);
    result.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(count));
  }
  return result;
}

// Layers with the weights of a source, by their paths.
class Formulas {
 public:
  explicit Formulas(const ListedSource& source) : source_(source) {}

  Row numbers(const std::string& name) const {
    const FloatBuffer values = source_.load(name).to_floats();
    return {values.begin(), values.end()};
  }
  bool has(const std::string& name) const { return source_.find(name) != nullptr; }

  Rows linear(const Rows& x, const std::string& path) const {
    const Row w = numbers(path + ".weight");
    const std::size_t in = x[0].size(), out = w.size() / in;
    const Row bias = has(path + ".bias") ? numbers(path + ".bias") : Row(out, 0.0);
    Rows y(x.size(), bias);
    for (std::size_t r = 0; r < x.size(); ++r) {
      for (std::size_t o = 0; o < out; ++o) {
        for (std::size_t i = 0; i < in; ++i) y[r][o] += w[o * in + i] * x[r][i];
      }
    }
    return y;
  }

  // A kernel of k x k over a map of w columns, zeros outside.
  Rows depthwise(const Rows& x, int w, int k, const std::string& path) const {
    const Row weight = numbers(path + ".weight");
    const int h = static_cast<int>(x.size()) / w;
    Rows y(x.size(), numbers(path + ".bias"));
    for (int token = 0; token < h * w; ++token) {
      for (int tap = 0; tap < k * k; ++tap) {
        const int iy = token / w + tap / k - k / 2, ix = token % w + tap % k - k / 2;
        if (iy < 0 || iy >= h || ix < 0 || ix >= w) continue;
        for (std::size_t c = 0; c < x[0].size(); ++c) {
          y[index(token)][c] += weight[c * index(k * k) + index(tap)] * x[index(iy * w + ix)][c];
        }
      }
    }
    return y;
  }

  Rows layer_norm(Rows x, const std::string& path, double eps) const {
    const Row weight = numbers(path + ".weight"), bias = numbers(path + ".bias");
    for (Row& row : x) {
      double mean = 0, variance = 0;
      for (const double v : row) mean += v / static_cast<double>(row.size());
      for (const double v : row)
        variance += (v - mean) * (v - mean) / static_cast<double>(row.size());
      for (std::size_t c = 0; c < row.size(); ++c) {
        row[c] = (row[c] - mean) / std::sqrt(variance + eps) * weight[c] + bias[c];
      }
    }
    return x;
  }

  // Over groups of as many channels as the weight has.
  Rows rms_norm(Rows x, const std::string& path, double eps) const {
    const Row weight = numbers(path + ".weight");
    for (Row& row : x) {
      for (std::size_t first = 0; first < row.size(); first += weight.size()) {
        double squares = 0;
        for (std::size_t c = 0; c < weight.size(); ++c) squares += row[first + c] * row[first + c];
        const double rms = std::sqrt(squares / static_cast<double>(weight.size()) + eps);
        for (std::size_t c = 0; c < weight.size(); ++c) row[first + c] *= weight[c] / rms;
      }
    }
    return x;
  }

 private:
  static std::size_t index(int i) { return static_cast<std::size_t>(i); }
  const ListedSource& source_;
};

// build(Params)'s forward(x, y) on every backend against `wanted`.
template <class Build, class Run>
void expect_formula(const Build& build, const ListedSource& source, const Run& run,
                    const TestMap& wanted, double bound) {
  for (const std::string_view name : backend_names()) {
    const auto backend = make_backend(name);
    const auto block = build_with(build, source, *backend);
    const TestMap y(wanted.map().n, wanted.map().h, wanted.map().w, wanted.map().c, 2, 9);
    Context ctx(2);
    run(block, y.map(), ctx);
    expect_close(y, wanted, bound, std::string(name));
    EXPECT_TRUE(y.gaps_intact());
  }
}

}  // namespace fovea::test
