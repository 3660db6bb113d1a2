// SPDX-License-Identifier: Apache-2.0
// Convolutions: depthwise ones have a kernel; the others are products with the weight, of the map
// itself where the kernel is 1 x 1, else of rows made of pieces of the map, read where they lie.
#include "src/backend/float_packed.h"
#include "src/backend/im2col.h"
#include "src/backend/native/native_backend.h"
#include "src/backend/parallel.h"

namespace fovea {
namespace {

// Rows that are multiplied together, at most.
constexpr std::ptrdiff_t kBlockRows = 64;

bool is_pointwise(const Packed& w) {
  const Conv2dSpec& s = w.conv;
  return w.kernel_h == 1 && w.kernel_w == 1 && s.stride_h == 1 && s.stride_w == 1 && s.pad_h == 0 &&
         s.pad_w == 0;
}

// How many neighbouring pixels under the kernel one piece holds: a line of the kernel where these
// lie side by side, else one; 0 where so short a piece costs more than copying it.
int piece_pixels(const CMapF& x, const Packed& w) {
  constexpr int kLeast = 8;  // floats
  const int group_in = w.in / w.conv.groups;
  const bool side_by_side = w.conv.groups == 1 && w.conv.dilation_w == 1 && x.ld == w.in;
  const int pixels = side_by_side ? w.kernel_w : 1;
  return pixels * group_in >= kLeast ? pixels : 0;
}

// Where the pieces of a block of rows lie, as gemm_indirect wants them.
class RowPieces {
 public:
  RowPieces(const CMapF& x, const Packed& w, const MapF& y, int pixels, const float* zeros)
      : x_(x),
        w_(w),
        y_(y),
        pixels_(pixels),
        depth_(pixels * (w.in / w.conv.groups)),
        zeros_(zeros) {}

  int depth() const { return depth_; }
  int count() const { return w_.kernel_h * (w_.kernel_w / pixels_); }

  // Rows first .. first + rows; pieces that cross a border of the map are copied to `copies`, which
  // holds count() * rows pieces.
  void point(std::ptrdiff_t first, std::ptrdiff_t rows, int group, float* copies,
             const float** pieces) const {
    for (std::ptrdiff_t i = 0; i < rows; ++i) {
      const std::ptrdiff_t row = first + i;
      const int n = static_cast<int>(row / y_.w / y_.h), oy = static_cast<int>(row / y_.w % y_.h),
                ox = static_cast<int>(row % y_.w);
      const float** to = pieces + i;
      const Conv2dSpec& s = w_.conv;
      for (int ky = 0; ky < w_.kernel_h; ++ky) {
        const int iy = oy * s.stride_h - s.pad_h + ky * s.dilation_h;
        for (int kx = 0; kx < w_.kernel_w; kx += pixels_, to += rows, copies += depth_) {
          const int ix = ox * s.stride_w - s.pad_w + kx * s.dilation_w;
          *to = piece(n, iy, ix, group, copies);
        }
      }
    }
  }

 private:
  const float* piece(int n, int iy, int ix, int group, float* copy) const {
    if (iy < 0 || iy >= x_.h || ix >= x_.w || ix + pixels_ <= 0) return zeros_;
    const std::ptrdiff_t channel = static_cast<std::ptrdiff_t>(group) * (w_.in / w_.conv.groups);
    if (ix >= 0 && ix + pixels_ <= x_.w) return x_.pixel(n, iy, ix) + channel;
    const int begin = std::max(0, -ix), end = std::min(pixels_, x_.w - ix);
    std::fill_n(copy, begin * w_.in, 0.0f);
    std::copy_n(x_.pixel(n, iy, ix + begin), (end - begin) * w_.in, copy + begin * w_.in);
    std::fill_n(copy + end * w_.in, (pixels_ - end) * w_.in, 0.0f);
    return copy;
  }

  CMapF x_;
  const Packed& w_;
  MapF y_;
  int pixels_;  // of a piece
  int depth_;   // floats of a piece
  const float* zeros_;
};

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
  const EvenParts blocks(rows, kBlockRows, groups == 1 ? ctx.threads() : 1);
  const Workspace::Scope scope(ctx.workspace());
  if (groups == 1 && ctx.threads() > 1 && ceil_div(rows, kBlockRows) < 2 * ctx.threads()) {
    // Few rows: gather them all, so that the product can be cut in columns too.
    float* const gathered = ctx.workspace().floats(static_cast<std::size_t>(rows * k));
    ctx.pool().parallel_for(rows, [&](std::ptrdiff_t row, int) {
      gather_rows(x, w, y, row, 1, 0, gathered + row * k);
    });
    return product(gathered, k, rows, float_values(w), k, w.out, epilogue, y, ctx);
  }
  const kernels::Epilogue e = kernel_epilogue(epilogue);
  const std::ptrdiff_t group_size = kernels_.packed_size(group_out, k);
  const int pixels = piece_pixels(x, w);
  const SlotScratch copies(ctx, blocks.largest() * k);
  const SlotArray<const float*> pieces(
      ctx, pixels == 0 ? 0 : blocks.largest() * w.kernel_h * (w.kernel_w / pixels));
  float* const zeros =
      ctx.workspace().floats(static_cast<std::size_t>(pixels) * static_cast<std::size_t>(group_in));
  std::fill_n(zeros, pixels * group_in, 0.0f);
  const RowPieces where(x, w, y, pixels, zeros);
  ctx.pool().parallel_for(blocks.parts() * groups, [&](std::ptrdiff_t i, int slot) {
    const int group = static_cast<int>(i % groups);
    const std::ptrdiff_t row = blocks.begin(i / groups);
    const std::ptrdiff_t count = blocks.size(i / groups);
    const std::ptrdiff_t column = static_cast<std::ptrdiff_t>(group) * group_out;
    const float* const b = float_values(w) + group * group_size;
    const kernels::Epilogue block = kernels::block_of(e, row, column);
    if (pixels == 0) {
      gather_rows(x, w, y, row, count, group, copies[slot]);
      kernels_.gemm(copies[slot], k, b, y.row(row) + column, y.ld, count, group_out, k, block, {});
    } else {
      where.point(row, count, group, copies[slot], pieces[slot]);
      kernels_.gemm_indirect(pieces[slot], count, where.count(), where.depth(), b,
                             y.row(row) + column, y.ld, count, group_out, block, {});
    }
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
