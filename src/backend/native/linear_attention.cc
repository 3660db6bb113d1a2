// SPDX-License-Identifier: Apache-2.0
// Linear attention and the non-causal state space: a state K^T V summed over the tokens, then Q
// times it. Tokens pass in tiles that stay in L2 with what is made of them.
#include <algorithm>

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

  // fill(state, first token, count, scratch of values) writes keys (count, rows) and returns where
  // the values (count, columns) are; turn(first token, count, keys) may change the keys once they
  // have been added up.
  template <class Fill, class Turn>
  void sum(Context& ctx, const Fill& fill, const Turn& turn) const {
    const Workspace::Scope scope(ctx.workspace());
    const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(rows_) * columns_;
    const std::ptrdiff_t stride = size + rows_;  // a partial state and the sum of its keys
    float* const partial =
        ctx.workspace().floats(static_cast<std::size_t>(count_ * parts_.parts() * stride));
    const SlotScratch keys(ctx, kTile * rows_), turned(ctx, kTile * rows_);
    const SlotScratch scratch(ctx, kTile * columns_);
    const SlotScratch packed(ctx, k_.packed_size(columns_, static_cast<int>(kTile)));
    const SlotScratch mean(ctx, rows_);
    ctx.pool().parallel_for(count_ * parts_.parts(), [&](std::ptrdiff_t i, int slot) {
      const std::ptrdiff_t part = i % parts_.parts();
      float* const s = partial + i * stride;
      float* const total = s + size;
      std::fill_n(total, rows_, 0.0f);
      const std::ptrdiff_t begin = parts_.begin(part), end = begin + parts_.size(part);
      for (std::ptrdiff_t first = begin; first < end; first += kTile) {
        const std::ptrdiff_t tokens = std::min(kTile, end - first);
        const CMapF values = fill(i / parts_.parts(), first, tokens, keys[slot], scratch[slot]);
        k_.column_mean(keys[slot], rows_, tokens, rows_, mean[slot]);
        for (int j = 0; j < rows_; ++j) total[j] += mean[slot][j] * static_cast<float>(tokens);
        turn(first, tokens, keys[slot]);
        k_.transpose_rows(keys[slot], rows_, turned[slot], kTile, tokens, rows_);
        k_.pack_kn(values.data, values.ld, columns_, static_cast<int>(tokens), packed[slot]);
        kernels::Epilogue e;
        if (first > begin) {
          e.residual = s;
          e.ldr = columns_;
        }
        k_.gemm(turned[slot], kTile, packed[slot], s, columns_, rows_, columns_,
                static_cast<int>(tokens), e);
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

// Queries, keys and values of the heads of all images, in tiles.
struct HeadTiles {
  const kernels::KernelTable& k;
  const LinearAttentionSpec& spec;
  CMapF q, keys, values;
  int d, dv;

  CMapF head(const CMapF& m, std::ptrdiff_t i, int channels) const {
    return m.image(static_cast<int>(i / spec.heads))
        .channels(static_cast<int>(i % spec.heads) * channels, channels);
  }
  kernels::Feature feature() const { return static_cast<kernels::Feature>(spec.map); }
  // Mapped queries or keys, tile (count, d).
  void map_queries(std::ptrdiff_t i, std::ptrdiff_t first, std::ptrdiff_t count,
                   float* tile) const {
    const CMapF x = head(q, i, d);
    k.map_features(feature(), x.row(first), x.ld, nullptr, 0, tile, d, count, d);
  }
  void map_keys(std::ptrdiff_t i, std::ptrdiff_t first, std::ptrdiff_t count, float* tile) const {
    const CMapF x = head(keys, i, d);
    const float* const bias =
        spec.k_bias == nullptr ? nullptr : spec.k_bias + first * keys.c + i % spec.heads * d;
    k.map_features(feature(), x.row(first), x.ld, bias, keys.c, tile, d, count, d);
  }
  void rotate(std::ptrdiff_t first, std::ptrdiff_t count, float* tile) const {
    const RotarySpec& r = spec.rotary;
    if (r.cos == nullptr) return;
    k.rotate_pairs(tile, d, r.cos + first * d, r.sin + first * d, d, r.interleaved, tile, d, count,
                   d);
  }
};

// weights (heads of all images, tokens): L softmax(scale mean(q') . k'), the augmentation of keys.
void weigh_keys(const HeadTiles& t, std::ptrdiff_t heads, float* weights, Context& ctx) {
  const Workspace::Scope scope(ctx.workspace());
  const SlotScratch tiles(ctx, kTile * t.d), means(ctx, 2 * t.d);
  const std::ptrdiff_t queries = t.q.w, keys = t.keys.w;
  ctx.pool().parallel_for(heads, [&](std::ptrdiff_t i, int slot) {
    float* const mean = means[slot];
    float* const part = mean + t.d;
    std::fill_n(mean, t.d, 0.0f);
    for (std::ptrdiff_t first = 0; first < queries; first += kTile) {
      const std::ptrdiff_t count = std::min(kTile, queries - first);
      t.map_queries(i, first, count, tiles[slot]);
      t.k.column_mean(tiles[slot], t.d, count, t.d, part);
      const float share = static_cast<float>(count) / static_cast<float>(queries);
      for (int j = 0; j < t.d; ++j) mean[j] += part[j] * share;
    }
    for (int j = 0; j < t.d; ++j) mean[j] *= t.spec.augment_scale;
    float* const w = weights + i * keys;
    for (std::ptrdiff_t first = 0; first < keys; first += kTile) {
      const std::ptrdiff_t count = std::min(kTile, keys - first);
      t.map_keys(i, first, count, tiles[slot]);
      t.k.row_dots(tiles[slot], t.d, mean, w + first, count, t.d);
    }
    t.k.softmax(w, keys, w, keys, 1, static_cast<int>(keys));
    const float tokens = static_cast<float>(keys);
    t.k.scale_rows(w, keys, &tokens, 0, w, keys, 1, static_cast<int>(keys));
  });
}

}  // namespace

void NativeBackend::do_linear_attention(CMapF q, CMapF k, CMapF v, const LinearAttentionSpec& spec,
                                        MapF y, Context& ctx) const {
  const int d = q.c / spec.heads, dv = v.c / spec.heads;
  const std::ptrdiff_t heads = static_cast<std::ptrdiff_t>(q.n) * spec.heads;
  const HeadTiles tiles{kernels_, spec, q, k, v, d, dv};
  const Workspace::Scope scope(ctx.workspace());
  float* weights = nullptr;
  if (spec.augment) {
    weights = ctx.workspace().floats(static_cast<std::size_t>(heads * k.w));
    weigh_keys(tiles, heads, weights, ctx);
  }
  const States states(kernels_, ctx, heads, k.w, d, dv);
  const auto fill = [&](std::ptrdiff_t i, std::ptrdiff_t first, std::ptrdiff_t count, float* ks,
                        float*) {
    tiles.map_keys(i, first, count, ks);
    if (weights != nullptr) {
      kernels_.scale_rows(ks, d, weights + i * k.w + first, 1, ks, d, count, d);
    }
    return tiles.head(v, i, dv).row_range(first, static_cast<int>(count));
  };
  states.sum(ctx, fill, [&](std::ptrdiff_t first, std::ptrdiff_t count, float* ks) {
    tiles.rotate(first, count, ks);
  });
  // Means are sums whose share comes in with the factor of the whole row.
  const float share = spec.mean ? 1.0f / static_cast<float>(k.w) : 1.0f;
  const EvenParts blocks(q.w, kTile);
  const SlotScratch tile(ctx, kTile * d), norms(ctx, kTile);
  ctx.pool().parallel_for(heads * blocks.parts(), [&](std::ptrdiff_t i, int slot) {
    const std::ptrdiff_t head = i / blocks.parts();
    const std::ptrdiff_t first = blocks.begin(i % blocks.parts());
    const std::ptrdiff_t count = blocks.size(i % blocks.parts());
    float* const queries = tile[slot];
    float* const norm = norms[slot];
    tiles.map_queries(head, first, count, queries);
    std::fill_n(norm, count, share);
    if (spec.normalize) {
      kernels_.row_dots(queries, d, states.key_sum(head), norm, count, d);
      for (std::ptrdiff_t t = 0; t < count; ++t) norm[t] = share / (norm[t] * share + spec.eps);
    }
    tiles.rotate(first, count, queries);
    const MapF out = y.image(static_cast<int>(head / spec.heads))
                         .channels(static_cast<int>(head % spec.heads) * dv, dv);
    kernels_.gemm(queries, d, states.packed(head), out.row(first), out.ld, count, dv, d, {});
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
  const auto fill = [&](std::ptrdiff_t i, std::ptrdiff_t first, std::ptrdiff_t tokens, float* ks,
                        float* vs) {
    const CMapF keys = b.image(image(i)).channels(group(i) * state, state);
    const float one = 1.0f;
    kernels_.scale_rows(keys.row(first), keys.ld, &one, 0, ks, state, tokens, state);
    for (int head = 0; head < heads; ++head) {
      const int at = first_head(i) + head;
      kernels_.scale_rows(x.image(image(i)).row(first) + at * p, x.ld,
                          weight.image(image(i)).row(first) + at, weight.ld, vs + head * p, columns,
                          tokens, p);
    }
    return CMapF(vs, 1, 1, static_cast<int>(tokens), columns);
  };
  states.sum(ctx, fill, [](std::ptrdiff_t, std::ptrdiff_t, float*) {});
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
    kernels_.gemm(queries.row(first), queries.ld, states.packed(i),
                  y.image(image(i)).row(first) + column, y.ld, blocks.size(task % blocks.parts()),
                  columns, state, e);
  });
}

}  // namespace fovea
