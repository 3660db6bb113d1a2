// SPDX-License-Identifier: Apache-2.0
// Linear layers and convolutions.
#include "src/backend/portable/portable_backend.h"

#include "src/backend/float_packed.h"
#include "src/backend/im2col.h"

namespace fovea {
namespace {

// The tile of the output that one task computes. Wide enough for a product to be worth its call,
// small enough for the last stage's 49 rows to occupy several threads.
constexpr int kTileRows = 64;
constexpr int kTileColumns = 256;

}  // namespace

std::unique_ptr<Packed> PortableBackend::do_pack_linear(const Tensor& w, const PackTools&) const {
  return std::make_unique<FloatPacked>(w.to_floats());
}

// (out, kernel_h kernel_w, group_in): a pixel's channels stay together. Depthwise
// (kernel_h kernel_w, channels).
std::unique_ptr<Packed> PortableBackend::do_pack_conv2d(const Tensor& w, const Conv2dSpec& spec,
                                                        const PackTools&) const {
  const std::ptrdiff_t out = w.shape()[0], group_in = w.shape()[1];
  const std::ptrdiff_t positions = w.shape()[2] * w.shape()[3];
  const bool depthwise = group_in == 1 && spec.groups == out;
  return std::make_unique<FloatPacked>(
      depthwise ? positions_outside(w.to_floats(), 1, out, positions)
                : positions_outside(w.to_floats(), out, group_in, positions));
}

void PortableBackend::do_linear(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y,
                                Context& ctx) const {
  const float* const weight = float_values(w);  // (out, in)
  const std::ptrdiff_t rows = x.rows();
  const std::ptrdiff_t across = (w.out + kTileColumns - 1) / kTileColumns;
  const std::ptrdiff_t down = (rows + kTileRows - 1) / kTileRows;
  const Workspace::Scope scope(ctx.workspace());
  const SlotScratch tiles(ctx, kTileRows * std::min(w.out, kTileColumns));

  ctx.pool().parallel_for(down * across, [&](std::ptrdiff_t i, int slot) {
    const std::ptrdiff_t row = i / across * kTileRows;
    const int column = static_cast<int>(i % across) * kTileColumns;
    const int m = static_cast<int>(std::min<std::ptrdiff_t>(kTileRows, rows - row));
    const int n = std::min(kTileColumns, w.out - column);
    float* const tile = tiles[slot];
    matmul(m, n, w.in, 1.0f, x.row(row), x.ld, weight + static_cast<std::ptrdiff_t>(column) * w.in,
           w.in, true, tile, n);
    for (int r = 0; r < m; ++r) {
      finish_row(tile + r * n, epilogue, row + r, column, n, y.row(row + r) + column);
    }
  });
}

void PortableBackend::do_conv2d(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y,
                                Context& ctx) const {
  if (is_depthwise(w)) return depthwise(x, w, epilogue, y, ctx);
  const float* const weight = float_values(w);
  const int groups = w.conv.groups, group_out = w.out / groups;
  const int k = w.kernel_h * w.kernel_w * (w.in / groups);
  const std::ptrdiff_t rows = y.rows();
  const std::ptrdiff_t down = (rows + kTileRows - 1) / kTileRows;
  const Workspace::Scope scope(ctx.workspace());
  const SlotScratch columns(ctx, static_cast<std::ptrdiff_t>(kTileRows) * k);
  const SlotScratch tiles(ctx, kTileRows * std::min(group_out, kTileColumns));

  ctx.pool().parallel_for(down * groups, [&](std::ptrdiff_t i, int slot) {
    const int group = static_cast<int>(i % groups);
    const std::ptrdiff_t row = i / groups * kTileRows;
    const int m = static_cast<int>(std::min<std::ptrdiff_t>(kTileRows, rows - row));
    float* const tile = tiles[slot];
    gather_rows(x, w, y, row, m, group, columns[slot]);
    for (int first = 0; first < group_out; first += kTileColumns) {
      const int column = group * group_out + first;
      const int n = std::min(kTileColumns, group_out - first);
      matmul(m, n, k, 1.0f, columns[slot], k, weight + static_cast<std::ptrdiff_t>(column) * k, k,
             true, tile, n);
      for (int r = 0; r < m; ++r) {
        finish_row(tile + r * n, epilogue, row + r, column, n, y.row(row + r) + column);
      }
    }
  });
}

void PortableBackend::depthwise(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y,
                                Context& ctx) const {
  const float* const weight = float_values(w);  // (kernel_h, kernel_w, c)
  const Conv2dSpec& s = w.conv;
  const Workspace::Scope scope(ctx.workspace());
  const SlotScratch sums(ctx, y.c);

  ctx.pool().parallel_for(static_cast<std::ptrdiff_t>(y.n) * y.h, [&](std::ptrdiff_t i, int slot) {
    const int n = static_cast<int>(i / y.h), oy = static_cast<int>(i % y.h);
    float* const acc = sums[slot];
    for (int ox = 0; ox < y.w; ++ox) {
      std::fill_n(acc, y.c, 0.0f);
      for (int ky = 0; ky < w.kernel_h; ++ky) {
        const int iy = oy * s.stride_h - s.pad_h + ky * s.dilation_h;
        if (iy < 0 || iy >= x.h) continue;
        for (int kx = 0; kx < w.kernel_w; ++kx) {
          const int ix = ox * s.stride_w - s.pad_w + kx * s.dilation_w;
          if (ix < 0 || ix >= x.w) continue;
          const float* const in = x.pixel(n, iy, ix);
          const float* const factor =
              weight + (static_cast<std::ptrdiff_t>(ky) * w.kernel_w + kx) * y.c;
          for (int c = 0; c < y.c; ++c) acc[c] += in[c] * factor[c];
        }
      }
      finish_row(acc, epilogue, i * y.w + ox, 0, y.c, y.pixel(n, oy, ox));
    }
  });
}

}  // namespace fovea
