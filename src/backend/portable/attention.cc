// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstring>

#include "src/backend/portable/portable_backend.h"
#include "src/backend/window_grid.h"

namespace fovea {
namespace {

// Divides the d elements of x by their norm, by 1e-12 at least.
void normalize(float* x, int d) {
  double squares = 0;
  for (int j = 0; j < d; ++j) squares += static_cast<double>(x[j]) * x[j];
  const double factor = 1.0 / std::max(std::sqrt(squares), 1e-12);
  for (int j = 0; j < d; ++j) x[j] = static_cast<float>(x[j] * factor);
}

// scores (rows, columns) + bias (rows, columns), then softmax; bias may be null.
void biased_softmax(float* scores, const float* bias, int rows, int columns) {
  for (int i = 0; i < rows; ++i) {
    float* const row = scores + static_cast<std::ptrdiff_t>(i) * columns;
    if (bias != nullptr) {
      const float* const row_bias = bias + static_cast<std::ptrdiff_t>(i) * columns;
      for (int j = 0; j < columns; ++j) row[j] += row_bias[j];
    }
    softmax_row(row, columns, row);
  }
}

// tokens (area, 3c) of one window, padding included; q and k normalised for cosine attention.
void gather_window(const CMapF& image, const WindowGrid& grid, int window, const WindowSpec& spec,
                   float* tokens) {
  const int c = image.c / 3;
  const int d = c / spec.heads;
  for (int t = 0; t < grid.area(); ++t, tokens += image.c) {
    const std::ptrdiff_t pixel = grid.pixel(window, t);
    const float* const row = pixel < 0 ? spec.pad_qkv : image.row(pixel);
    if (row != nullptr) {
      std::memcpy(tokens, row, sizeof(float) * image.c);
    } else {
      std::fill_n(tokens, image.c, 0.0f);
    }
    if (!spec.cosine) continue;
    for (int first = 0; first < 2 * c; first += d) normalize(tokens + first, d);
  }
}

void add_mask(const WindowGrid& grid, int window, float value, float* scores) {
  if (!grid.masked(window)) return;
  for (int i = 0; i < grid.area(); ++i) {
    for (int j = 0; j < grid.area(); ++j, ++scores) {
      if (grid.region(window, i) != grid.region(window, j)) *scores += value;
    }
  }
}

}  // namespace

void PortableBackend::do_attention(CMapF q, CMapF k, CMapF v, const AttentionSpec& spec, MapF y,
                                   Context& ctx) const {
  constexpr int kQueries = 64;
  const int d = q.c / spec.heads;
  const int blocks = (q.w + kQueries - 1) / kQueries;
  const Workspace::Scope scope(ctx.workspace());
  const SlotScratch scratch(ctx, static_cast<std::ptrdiff_t>(std::min(kQueries, q.w)) * k.w);

  const std::ptrdiff_t tasks = static_cast<std::ptrdiff_t>(q.n) * spec.heads * blocks;
  ctx.pool().parallel_for(tasks, [&](std::ptrdiff_t i, int slot) {
    const int first = static_cast<int>(i % blocks) * kQueries;
    const int head = static_cast<int>(i / blocks % spec.heads);
    const int n = static_cast<int>(i / blocks / spec.heads);
    const int queries = std::min(kQueries, q.w - first);
    const int c = head * d;
    float* const scores = scratch[slot];  // (queries, k.w)
    matmul(queries, k.w, d, spec.scale, q.pixel(n, 0, first) + c, q.ld, k.pixel(n, 0, 0) + c, k.ld,
           true, scores, k.w);
    const float* const bias =
        spec.bias == nullptr ? nullptr
                             : spec.bias + (static_cast<std::ptrdiff_t>(head) * q.w + first) * k.w;
    biased_softmax(scores, bias, queries, k.w);
    matmul(queries, d, k.w, 1.0f, scores, k.w, v.pixel(n, 0, 0) + c, v.ld, false,
           y.pixel(n, 0, first) + c, y.ld);
  });
}

void PortableBackend::do_window_attention(CMapF qkv, const WindowSpec& spec, MapF y,
                                          Context& ctx) const {
  const WindowGrid grid(y.h, y.w, spec);
  const int area = grid.area(), c = y.c, d = c / spec.heads;
  const std::ptrdiff_t scores_size = static_cast<std::ptrdiff_t>(area) * area;
  const Workspace::Scope scope(ctx.workspace());
  const SlotScratch gathered(ctx, static_cast<std::ptrdiff_t>(area) * qkv.c);
  const SlotScratch products(ctx, scores_size);
  const SlotScratch results(ctx, static_cast<std::ptrdiff_t>(area) * c);

  const std::ptrdiff_t tasks = static_cast<std::ptrdiff_t>(y.n) * grid.windows();
  ctx.pool().parallel_for(tasks, [&](std::ptrdiff_t i, int slot) {
    const int window = static_cast<int>(i % grid.windows());
    const int n = static_cast<int>(i / grid.windows());
    float* const tokens = gathered[slot];  // (area, 3c)
    float* const scores = products[slot];  // (area, area)
    float* const out = results[slot];      // (area, c)
    gather_window(qkv.image(n), grid, window, spec, tokens);
    for (int head = 0; head < spec.heads; ++head) {
      const float* const q = tokens + head * d;
      const float scale =
          spec.head_scale == nullptr ? spec.scale : spec.scale * spec.head_scale[head];
      matmul(area, area, d, scale, q, qkv.c, q + c, qkv.c, true, scores, area);
      add_mask(grid, window, spec.mask_value, scores);
      biased_softmax(scores, spec.bias == nullptr ? nullptr : spec.bias + head * scores_size, area,
                     area);
      matmul(area, d, area, 1.0f, scores, area, q + 2 * c, qkv.c, false, out + head * d, c);
    }
    for (int t = 0; t < area; ++t) {
      const std::ptrdiff_t pixel = grid.pixel(window, t);
      if (pixel < 0) continue;
      std::memcpy(y.image(n).row(pixel), out + static_cast<std::ptrdiff_t>(t) * c,
                  sizeof(float) * c);
    }
  });
}

}  // namespace fovea
