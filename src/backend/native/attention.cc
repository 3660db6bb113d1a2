// SPDX-License-Identifier: Apache-2.0
// Attention: softmax(scale Q K^T + bias) V as two products with a softmax between them, all in the
// caches of one core. K^T and V are packed like weights; scale and bias ride in the first product's
// epilogue.
#include "src/backend/native/ahead.h"
#include "src/backend/native/native_backend.h"
#include "src/backend/parallel.h"
#include "src/backend/window_grid.h"

namespace fovea {
namespace {

// Queries that share a block of scores, at most.
constexpr std::ptrdiff_t kQueryRows = 48;

// A copy of few floats: a call of memcpy would cost as much again.
void copy_floats(const float* from, int count, float* to) {
  int i = 0;
  for (; i + 8 <= count; i += 8) __builtin_memcpy(to + i, from + i, 8 * sizeof(float));
  for (; i < count; ++i) to[i] = from[i];
}

// Rows of scores begin at cache lines.
std::ptrdiff_t score_stride(std::ptrdiff_t keys) { return round_up(keys, 16); }

}  // namespace

void NativeBackend::do_attention(CMapF q, CMapF k, CMapF v, const AttentionSpec& spec, MapF y,
                                 Context& ctx) const {
  const int d = q.c / spec.heads;
  const int keys = k.w;
  const std::ptrdiff_t heads = static_cast<std::ptrdiff_t>(q.n) * spec.heads;  // of all images
  const std::ptrdiff_t k_size = kernels_.packed_size(keys, d);
  const std::ptrdiff_t v_size = kernels_.packed_size(d, keys);
  const std::ptrdiff_t stride = score_stride(keys);
  const EvenParts blocks(q.w, kQueryRows);

  const Workspace::Scope scope(ctx.workspace());
  float* const packed = ctx.workspace().floats(static_cast<std::size_t>(heads * (k_size + v_size)));
  float* const scale = ctx.workspace().floats(static_cast<std::size_t>(keys));
  const SlotScratch scores(ctx, blocks.largest() * stride);
  std::fill_n(scale, keys, spec.scale);

  ctx.pool().parallel_for(heads, [&](std::ptrdiff_t i, int) {
    const int n = static_cast<int>(i / spec.heads);
    const int first = static_cast<int>(i % spec.heads) * d;
    float* const to = packed + i * (k_size + v_size);
    kernels_.pack_nk(k.pixel(n, 0, 0) + first, k.ld, keys, d, to);
    kernels_.pack_kn(v.pixel(n, 0, 0) + first, v.ld, d, keys, to + k_size);
  });
  ctx.pool().parallel_for(heads * blocks.parts(), [&](std::ptrdiff_t i, int slot) {
    const std::ptrdiff_t head_of_all = i / blocks.parts();
    const int n = static_cast<int>(head_of_all / spec.heads);
    const std::ptrdiff_t head = head_of_all % spec.heads;
    const int row = static_cast<int>(blocks.begin(i % blocks.parts()));
    const std::ptrdiff_t rows = blocks.size(i % blocks.parts());
    const float* const from = packed + head_of_all * (k_size + v_size);
    float* const s = scores[slot];
    kernels::Epilogue e;
    e.scale = scale;
    if (spec.bias != nullptr) {
      e.residual = spec.bias + (head * q.w + row) * keys;
      e.ldr = keys;
    }
    kernels_.gemm(q.pixel(n, 0, row) + head * d, q.ld, from, s, stride, rows, keys, d, e, {});
    kernels_.softmax(s, stride, s, stride, rows, keys);
    kernels_.gemm(s, stride, from + k_size, y.pixel(n, 0, row) + head * d, y.ld, rows, d, keys, {},
                  {});
  });
}

// What the tasks of one window_attention share.
struct NativeBackend::WindowTask {
  WindowTask(const kernels::KernelTable& kernels, CMapF qkv_, const WindowSpec& spec_, MapF y_,
             Context& ctx)
      : qkv(qkv_),
        y(y_),
        spec(spec_),
        grid(y_.h, y_.w, spec_),
        threads(ctx.threads()),
        tokens(grid.area()),
        area(tokens),
        d(y_.c / spec_.heads),
        stride(score_stride(area)),
        k_size(kernels.packed_size(tokens, d)),
        v_size(kernels.packed_size(d, tokens)),
        pixels(ctx, area),
        regions(ctx, area),
        rows(ctx, 2 * area * d),
        packed(ctx, k_size + v_size),
        scores(ctx, area * stride),
        mask(ctx, spec_.shift_h > 0 || spec_.shift_w > 0 ? area * area : 0),
        scale(ctx, area) {}

  CMapF qkv;
  MapF y;
  const WindowSpec& spec;
  WindowGrid grid;
  int threads;
  int tokens;           // of a window
  std::ptrdiff_t area;  // the same number, for products
  int d;                // channels of a head
  std::ptrdiff_t stride, k_size, v_size;
  SlotArray<std::ptrdiff_t> pixels;  // (area): where the tokens lie in the image; -1 is padding
  SlotArray<int> regions;            // (area): tokens of different regions are masked
  SlotScratch rows;  // (2, area, d): q and k of one head; q's place takes the output
  SlotScratch packed;
  SlotScratch scores;  // (area, area), stride apart
  SlotScratch mask;    // (area, area)
  SlotScratch scale;   // (area), all alike

  // `count` channels from `first` on of every token; rows of `out` are ldo apart.
  void gather(const std::ptrdiff_t* at, int image, int first, int count, float* out,
              std::ptrdiff_t ldo) const {
    const CMapF map = qkv.image(image);
    for (std::ptrdiff_t t = 0; t < area; ++t, out += ldo) {
      const float* const row = at[t] < 0 ? spec.pad_qkv : map.row(at[t]);
      if (row != nullptr) {
        // The next head's channels follow: they come into the cache meanwhile.
        for (int c = 0; c < count; c += 16) __builtin_prefetch(row + first + count + c);
        copy_floats(row + first, count, out);
      } else {
        std::fill_n(out, count, 0.0f);
      }
    }
  }

  // The d channels from `first` on of every token as the packed B (tokens, d) of a product.
  void gather_packed(const std::ptrdiff_t* at, int image, int first, int panel_columns,
                     float* out) const {
    for (int j = 0; j < d; j += panel_columns, out += area * panel_columns) {
      const int columns = std::min(panel_columns, d - j);
      if (columns < panel_columns) std::fill_n(out, area * panel_columns, 0.0f);
      gather(at, image, first + j, columns, out, panel_columns);
    }
  }

  void scatter(const std::ptrdiff_t* at, int image, int first, const float* from) const {
    const MapF map = y.image(image);
    for (std::ptrdiff_t t = 0; t < area; ++t, from += d) {
      if (at[t] >= 0) copy_floats(from, d, map.row(at[t]) + first);
    }
  }

  // The lines of a map under the window that this thread probably does next; of several heads, the
  // part that one of them should ask for. A line of a window is one range of memory.
  kernels::RowRange lines_ahead(const CMapF& map, int image, int window, int head) const {
    const int next = window + threads;
    const std::ptrdiff_t first = next < grid.windows() ? grid.pixel(next, 0) : -1;
    if (first < 0 || !far_away(map.rows(), map.ld)) return {};
    const int lines =
        static_cast<int>(std::min<std::ptrdiff_t>(spec.window_h, map.h - first / map.w));
    const int begin = head * lines / spec.heads, end = (head + 1) * lines / spec.heads;
    const int columns =
        static_cast<int>(std::min<std::ptrdiff_t>(spec.window_w, map.w - first % map.w));
    const std::ptrdiff_t line = map.w * map.ld;
    return {map.image(image).row(first) + begin * line, line, end - begin,
            static_cast<int>((columns - 1) * map.ld) + map.c};
  }

  void fill_mask(int window, int* region, float* m) const {
    for (int t = 0; t < area; ++t) region[t] = grid.region(window, t);
    for (std::ptrdiff_t i = 0; i < area; ++i) {
      for (std::ptrdiff_t j = 0; j < area; ++j) {
        *m++ = region[j] == region[i] ? 0.0f : spec.mask_value;
      }
    }
  }
};

void NativeBackend::attend_window(const WindowTask& task, int image, int window, int head_begin,
                                  int head_end, int slot) const {
  const WindowSpec& spec = task.spec;
  const int area = task.tokens, d = task.d, c = task.y.c;
  const std::ptrdiff_t stride = task.stride;
  std::ptrdiff_t* const pixels = task.pixels[slot];
  for (int t = 0; t < area; ++t) pixels[t] = task.grid.pixel(window, t);
  const bool masked = task.grid.masked(window);
  if (masked) task.fill_mask(window, task.regions[slot], task.mask[slot]);

  float* const q = task.rows[slot];
  float* const k = q + task.area * d;
  float* const packed_k = task.packed[slot];
  float* const packed_v = packed_k + task.k_size;
  float* const s = task.scores[slot];
  float* const scale = task.scale[slot];
  for (int head = head_begin; head < head_end; ++head) {
    task.gather(pixels, image, head * d, d, q, d);
    task.gather(pixels, image, c + head * d, d, k, d);
    task.gather_packed(pixels, image, 2 * c + head * d, kernels_.gemm_cols, packed_v);
    if (spec.cosine) kernels_.l2_normalize(q, d, q, d, 1e-12f, 2 * task.area, d);  // q and k
    kernels_.pack_nk(k, d, area, d, packed_k);

    std::fill_n(scale, area,
                spec.scale * (spec.head_scale != nullptr ? spec.head_scale[head] : 1.0f));
    kernels::Epilogue e;
    e.scale = scale;
    if (spec.bias != nullptr) {
      e.residual = spec.bias + head * task.area * task.area;
      e.ldr = area;
    }
    kernels_.gemm(q, d, packed_k, s, stride, area, area, d, e,
                  {{task.lines_ahead(task.qkv, image, window, head)}});
    if (masked) kernels_.add_rows(s, stride, task.mask[slot], area, s, stride, area, area);
    kernels_.softmax(s, stride, s, stride, area, area);
    kernels_.gemm(s, stride, packed_v, q, d, area, d, area, {},
                  {{task.lines_ahead(task.y, image, window, head)}});
    task.scatter(pixels, image, head * d, q);
  }
}

void NativeBackend::do_window_attention(CMapF qkv, const WindowSpec& spec, MapF y,
                                        Context& ctx) const {
  const Workspace::Scope scope(ctx.workspace());
  const WindowTask task(kernels_, qkv, spec, y, ctx);
  const std::ptrdiff_t windows = task.grid.windows();
  // The heads of a window go together unless that leaves threads idle.
  const std::ptrdiff_t wanted = ctx.threads() == 1 ? 1 : 4 * ctx.threads();
  const std::ptrdiff_t parts =
      std::clamp<std::ptrdiff_t>(ceil_div(wanted, windows * y.n), 1, spec.heads);
  ctx.pool().parallel_for(y.n * windows * parts, [&](std::ptrdiff_t i, int slot) {
    const std::ptrdiff_t part = i % parts;
    attend_window(task, static_cast<int>(i / parts / windows),
                  static_cast<int>(i / parts % windows),
                  static_cast<int>(part * spec.heads / parts),
                  static_cast<int>((part + 1) * spec.heads / parts), slot);
  });
}

}  // namespace fovea
