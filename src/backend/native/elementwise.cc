// SPDX-License-Identifier: Apache-2.0
// Norms, means, softmax, pooling and elementwise operators.
#include <cmath>

#include "src/backend/native/native_backend.h"
#include "src/backend/parallel.h"
#include "src/backend/patch_merge.h"

namespace fovea {
namespace {

// Sums over an image are cut here, whatever the threads: their order is part of the result.
constexpr std::ptrdiff_t kSummedRows = 64;
constexpr int kSummedChannels = 64;

// body(image, first row of it, count of rows)
template <class Body>
void parallel_image_rows(const Context& ctx, const CMapF& x, std::ptrdiff_t range,
                         const Body& body) {
  const std::ptrdiff_t rows = x.image(0).rows();
  const std::ptrdiff_t ranges = ceil_div(rows, range);
  ctx.pool().parallel_for(x.n * ranges, [&](std::ptrdiff_t i, int) {
    const std::ptrdiff_t first = i % ranges * range;
    body(static_cast<int>(i / ranges), first, std::min(range, rows - first));
  });
}

// body(image, first channel, count of channels)
template <class Body>
void parallel_channels(const Context& ctx, const CMapF& x, const Body& body) {
  const std::ptrdiff_t blocks = ceil_div(x.c, kSummedChannels);
  ctx.pool().parallel_for(x.n * blocks, [&](std::ptrdiff_t i, int) {
    const int first = static_cast<int>(i % blocks) * kSummedChannels;
    body(static_cast<int>(i / blocks), first, std::min(kSummedChannels, x.c - first));
  });
}

kernels::Window2d pool_window(const CMapF& x, const Pool2dSpec& s, const MapF& y) {
  return {x.h,        x.w,        x.c,     y.h,     y.w, s.kernel_h, s.kernel_w,
          s.stride_h, s.stride_w, s.pad_h, s.pad_w, 1,   1};
}

// scale and shift (n, 1, 1, c) of every image: y = x scale + shift.
struct Affine {
  MapF scale, shift;
  Affine(Context& ctx, const CMapF& x)
      : scale(ctx.workspace().map(x.n, 1, 1, x.c)), shift(ctx.workspace().map(x.n, 1, 1, x.c)) {}

  void apply(const kernels::KernelTable& k, const CMapF& x, const MapF& y,
             const Context& ctx) const {
    const std::ptrdiff_t range = std::max<std::ptrdiff_t>(1, 8192 / x.c);
    parallel_image_rows(ctx, x, range, [&](int n, std::ptrdiff_t first, std::ptrdiff_t count) {
      k.scale_shift(x.image(n).row(first), x.ld, y.image(n).row(first), y.ld, scale.row(n),
                    shift.row(n), count, x.c);
    });
  }
};

}  // namespace

void NativeBackend::do_layer_norm(CMapF x, const NormParams& norm, MapF y, Context& ctx) const {
  parallel_rows(ctx, x.rows(), x.c, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
    kernels_.layer_norm(x.row(first), x.ld, y.row(first), y.ld, norm.weight, norm.bias, norm.eps,
                        last - first, x.c);
  });
}

void NativeBackend::do_group_norm(CMapF x, const NormParams& norm, MapF y, Context& ctx) const {
  const std::ptrdiff_t rows = x.image(0).rows();
  const std::ptrdiff_t ranges = ceil_div(rows, kSummedRows);
  const Workspace::Scope scope(ctx.workspace());
  const Affine affine(ctx, x);
  double* const sums = static_cast<double*>(  // (n, ranges, 2)
      ctx.workspace().bytes(static_cast<std::size_t>(x.n * ranges) * 2 * sizeof(double)));
  parallel_image_rows(ctx, x, kSummedRows, [&](int n, std::ptrdiff_t first, std::ptrdiff_t count) {
    kernels_.moments(x.image(n).row(first), x.ld, count, x.c,
                     sums + 2 * (n * ranges + first / kSummedRows));
  });
  for (int n = 0; n < x.n; ++n) {
    double sum = 0;
    double squares = 0;
    for (std::ptrdiff_t i = n * ranges; i < (n + 1) * ranges; ++i) {
      sum += sums[2 * i];
      squares += sums[2 * i + 1];
    }
    const double count = static_cast<double>(rows) * x.c;
    const double mean = sum / count;
    const double variance = std::max(squares / count - mean * mean, 0.0);
    const double rstd = 1.0 / std::sqrt(variance + norm.eps);
    for (int c = 0; c < x.c; ++c) {
      const double scale = norm.weight != nullptr ? rstd * norm.weight[c] : rstd;
      const double bias = norm.bias != nullptr ? norm.bias[c] : 0.0;
      affine.scale.row(n)[c] = static_cast<float>(scale);
      affine.shift.row(n)[c] = static_cast<float>(bias - mean * scale);
    }
  }
  affine.apply(kernels_, x, y, ctx);
}

void NativeBackend::do_grn(CMapF x, const NormParams& norm, MapF y, Context& ctx) const {
  const Workspace::Scope scope(ctx.workspace());
  const Affine affine(ctx, x);
  double* const norms = static_cast<double*>(  // (n, c)
      ctx.workspace().bytes(static_cast<std::size_t>(x.n) * static_cast<std::size_t>(x.c) *
                            sizeof(double)));
  parallel_channels(ctx, x, [&](int n, int first, int count) {
    double* const part = norms + static_cast<std::ptrdiff_t>(n) * x.c + first;
    const CMapF image = x.image(n);
    kernels_.column_sum_squares(image.data + first, x.ld, image.rows(), count, part);
    for (int c = 0; c < count; ++c) part[c] = std::sqrt(part[c]);
  });
  for (int n = 0; n < x.n; ++n) {
    const double* const g = norms + static_cast<std::ptrdiff_t>(n) * x.c;
    double mean = 0;
    for (int c = 0; c < x.c; ++c) mean += g[c];
    mean /= x.c;
    for (int c = 0; c < x.c; ++c) {
      const double weight = norm.weight != nullptr ? norm.weight[c] : 1.0;
      affine.scale.row(n)[c] = static_cast<float>(1.0 + weight * g[c] / (mean + norm.eps));
      affine.shift.row(n)[c] = norm.bias != nullptr ? norm.bias[c] : 0.0f;
    }
  }
  affine.apply(kernels_, x, y, ctx);
}

void NativeBackend::do_apply(CMapF x, const Epilogue& epilogue, MapF y, Context& ctx) const {
  const kernels::Epilogue e = kernel_epilogue(epilogue);
  parallel_rows(ctx, x.rows(), x.c, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
    kernels_.epilogue_map(x.row(first), x.ld, y.row(first), y.ld, last - first, x.c,
                          kernels::block_of(e, first, 0));
  });
}

void NativeBackend::do_multiply(CMapF a, CMapF b, const Activation& act, MapF y,
                                Context& ctx) const {
  if (act.kind == Activation::Kind::none) {
    return parallel_rows(ctx, a.rows(), a.c, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
      kernels_.multiply(a.row(first), a.ld, b.row(first), b.ld, y.row(first), y.ld, last - first,
                        a.c);
    });
  }
  // The gates of a few rows at a time, in L1.
  const Epilogue activation{.act = act};
  const kernels::Epilogue e = kernel_epilogue(activation);
  const std::ptrdiff_t range = std::max<std::ptrdiff_t>(1, 2048 / a.c);
  const Workspace::Scope scope(ctx.workspace());
  const SlotScratch gates(ctx, range * a.c);
  ctx.pool().parallel_for(ceil_div(a.rows(), range), [&](std::ptrdiff_t i, int slot) {
    const std::ptrdiff_t row = i * range, count = std::min(range, a.rows() - row);
    float* const gate = gates[slot];
    kernels_.epilogue_map(b.row(row), b.ld, gate, a.c, count, a.c, e);
    kernels_.multiply(a.row(row), a.ld, gate, a.c, y.row(row), y.ld, count, a.c);
  });
}

void NativeBackend::do_softmax(CMapF x, MapF y, Context& ctx) const {
  parallel_rows(ctx, x.rows(), x.c, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
    kernels_.softmax(x.row(first), x.ld, y.row(first), y.ld, last - first, x.c);
  });
}

void NativeBackend::do_pool2d(CMapF x, const Pool2dSpec& spec, MapF y, Context& ctx) const {
  const kernels::Window2d window = pool_window(x, spec, y);
  parallel_lines(ctx, y.n, y.h, 1, [&](int n, int first, int last) {
    const float* const in = x.pixel(n, 0, 0);
    float* const out = y.pixel(n, 0, 0);
    if (spec.kind == Pool2dSpec::Kind::max) {
      kernels_.max_pool(in, x.ld, out, y.ld, window, first, last);
    } else {
      kernels_.average_pool(in, x.ld, out, y.ld, window, spec.count_include_pad, first, last);
    }
  });
}

void NativeBackend::do_pooling(CMapF x, int k, const Epilogue& epilogue, MapF y,
                               Context& ctx) const {
  const kernels::Epilogue e = kernel_epilogue(epilogue);
  parallel_lines(ctx, y.n, y.h, 1, [&](int n, int first, int last) {
    kernels_.pool_mix(x.pixel(n, 0, 0), x.ld, y.pixel(n, 0, 0), y.ld, x.h, x.w, x.c, k, first, last,
                      kernels::block_of(e, static_cast<std::ptrdiff_t>(n) * y.h * y.w, 0));
  });
}

void NativeBackend::do_global_average(CMapF x, MapF y, Context& ctx) const {
  parallel_channels(ctx, x, [&](int n, int first, int count) {
    const CMapF image = x.image(n);
    kernels_.column_mean(image.data + first, x.ld, image.rows(), count, y.row(n) + first);
  });
}

void NativeBackend::do_patch_merge(CMapF x, MapF y, Context& ctx) const {
  merge_patches(x, y, ctx);
}

}  // namespace fovea
