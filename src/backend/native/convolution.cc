// SPDX-License-Identifier: Apache-2.0
// Convolutions: depthwise ones have a kernel; the others are products of gathered rows with the
// weight, or of the map itself where the kernel is 1 x 1.
#include "src/backend/float_packed.h"
#include "src/backend/im2col.h"
#include "src/backend/native/native_backend.h"
#include "src/backend/parallel.h"

namespace fovea {
namespace {

// Rows that are gathered and multiplied together, at most.
constexpr std::ptrdiff_t kGatheredRows = 64;

bool is_pointwise(const Packed& w) {
  const Conv2dSpec& s = w.conv;
  return w.kernel_h == 1 && w.kernel_w == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_h == 0 &&
         s.pad_w == 0;
}

}  // namespace

void NativeBackend::do_conv2d(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y,
                              Context& ctx) const {
  if (is_depthwise(w)) return depthwise(x, w, epilogue, y, ctx);
  if (is_pointwise(w) && w.conv.groups == 1) {
    return product(x.data, x.ld, x.rows(), float_values(w), w.in, w.out, epilogue, y, ctx);
  }
  dense(x, w, epilogue, y, ctx);
}

void NativeBackend::dense(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y,
                          Context& ctx) const {
  const int groups = w.conv.groups, group_in = w.in / groups, group_out = w.out / groups;
  const int k = w.kernel_h * w.kernel_w * group_in;
  const std::ptrdiff_t rows = y.rows();
  const EvenParts blocks(rows, kGatheredRows);
  const Workspace::Scope scope(ctx.workspace());
  if (groups == 1 && ctx.threads() > 1 && blocks.parts() < 2 * ctx.threads()) {
    // Few rows: gather them all, so that the product can be cut in columns too.
    float* const gathered = ctx.workspace().floats(static_cast<std::size_t>(rows * k));
    ctx.pool().parallel_for(rows, [&](std::ptrdiff_t row, int) {
      gather_rows(x, w, y, row, 1, 0, gathered + row * k);
    });
    return product(gathered, k, rows, float_values(w), k, w.out, epilogue, y, ctx);
  }
  const kernels::Epilogue e = kernel_epilogue(epilogue);
  const std::ptrdiff_t group_size = kernels_.packed_size(group_out, k);
  const SlotScratch gathered(ctx, blocks.largest() * k);
  ctx.pool().parallel_for(blocks.parts() * groups, [&](std::ptrdiff_t i, int slot) {
    const int group = static_cast<int>(i % groups);
    const std::ptrdiff_t row = blocks.begin(i / groups);
    const std::ptrdiff_t count = blocks.size(i / groups);
    const std::ptrdiff_t column = static_cast<std::ptrdiff_t>(group) * group_out;
    gather_rows(x, w, y, row, count, group, gathered[slot]);
    kernels_.gemm(gathered[slot], k, float_values(w) + group * group_size, y.row(row) + column,
                  y.ld, count, group_out, k, kernels::block_of(e, row, column));
  });
}

void NativeBackend::depthwise(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y,
                              Context& ctx) const {
  // Tasks are lines and channels of an image: small maps have few lines but many channels.
  constexpr int kLeastLines = 7;
  constexpr std::ptrdiff_t kLeastChannels = 32;
  const std::ptrdiff_t wanted = ctx.threads() == 1 ? 1 : ceil_div(4 * ctx.threads(), x.n);
  const std::ptrdiff_t line_parts =
      std::clamp<std::ptrdiff_t>(wanted, 1, ceil_div(y.h, kLeastLines));
  const std::ptrdiff_t most_channel_parts = ceil_div(y.c, kLeastChannels);
  const std::ptrdiff_t channels = round_up(
      ceil_div(y.c,
               std::clamp<std::ptrdiff_t>(ceil_div(wanted, line_parts), 1, most_channel_parts)),
      kLeastChannels);
  const std::ptrdiff_t channel_parts = ceil_div(y.c, channels);

  const Conv2dSpec& s = w.conv;
  const kernels::Epilogue e = kernel_epilogue(epilogue);
  const std::ptrdiff_t parts = line_parts * channel_parts;
  ctx.pool().parallel_for(x.n * parts, [&](std::ptrdiff_t i, int) {
    const int n = static_cast<int>(i / parts);
    const std::ptrdiff_t line_part = i % parts / channel_parts;
    const std::ptrdiff_t c = i % channel_parts * channels;
    const kernels::Window2d window{
        x.h,         x.w,        static_cast<int>(std::min(channels, y.c - c)),
        y.h,         y.w,        w.kernel_h,
        w.kernel_w,  s.stride_h, s.stride_w,
        s.pad_h,     s.pad_w,    s.dilation_h,
        s.dilation_w};
    kernels_.dwconv(x.pixel(n, 0, 0) + c, x.ld, float_values(w) + c, y.c, y.pixel(n, 0, 0) + c,
                    y.ld, window, static_cast<int>(line_part * y.h / line_parts),
                    static_cast<int>((line_part + 1) * y.h / line_parts),
                    kernels::block_of(e, static_cast<std::ptrdiff_t>(n) * y.h * y.w, c));
  });
}

}  // namespace fovea
