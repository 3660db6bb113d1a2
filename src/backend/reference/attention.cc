// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <vector>

#include "src/backend/reference/reference_backend.h"
#include "src/backend/window_grid.h"

namespace fovea {
namespace {

double dot(const float* a, const float* b, int d) {
  double sum = 0;
  for (int i = 0; i < d; ++i) sum += static_cast<double>(a[i]) * b[i];
  return sum;
}

// The cosine of two vectors; a vector shorter than 1e-12 counts as that long.
double cosine(const float* a, const float* b, int d) {
  constexpr double kShortest = 1e-12;
  return dot(a, b, d) / std::max(std::sqrt(dot(a, a, d)), kShortest) /
         std::max(std::sqrt(dot(b, b, d)), kShortest);
}

void softmax_in_place(std::vector<double>& scores) {
  const double largest = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (double& score : scores) {
    score = std::exp(score - largest);
    sum += score;
  }
  for (double& score : scores) score /= sum;
}

}  // namespace

void ReferenceBackend::do_attention(CMapF q, CMapF k, CMapF v, const AttentionSpec& spec, MapF y,
                                    Context&) const {
  const int d = q.c / spec.heads;
  std::vector<double> p(static_cast<std::size_t>(k.w));  // one row of softmax(scores)
  for (int n = 0; n < q.n; ++n) {
    for (int head = 0; head < spec.heads; ++head) {
      const int first = head * d;
      for (int i = 0; i < q.w; ++i) {
        for (int j = 0; j < k.w; ++j) {
          p[j] = spec.scale * dot(q.pixel(n, 0, i) + first, k.pixel(n, 0, j) + first, d);
          if (spec.bias != nullptr) {
            p[j] += spec.bias[(static_cast<std::ptrdiff_t>(head) * q.w + i) * k.w + j];
          }
        }
        softmax_in_place(p);
        for (int c = first; c < first + d; ++c) {
          double sum = 0;
          for (int j = 0; j < k.w; ++j) sum += p[j] * v.pixel(n, 0, j)[c];
          y.pixel(n, 0, i)[c] = static_cast<float>(sum);
        }
      }
    }
  }
}

void ReferenceBackend::do_window_attention(CMapF qkv, const WindowSpec& spec, MapF y,
                                           Context&) const {
  const int d = y.c / spec.heads;
  const WindowGrid grid(y.h, y.w, spec);
  const std::vector<float> zeros(static_cast<std::size_t>(qkv.c));
  const float* const padding = spec.pad_qkv != nullptr ? spec.pad_qkv : zeros.data();
  std::vector<double> p(static_cast<std::size_t>(grid.area()));

  for (int n = 0; n < y.n; ++n) {
    for (int window = 0; window < grid.windows(); ++window) {
      const auto row = [&](int token) {
        const std::ptrdiff_t pixel = grid.pixel(window, token);
        return pixel < 0 ? padding : qkv.image(n).row(pixel);
      };
      for (int head = 0; head < spec.heads; ++head) {
        const int q = head * d, k = y.c + head * d, v = 2 * y.c + head * d;  // first channels
        const double factor =
            spec.scale * (spec.head_scale != nullptr ? double{spec.head_scale[head]} : 1.0);
        for (int i = 0; i < grid.area(); ++i) {
          if (grid.pixel(window, i) < 0) continue;  // nobody wants the output of padding
          for (int j = 0; j < grid.area(); ++j) {
            p[j] = factor * (spec.cosine ? cosine : dot)(row(i) + q, row(j) + k, d);
            if (spec.bias != nullptr) {
              const std::ptrdiff_t line = static_cast<std::ptrdiff_t>(head) * grid.area() + i;
              p[j] += spec.bias[line * grid.area() + j];
            }
            if (grid.region(window, i) != grid.region(window, j)) p[j] += spec.mask_value;
          }
          softmax_in_place(p);
          for (int c = 0; c < d; ++c) {
            double sum = 0;
            for (int j = 0; j < grid.area(); ++j) sum += p[j] * row(j)[v + c];
            y.image(n).row(grid.pixel(window, i))[q + c] = static_cast<float>(sum);
          }
        }
      }
    }
  }
}

}  // namespace fovea
