// SPDX-License-Identifier: Apache-2.0
// Normalisations, means and softmax. Sums are in double: rows of some thousand elements would lose
// three digits in single precision, and the time goes to memory anyway.
#include <cmath>

#include "src/backend/portable/portable_backend.h"

namespace fovea {
namespace {

constexpr int kChannelBlock = 64;

double sum(const float* x, int c) {
  double total = 0;
  for (int j = 0; j < c; ++j) total += x[j];
  return total;
}

double squared_distance(const float* x, int c, double mean) {
  double total = 0;
  for (int j = 0; j < c; ++j) total += (x[j] - mean) * (x[j] - mean);
  return total;
}

void scale_shift(const float* x, int c, double mean, double rstd, const NormParams& norm,
                 float* y) {
  for (int j = 0; j < c; ++j) {
    float value = static_cast<float>((x[j] - mean) * rstd);
    if (norm.weight != nullptr) value *= norm.weight[j];
    if (norm.bias != nullptr) value += norm.bias[j];
    y[j] = value;
  }
}

// The sum of term(first row, last row) over fixed ranges of rows, added in order: the same for any
// number of threads.
template <class Term>
double sum_of_ranges(Context& ctx, std::ptrdiff_t rows, const Term& term) {
  constexpr std::ptrdiff_t kRange = 32;
  const std::ptrdiff_t ranges = (rows + kRange - 1) / kRange;
  const Workspace::Scope scope(ctx.workspace());
  double* const parts = static_cast<double*>(
      ctx.workspace().bytes(static_cast<std::size_t>(ranges) * sizeof(double)));
  ctx.pool().parallel_for(ranges, [&](std::ptrdiff_t i, int) {
    parts[i] = term(i * kRange, std::min(rows, (i + 1) * kRange));
  });
  double total = 0;
  for (std::ptrdiff_t i = 0; i < ranges; ++i) total += parts[i];
  return total;
}

// Channel blocks of images, so that one image too occupies several threads:
// body(image, first channel, count).
template <class Body>
void parallel_channels(const Context& ctx, int n, int c, const Body& body) {
  const std::ptrdiff_t blocks = (c + kChannelBlock - 1) / kChannelBlock;
  ctx.pool().parallel_for(n * blocks, [&](std::ptrdiff_t i, int) {
    const int first = static_cast<int>(i % blocks) * kChannelBlock;
    body(static_cast<int>(i / blocks), first, std::min(kChannelBlock, c - first));
  });
}

}  // namespace

void softmax_row(const float* x, int c, float* y) {
  const float largest = *std::max_element(x, x + c);
  double total = 0;
  for (int j = 0; j < c; ++j) {
    y[j] = std::exp(x[j] - largest);
    total += y[j];
  }
  const float factor = static_cast<float>(1.0 / total);
  for (int j = 0; j < c; ++j) y[j] *= factor;
}

void PortableBackend::do_softmax(CMapF x, MapF y, Context& ctx) const {
  parallel_rows(ctx, x.rows(), x.c, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
    for (std::ptrdiff_t r = first; r < last; ++r) softmax_row(x.row(r), x.c, y.row(r));
  });
}

void PortableBackend::do_layer_norm(CMapF x, const NormParams& norm, MapF y, Context& ctx) const {
  parallel_rows(ctx, x.rows(), x.c, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
    for (std::ptrdiff_t r = first; r < last; ++r) {
      const double mean = sum(x.row(r), x.c) / x.c;
      const double variance = squared_distance(x.row(r), x.c, mean) / x.c;
      scale_shift(x.row(r), x.c, mean, 1.0 / std::sqrt(variance + norm.eps), norm, y.row(r));
    }
  });
}

void PortableBackend::do_group_norm(CMapF x, const NormParams& norm, MapF y, Context& ctx) const {
  for (int n = 0; n < x.n; ++n) {
    const CMapF in = x.image(n);
    const MapF out = y.image(n);
    const double count = static_cast<double>(in.rows()) * in.c;
    const auto total = [&](const auto& of_row) {
      return sum_of_ranges(ctx, in.rows(), [&](std::ptrdiff_t first, std::ptrdiff_t last) {
        double part = 0;
        for (std::ptrdiff_t r = first; r < last; ++r) part += of_row(in.row(r));
        return part;
      });
    };
    const double mean = total([&](const float* row) { return sum(row, in.c); }) / count;
    const double variance =
        total([&](const float* row) { return squared_distance(row, in.c, mean); }) / count;
    const double rstd = 1.0 / std::sqrt(variance + norm.eps);
    parallel_rows(ctx, in.rows(), in.c, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
      for (std::ptrdiff_t r = first; r < last; ++r) {
        scale_shift(in.row(r), in.c, mean, rstd, norm, out.row(r));
      }
    });
  }
}

void PortableBackend::do_grn(CMapF x, const NormParams& norm, MapF y, Context& ctx) const {
  const Workspace::Scope scope(ctx.workspace());
  const MapF factors = ctx.workspace().map(x.n, 1, 1, x.c);  // g, then 1 + weight g / (mean + eps)
  parallel_channels(ctx, x.n, x.c, [&](int n, int first, int count) {
    double squares[kChannelBlock] = {};
    const CMapF part = x.image(n).channels(first, count);
    for (std::ptrdiff_t r = 0; r < part.rows(); ++r) {
      const float* const row = part.row(r);
      for (int c = 0; c < count; ++c) squares[c] += static_cast<double>(row[c]) * row[c];
    }
    for (int c = 0; c < count; ++c) {
      factors.row(n)[first + c] = static_cast<float>(std::sqrt(squares[c]));
    }
  });
  for (int n = 0; n < x.n; ++n) {
    float* const g = factors.row(n);
    const double scale = 1.0 / (sum(g, x.c) / x.c + norm.eps);
    for (int c = 0; c < x.c; ++c) {
      const double weight = norm.weight != nullptr ? norm.weight[c] : 1.0;
      g[c] = static_cast<float>(1.0 + weight * g[c] * scale);
    }
  }
  const std::ptrdiff_t image_rows = x.image(0).rows();
  parallel_rows(ctx, x.rows(), x.c, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
    for (std::ptrdiff_t r = first; r < last; ++r) {
      const float* const in = x.row(r);
      const float* const factor = factors.row(r / image_rows);
      float* const out = y.row(r);
      for (int c = 0; c < x.c; ++c) {
        out[c] = in[c] * factor[c] + (norm.bias != nullptr ? norm.bias[c] : 0.0f);
      }
    }
  });
}

void PortableBackend::do_global_average(CMapF x, MapF y, Context& ctx) const {
  parallel_channels(ctx, x.n, x.c, [&](int n, int first, int count) {
    double sums[kChannelBlock] = {};
    const CMapF part = x.image(n).channels(first, count);
    for (std::ptrdiff_t r = 0; r < part.rows(); ++r) {
      const float* const row = part.row(r);
      for (int c = 0; c < count; ++c) sums[c] += row[c];
    }
    for (int c = 0; c < count; ++c) {
      y.row(n)[first + c] = static_cast<float>(sums[c] / static_cast<double>(part.rows()));
    }
  });
}

}  // namespace fovea
