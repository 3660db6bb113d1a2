// SPDX-License-Identifier: Apache-2.0
// Linear attention and the non-causal state space: a state K^T V summed over the tokens, then Q
// times it. Tokens pass in tiles that stay in L2 with what is made of them.
#include <algorithm>
#include <cmath>

#include "src/backend/feature_map.h"
#include "src/backend/native/ahead.h"
#include "src/backend/native/native_backend.h"
#include "src/backend/parallel.h"

namespace fovea {
namespace {

constexpr std::ptrdiff_t kTile = 128;   // tokens that pass together
constexpr std::ptrdiff_t kPart = 1024;  // tokens of a partial sum: part of the result

constexpr bool same(kernels::Feature a, FeatureMap b) {
  return static_cast<int>(a) == static_cast<int>(b);
}
static_assert(same(kernels::Feature::none, FeatureMap::none) &&
              same(kernels::Feature::relu, FeatureMap::relu) &&
              same(kernels::Feature::elu_plus_one, FeatureMap::elu_plus_one) &&
              same(kernels::Feature::exp, FeatureMap::exp) &&
              same(kernels::Feature::focused, FeatureMap::focused));

struct Rows {
  const float* data;
  std::ptrdiff_t ld;
};

// Keys and values of some tokens of a state, wherever they are.
struct KeyTile {
  Rows keys, values;
  kernels::Ahead next;  // what the tile after it will read
};

// Scratch of a thread for a tile: keys (kTile, rows), values (kTile, columns), the mean of its keys
// (rows); and the sum of all keys (rows), to which those of the tile may be added.
struct TileScratch {
  float *keys, *values, *key_mean, *key_sum;
};

// States of several heads or groups of heads: S (rows, columns) each, summed over `tokens`.
class States {
 public:
  States(const kernels::KernelTable& k, Context& ctx, std::ptrdiff_t count, std::ptrdiff_t tokens,
         int rows, int columns)
      : k_(k),
        count_(count),
        rows_(rows),
        columns_(columns),
        parts_(tokens, kPart),
        packed_size_(k.packed_size(columns, rows)),
        packed_(ctx.workspace().floats(static_cast<std::size_t>(count * packed_size_))),
        sums_(ctx.workspace().floats(static_cast<std::size_t>(count * rows))) {}

  // make_tile(state, first token, count, TileScratch) gives the KeyTile of some tokens, and adds
  // its keys to the scratch's sum where that is wanted. The `together` states of an image pass over
  // its tokens side by side, since the rows of the tokens hold the keys of all of them; apart where
  // threads would idle.
  template <class MakeTile>
  void sum(Context& ctx, std::ptrdiff_t together, const MakeTile& make_tile) const {
    const Workspace::Scope scope(ctx.workspace());
    const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(rows_) * columns_;
    const std::ptrdiff_t stride = size + rows_;  // a partial state and the sum of its keys
    float* const partial =
        ctx.workspace().floats(static_cast<std::size_t>(count_ * parts_.parts() * stride));
    const SlotScratch keys(ctx, kTile * rows_), values(ctx, kTile * columns_);
    const SlotScratch packed(ctx, k_.packed_size(columns_, static_cast<int>(kTile)));
    const SlotScratch mean(ctx, rows_);
    const auto add_tile = [&](std::ptrdiff_t i, float* s, std::ptrdiff_t first,
                              std::ptrdiff_t tokens, bool empty, int slot) {
      const KeyTile tile =
          make_tile(i, first, tokens, TileScratch{keys[slot], values[slot], mean[slot], s + size});
      k_.pack_kn(tile.values.data, tile.values.ld, columns_, static_cast<int>(tokens),
                 packed[slot]);
      kernels::Epilogue e;
      if (!empty) {
        e.residual = s;
        e.ldr = columns_;
      }
      k_.gemm_transposed(tile.keys.data, tile.keys.ld, packed[slot], s, columns_, rows_, columns_,
                         static_cast<int>(tokens), e, tile.next);
    };
    if (ctx.threads() > 1 && count_ / together * parts_.parts() < 4 * ctx.threads()) together = 1;
    const std::ptrdiff_t groups = count_ / together;
    ctx.pool().parallel_for(groups * parts_.parts(), [&](std::ptrdiff_t task, int slot) {
      const std::ptrdiff_t part = task / groups, first_state = task % groups * together;
      const auto sums = [&](std::ptrdiff_t i) {
        return partial + (i * parts_.parts() + part) * stride;
      };
      const std::ptrdiff_t begin = parts_.begin(part), end = begin + parts_.size(part);
      for (std::ptrdiff_t i = first_state; i < first_state + together; ++i) {
        std::fill_n(sums(i) + size, rows_, 0.0f);
      }
      for (std::ptrdiff_t first = begin; first < end; first += kTile) {
        for (std::ptrdiff_t i = first_state; i < first_state + together; ++i) {
          add_tile(i, sums(i), first, std::min(kTile, end - first), first == begin, slot);
        }
      }
    });
    ctx.pool().parallel_for(count_, [&](std::ptrdiff_t i, int) {
      float* const s = partial + i * parts_.parts() * stride;
      for (std::ptrdiff_t part = 1; part < parts_.parts(); ++part) {
        k_.add_rows(s, stride, s + part * stride, stride, s, stride, 1, static_cast<int>(stride));
      }
      k_.pack_kn(s, columns_, columns_, rows_, packed_ + i * packed_size_);
      std::copy_n(s + size, rows_, sums_ + i * rows_);
    });
  }

  // S of one state as the right-hand side of a product, and the sum of its keys.
  const float* packed(std::ptrdiff_t i) const { return packed_ + i * packed_size_; }
  const float* key_sum(std::ptrdiff_t i) const { return sums_ + i * rows_; }

 private:
  const kernels::KernelTable& k_;
  std::ptrdiff_t count_;
  int rows_, columns_;
  EvenParts parts_;
  std::ptrdiff_t packed_size_;
  float *packed_, *sums_;
};

CMapF head_of(const CMapF& m, std::ptrdiff_t i, int heads) {
  return m.image(static_cast<int>(i / heads))
      .channels(static_cast<int>(i % heads) * (m.c / heads), m.c / heads);
}

// Features of all heads of x, where they are wanted more than once.
MapF map_all(const kernels::KernelTable& k, const LinearAttentionSpec& spec, const CMapF& x,
             const float* bias, Context& ctx) {
  const int d = x.c / spec.heads, features = feature_count(spec, d);
  const MapF y = ctx.workspace().map(x.n, 1, x.w, spec.heads * features);
  const Workspace::Scope scope(ctx.workspace());
  float* projection = nullptr;
  if (spec.map == FeatureMap::performer) {
    projection = ctx.workspace().floats(static_cast<std::size_t>(k.packed_size(features, d)));
    k.pack_nk(spec.projection, d, features, d, projection);
  }
  const EvenParts blocks(x.w, kTile);
  const SlotScratch biased(ctx, kTile * d), squares(ctx, kTile);
  const auto tile = [&](std::ptrdiff_t i, int slot) {
    const std::ptrdiff_t head = i / blocks.parts(), first = blocks.begin(i % blocks.parts());
    const std::ptrdiff_t count = blocks.size(i % blocks.parts());
    const CMapF from = head_of(x, head, spec.heads);
    const float* const shift =
        bias == nullptr ? nullptr : bias + first * x.c + head % spec.heads * d;
    float* const to =
        y.image(static_cast<int>(head / spec.heads)).row(first) + head % spec.heads * features;
    if (projection == nullptr) {
      return k.map_features(static_cast<kernels::Feature>(spec.map), from.row(first), from.ld,
                            shift, x.c, to, y.ld, count, d);
    }
    k.map_features(kernels::Feature::none, from.row(first), from.ld, shift, x.c, biased[slot], d,
                   count, d);
    k.row_dots(biased[slot], d, biased[slot], d, squares[slot], count, d);
    k.gemm(biased[slot], d, projection, to, y.ld, count, features, d, {}, {});
    for (std::ptrdiff_t t = 0; t < count; ++t) {
      for (int f = 0; f < features; ++f) to[t * y.ld + f] -= 0.5f * squares[slot][t];
    }
    const float share = 1.0f / std::sqrt(static_cast<float>(features));
    k.map_features(kernels::Feature::exp, to, y.ld, nullptr, 0, to, y.ld, count, features);
    k.scale_rows(to, y.ld, &share, 0, to, y.ld, count, features);
  };
  ctx.pool().parallel_for(static_cast<std::ptrdiff_t>(x.n) * spec.heads * blocks.parts(), tile);
  return y;
}

// weights (heads of all images, tokens): L softmax(scale mean(q') . k'), the augmentation of keys,
// of features q' and k'.
void weigh_keys(const kernels::KernelTable& kernels, const CMapF& q, const CMapF& k, int heads,
                float scale, float* weights, Context& ctx) {
  const Workspace::Scope scope(ctx.workspace());
  const int d = q.c / heads;
  const SlotScratch means(ctx, 2 * d);
  ctx.pool().parallel_for(
      static_cast<std::ptrdiff_t>(q.n) * heads, [&](std::ptrdiff_t i, int slot) {
        const CMapF queries = head_of(q, i, heads), keys = head_of(k, i, heads);
        float* const mean = means[slot];
        float* const part = mean + d;
        std::fill_n(mean, d, 0.0f);
        for (int first = 0; first < queries.w; first += static_cast<int>(kTile)) {
          const int count = std::min(static_cast<int>(kTile), queries.w - first);
          kernels.column_mean(queries.row(first), queries.ld, count, d, part);
          const float share = static_cast<float>(count) / static_cast<float>(queries.w);
          for (int j = 0; j < d; ++j) mean[j] += part[j] * share;
        }
        for (int j = 0; j < d; ++j) mean[j] *= scale;
        float* const w = weights + i * k.w;
        kernels.row_dots(keys.data, keys.ld, mean, 0, w, k.w, d);
        kernels.softmax(w, k.w, w, k.w, 1, k.w);
        const float tokens = static_cast<float>(k.w);
        kernels.scale_rows(w, k.w, &tokens, 0, w, k.w, 1, k.w);
      });
}

// x(count, d) with its bias, mapped, in `scratch`; x itself where there is nothing to do.
Rows mapped(const kernels::KernelTable& kernels, FeatureMap map, Rows x, const float* bias,
            std::ptrdiff_t ldb, std::ptrdiff_t count, int d, float* scratch) {
  if (map == FeatureMap::none && bias == nullptr) return x;
  kernels.map_features(static_cast<kernels::Feature>(map), x.data, x.ld, bias, ldb, scratch, d,
                       count, d);
  return {scratch, d};
}

// The same for the rotations of tokens from `first` on.
Rows rotated(const kernels::KernelTable& kernels, const RotarySpec& r, Rows x, std::ptrdiff_t first,
             std::ptrdiff_t count, int d, float* scratch) {
  if (r.cos == nullptr) return x;
  kernels.rotate_pairs(x.data, x.ld, r.cos + first * d, r.sin + first * d, d, r.interleaved,
                       scratch, d, count, d);
  return {scratch, d};
}

// Adds the columns of a tile of keys (count, d) to total (d).
void add_keys(const kernels::KernelTable& kernels, Rows keys, std::ptrdiff_t count, int d,
              float* mean, float* total) {
  kernels.column_mean(keys.data, keys.ld, count, d, mean);
  for (int j = 0; j < d; ++j) total[j] += mean[j] * static_cast<float>(count);
}

}  // namespace

void NativeBackend::do_linear_attention(CMapF q, CMapF k, CMapF v, const LinearAttentionSpec& spec,
                                        MapF y, Context& ctx) const {
  const Workspace::Scope scope(ctx.workspace());
  LinearAttentionSpec rest = spec;  // what is left to do to the features
  if (spec.augment || spec.map == FeatureMap::performer) {
    q = map_all(kernels_, spec, q, nullptr, ctx);
    k = map_all(kernels_, spec, k, spec.k_bias, ctx);
    rest.map = FeatureMap::none;
    rest.k_bias = nullptr;
  }
  const int d = q.c / spec.heads, dv = v.c / spec.heads;
  const std::ptrdiff_t heads = static_cast<std::ptrdiff_t>(q.n) * spec.heads;
  float* weights = nullptr;
  if (spec.augment) {
    weights = ctx.workspace().floats(static_cast<std::size_t>(heads * k.w));
    weigh_keys(kernels_, q, k, spec.heads, spec.augment_scale, weights, ctx);
  }

  const States states(kernels_, ctx, heads, k.w, d, dv);
  const auto make_tile = [&](std::ptrdiff_t i, std::ptrdiff_t first, std::ptrdiff_t count,
                             const TileScratch& scratch) {
    const CMapF from = head_of(k, i, spec.heads), values = head_of(v, i, spec.heads);
    kernels::Ahead next = {{{}, rows_ahead(from, first, count), rows_ahead(values, first, count)}};
    const float* const bias =
        rest.k_bias == nullptr ? nullptr : rest.k_bias + first * k.c + i % spec.heads * d;
    if (bias != nullptr) {
      // These rows have no gaps: every head asks for its share of them, whole.
      kernels::RowRange& rows = next.ranges[0];
      rows = rows_ahead(rest.k_bias, k.c, k.c, k.w, first, count);
      const std::ptrdiff_t head = i % spec.heads, all = rows.count;
      rows.count = (head + 1) * all / spec.heads - head * all / spec.heads;
      rows.rows += head * all / spec.heads * k.c;
    }
    Rows keys =
        mapped(kernels_, rest.map, {from.row(first), from.ld}, bias, k.c, count, d, scratch.keys);
    if (weights != nullptr) {
      kernels_.scale_rows(keys.data, keys.ld, weights + i * k.w + first, 1, scratch.keys, d, count,
                          d);
      keys = {scratch.keys, d};
    }
    if (spec.normalize) add_keys(kernels_, keys, count, d, scratch.key_mean, scratch.key_sum);
    keys = rotated(kernels_, spec.rotary, keys, first, count, d, scratch.keys);
    return KeyTile{keys, {values.row(first), values.ld}, next};
  };
  states.sum(ctx, spec.heads, make_tile);

  // Means are sums whose share comes in with the factor of the whole row.
  const float share = spec.mean ? 1.0f / static_cast<float>(k.w) : 1.0f;
  const EvenParts blocks(q.w, kTile);
  const SlotScratch tile(ctx, kTile * d), norms(ctx, kTile);
  ctx.pool().parallel_for(heads * blocks.parts(), [&](std::ptrdiff_t i, int slot) {
    const std::ptrdiff_t head = i / (spec.heads * blocks.parts()) * spec.heads + i % spec.heads;
    const std::ptrdiff_t block = i / spec.heads % blocks.parts();
    const std::ptrdiff_t first = blocks.begin(block), count = blocks.size(block);
    const CMapF from = head_of(q, head, spec.heads);
    Rows queries =
        mapped(kernels_, rest.map, {from.row(first), from.ld}, nullptr, 0, count, d, tile[slot]);
    float* const norm = norms[slot];
    std::fill_n(norm, count, share);
    if (spec.normalize) {
      kernels_.row_dots(queries.data, queries.ld, states.key_sum(head), 0, norm, count, d);
      for (std::ptrdiff_t t = 0; t < count; ++t) norm[t] = share / (norm[t] * share + spec.eps);
    }
    queries = rotated(kernels_, spec.rotary, queries, first, count, d, tile[slot]);
    const MapF out = y.image(static_cast<int>(head / spec.heads))
                         .channels(static_cast<int>(head % spec.heads) * dv, dv);
    kernels_.gemm(queries.data, queries.ld, states.packed(head), out.row(first), out.ld, count, dv,
                  d, {}, {});
    if (spec.normalize || spec.mean) {
      kernels_.scale_rows(out.row(first), out.ld, norm, 1, out.row(first), out.ld, count, dv);
    }
  });
}

void NativeBackend::shared_state(CMapF x, CMapF dt, CMapF b, CMapF c, const StateSpaceSpec& spec,
                                 MapF y, Context& ctx) const {
  const int p = x.c / spec.heads, state = b.c / spec.groups;
  const int heads_per_group = spec.heads / spec.groups;
  // The heads of a group share keys and queries: they are columns of one product, cut for threads.
  const std::ptrdiff_t groups = static_cast<std::ptrdiff_t>(x.n) * spec.groups;
  int cuts = 1;
  while (ctx.threads() > 1 && groups * cuts < 4 * ctx.threads() &&
         heads_per_group % (2 * cuts) == 0) {
    cuts *= 2;
  }
  const int heads = heads_per_group / cuts, columns = heads * p;
  const std::ptrdiff_t count = groups * cuts;
  const auto first_head = [&](std::ptrdiff_t i) {
    return static_cast<int>(i / cuts % spec.groups) * heads_per_group +
           static_cast<int>(i % cuts) * heads;
  };
  const auto image = [&](std::ptrdiff_t i) { return static_cast<int>(i / cuts / spec.groups); };
  const auto group = [&](std::ptrdiff_t i) { return static_cast<int>(i / cuts % spec.groups); };

  const Workspace::Scope scope(ctx.workspace());
  const MapF weight = ctx.workspace().map_like(dt);  // dt a
  const MapF unused = ctx.workspace().map_like(dt);
  const kernels::Epilogue rates{.scale = spec.a};
  parallel_rows(ctx, dt.rows(), dt.c, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
    float* const w = weight.row(first);
    kernels_.softplus_decay(dt.row(first), dt.ld, spec.dt_bias, spec.a, w, unused.row(first),
                            weight.ld, last - first, dt.c);
    kernels_.epilogue_map(w, weight.ld, w, weight.ld, last - first, dt.c, rates);
  });
  const States states(kernels_, ctx, count, x.w, state, columns);
  const auto make_tile = [&](std::ptrdiff_t i, std::ptrdiff_t first, std::ptrdiff_t tokens,
                             const TileScratch& scratch) {
    const CMapF keys = b.image(image(i)).channels(group(i) * state, state);
    for (int head = 0; head < heads; ++head) {
      const int at = first_head(i) + head;
      kernels_.scale_rows(x.image(image(i)).row(first) + at * p, x.ld,
                          weight.image(image(i)).row(first) + at, weight.ld,
                          scratch.values + head * p, columns, tokens, p);
    }
    const CMapF values = x.image(image(i)).channels(first_head(i) * p, columns);
    return KeyTile{{keys.row(first), keys.ld},
                   {scratch.values, columns},
                   {{rows_ahead(keys, first, tokens), rows_ahead(values, first, tokens)}}};
  };
  states.sum(ctx, count / x.n, make_tile);
  const EvenParts blocks(x.w, kTile);
  ctx.pool().parallel_for(count * blocks.parts(), [&](std::ptrdiff_t task, int) {
    const std::ptrdiff_t i = task / blocks.parts();
    const std::ptrdiff_t first = blocks.begin(task % blocks.parts());
    const int column = first_head(i) * p;
    const CMapF queries = c.image(image(i)).channels(group(i) * state, state);
    kernels::Epilogue e;
    if (spec.d != nullptr) {
      e.residual = x.image(image(i)).row(first) + column;
      e.ldr = x.ld;
      e.residual_scale = spec.d + column;
    }
    const std::ptrdiff_t tokens = blocks.size(task % blocks.parts());
    const CMapF values = x.image(image(i)).channels(column, columns);
    const MapF out = y.image(image(i)).channels(column, columns);
    kernels_.gemm(queries.row(first), queries.ld, states.packed(i), out.row(first), out.ld, tokens,
                  columns, state, e,
                  {{rows_ahead(queries, first, tokens), rows_ahead(values, first, tokens),
                    rows_ahead(out, first, tokens)}});
  });
}

}  // namespace fovea
