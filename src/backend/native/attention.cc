// SPDX-License-Identifier: Apache-2.0
// Attention over whole sequences and inside windows: one kernel, which finds the rows by pointers.
#include "src/backend/native/ahead.h"
#include "src/backend/native/native_backend.h"
#include "src/backend/parallel.h"
#include "src/backend/window_grid.h"

namespace fovea {
namespace {

// Queries of one task, at most, where heads alone are too few for the threads.
constexpr std::ptrdiff_t kQueryRows = 48;

// `count` rows of an image from row `first` on, at a channel.
void point(const CMapF& m, int image, std::ptrdiff_t first, std::ptrdiff_t count, int channel,
           const float** rows) {
  const float* row = m.image(image).row(first) + channel;
  for (std::ptrdiff_t i = 0; i < count; ++i, row += m.ld) rows[i] = row;
}

// Of `count` channels of all rows of m the share that falls to `rows` of `all` queries.
kernels::RowRange part_of(const CMapF& m, int channel, int count, std::ptrdiff_t row,
                          std::ptrdiff_t rows, std::ptrdiff_t all) {
  if (!far_away(m.w, m.ld)) return {};
  const std::ptrdiff_t begin = row * m.w / all, end = (row + rows) * m.w / all;
  return {m.row(begin) + channel, m.ld, end - begin, count};
}

}  // namespace

void NativeBackend::do_attention(CMapF q, CMapF k, CMapF v, const AttentionSpec& spec, MapF y,
                                 Context& ctx) const {
  const int d = q.c / spec.heads, keys = k.w;
  const std::ptrdiff_t heads = static_cast<std::ptrdiff_t>(q.n) * spec.heads;  // of all images
  const std::ptrdiff_t packed_size = kernels_.packed_attention_size(keys, d, d);
  const Workspace::Scope scope(ctx.workspace());
  const SlotScratch scores(ctx, kernels_.attention_scores_size(keys));
  const SlotArray<const float*> key_rows(ctx, keys), value_rows(ctx, keys), query_rows(ctx, q.w);
  const SlotArray<float*> out_rows(ctx, q.w);

  const auto pack = [&](std::ptrdiff_t i, float* packed, int slot) {
    const int n = static_cast<int>(i / spec.heads), first = static_cast<int>(i % spec.heads) * d;
    point(k, n, 0, keys, first, key_rows[slot]);
    point(v, n, 0, keys, first, value_rows[slot]);
    kernels_.pack_attention(key_rows[slot], value_rows[slot], keys, d, d, packed);
  };
  const auto attend = [&](std::ptrdiff_t i, const float* packed, std::ptrdiff_t row,
                          std::ptrdiff_t rows, int slot) {
    const int n = static_cast<int>(i / spec.heads);
    const std::ptrdiff_t head = i % spec.heads;
    kernels::AttentionRows a;
    point(q, n, row, rows, static_cast<int>(head) * d, query_rows[slot]);
    float* out = y.image(n).row(row) + head * d;
    for (std::ptrdiff_t r = 0; r < rows; ++r, out += y.ld) out_rows[slot][r] = out;
    a.q = query_rows[slot];
    a.y = out_rows[slot];
    a.packed = packed;
    a.keys = keys;
    a.d = a.dv = d;
    a.scale = spec.scale;
    if (spec.bias != nullptr) {
      a.bias = spec.bias + (head * q.w + row) * keys;
      a.ldb = keys;
    }
    a.scores = scores[slot];
    // The next head lies beside this one; part of it is asked for with every block of queries.
    const int column = static_cast<int>(head + 1) * d;
    kernels::Ahead next;
    if (head + 1 < spec.heads) {
      next.ranges[0] = part_of(q.image(n), column, d, row, rows, q.w);
      next.ranges[1] = part_of(k.image(n), column, d, row, rows, q.w);
      next.ranges[2] = part_of(v.image(n), column, d, row, rows, q.w);
    }
    kernels_.attention(a, rows, next);
  };
  // A thread takes whole heads, whose keys and values then stay in its cache, if all get as many.
  if (heads % ctx.threads() == 0 || heads >= 8 * static_cast<std::ptrdiff_t>(ctx.threads())) {
    const SlotScratch packed(ctx, packed_size);
    ctx.pool().parallel_for(heads, [&](std::ptrdiff_t i, int slot) {
      pack(i, packed[slot], slot);
      attend(i, packed[slot], 0, q.w, slot);
    });
    return;
  }
  float* const packed = ctx.workspace().floats(static_cast<std::size_t>(heads * packed_size));
  ctx.pool().parallel_for(
      heads, [&](std::ptrdiff_t i, int slot) { pack(i, packed + i * packed_size, slot); });
  const EvenParts blocks(q.w, kQueryRows);
  ctx.pool().parallel_for(heads * blocks.parts(), [&](std::ptrdiff_t i, int slot) {
    const std::ptrdiff_t head = i / blocks.parts(), block = i % blocks.parts();
    attend(head, packed + head * packed_size, blocks.begin(block), blocks.size(block), slot);
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
        tokens_in(ctx, area),
        tokens_out(ctx, area),
        q(ctx, area),
        k(ctx, area),
        v(ctx, area),
        out(ctx, area),
        regions(ctx, area),
        unit(ctx, spec_.cosine ? 2 * area * d : 0),
        sink(ctx, y_.c),
        packed(ctx, kernels.packed_attention_size(area, d, d)),
        scores(ctx, kernels.attention_scores_size(area)),
        mask(ctx, spec_.shift_h > 0 || spec_.shift_w > 0 ? area * area : 0),
        padding(spec_.pad_qkv) {
    if (padding == nullptr) {
      float* const zeros = ctx.workspace().floats(static_cast<std::size_t>(qkv.c));
      std::fill_n(zeros, qkv.c, 0.0f);
      padding = zeros;
    }
  }

  CMapF qkv;
  MapF y;
  const WindowSpec& spec;
  WindowGrid grid;
  int threads;
  int tokens;                         // of a window
  std::ptrdiff_t area;                // the same number, for products
  int d;                              // channels of a head
  SlotArray<const float*> tokens_in;  // (area): rows of qkv
  SlotArray<float*> tokens_out;       // (area): rows of y
  SlotArray<const float*> q, k, v;    // (area): those of a head
  SlotArray<float*> out;
  SlotArray<int> regions;  // (area): tokens of different regions are masked
  SlotScratch unit;        // (2, area, d): q and k of one head, of unit length
  SlotScratch sink;        // (c): where the outputs of padding go
  SlotScratch packed;
  SlotScratch scores;
  SlotScratch mask;      // (area, area)
  const float* padding;  // (3c)

  void point(int image, int window, int slot) const {
    const CMapF from = qkv.image(image);
    const MapF to = y.image(image);
    for (int t = 0; t < tokens; ++t) {
      const std::ptrdiff_t pixel = grid.pixel(window, t);  // -1 is padding
      tokens_in[slot][t] = pixel < 0 ? padding : from.row(pixel);
      tokens_out[slot][t] = pixel < 0 ? sink[slot] : to.row(pixel);
    }
  }

  void point_head(int head, int slot) const {
    const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(head) * d;
    for (std::ptrdiff_t t = 0; t < area; ++t) {
      const float* const row = tokens_in[slot][t] + first;
      q[slot][t] = row;
      k[slot][t] = row + y.c;
      v[slot][t] = row + 2 * static_cast<std::ptrdiff_t>(y.c);
      out[slot][t] = tokens_out[slot][t] + first;
    }
  }

  // Replaces queries and keys by such of unit length.
  void normalize(const kernels::KernelTable& kernels, int slot) const {
    float* to = unit[slot];
    for (const SlotArray<const float*>* const rows : {&q, &k}) {
      kernels.l2_normalize((*rows)[slot], to, d, 1e-12f, area, d);
      for (std::ptrdiff_t t = 0; t < area; ++t, to += d) (*rows)[slot][t] = to;
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
  task.point(image, window, slot);
  kernels::AttentionRows a;
  a.q = task.q[slot];
  a.y = task.out[slot];
  a.packed = task.packed[slot];
  a.keys = task.tokens;
  a.d = a.dv = task.d;
  a.scores = task.scores[slot];
  a.ldb = a.ldm = task.area;
  if (task.grid.masked(window)) {
    task.fill_mask(window, task.regions[slot], task.mask[slot]);
    a.mask = task.mask[slot];
  }
  for (int head = head_begin; head < head_end; ++head) {
    task.point_head(head, slot);
    if (spec.cosine) task.normalize(kernels_, slot);
    kernels_.pack_attention(task.k[slot], task.v[slot], task.tokens, task.d, task.d,
                            task.packed[slot]);
    a.scale = spec.scale * (spec.head_scale != nullptr ? spec.head_scale[head] : 1.0f);
    if (spec.bias != nullptr) a.bias = spec.bias + head * task.area * task.area;
    kernels_.attention(a, task.area,
                       {{task.lines_ahead(task.qkv, image, window, head),
                         task.lines_ahead(task.y, image, window, head)}});
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
