// SPDX-License-Identifier: Apache-2.0
// MR queries at a time: their scores against all keys, panel by panel, go into scratch; there they
// become exponentials; these times the values, panel by panel, go out, divided by their sum.
#pragma once

#include "kernels/attention/attention.h"
#include "kernels/eltwise/epilogue_tile.h"
#include "kernels/gemm/tile_steps.h"
#include "kernels/softmax/softmax_row.h"

namespace fovea::FOVEA_ISA {

using kernels::AttentionRows;

// Vectors of columns in panels of nearly equal width, kTileVecs at most: a narrow last one would
// have too few multiply-adds for what it loads.
struct Panels {
  int vecs, parts;

  FOVEA_INLINE explicit Panels(int v) : vecs(v), parts((v + kTileVecs - 1) / kTileVecs) {}
  FOVEA_INLINE int begin(int i) const { return i * vecs / parts; }
  FOVEA_INLINE int width(int i) const { return begin(i + 1) - begin(i); }
};

// Keys are the columns of the first product.  A few more than fill whole vectors, as the 49th of a
// window, are multiplied one by one: a vector of columns of its own would cost more.
struct KeyColumns {
  Panels panels;
  int single;

  FOVEA_INLINE explicit KeyColumns(int keys)
      : panels((keys + Vec::kLanes - 1 - kMostSingle) / Vec::kLanes),
        single(greater(keys - panels.vecs * Vec::kLanes, 0)) {}

 private:
  static constexpr int kMostSingle = Vec::kLanes / 5;
};

FOVEA_INLINE Panels value_panels(int dv) { return Panels((dv + Vec::kLanes - 1) / Vec::kLanes); }

// f(Index<n>) for a number of vectors n known at run time.
template <class F>
FOVEA_INLINE void with_vectors(int n, const F& f) {
  unroll<kTileVecs>([&](auto i) FOVEA_INLINE_LAMBDA {
    constexpr int kVecs = decltype(i)::value + 1;
    if (n == kVecs) f(Index<kVecs>());
  });
}

// f(lanes) for the last vector of a panel that has `columns` columns.
template <int NV, class F>
FOVEA_INLINE void with_last_lanes(int columns, const F& f) {
  if (columns >= NV * Vec::kLanes) {
    f(AllLanes());
  } else {
    f(FirstLanes{columns - (NV - 1) * Vec::kLanes});
  }
}

// acc(i, :) += from(i, :), rows ld apart.
template <int MR, int NV, class Last>
FOVEA_INLINE void add_tile(Vec (&acc)[MR][NV], const float* from, std::ptrdiff_t ld, Last last) {
  update_tile(acc, [&](Vec v, auto i, auto j) FOVEA_INLINE_LAMBDA {
    constexpr int kVec = decltype(j)::value;
    const float* const at = from + decltype(i)::value * ld + kVec * Vec::kLanes;
    if constexpr (kVec == NV - 1) {
      return add(v, load(at, last));
    } else {
      return add(v, load(at));
    }
  });
}

// acc = A B over `depth` steps: element(i, p) of A, rows of NV vectors of B.
template <int MR, int NV, class Element>
FOVEA_INLINE void multiply_tile(Vec (&acc)[MR][NV], const float* b, int depth,
                                const Element& element) {
  clear(acc);
  const auto step = [&](int p) FOVEA_INLINE_LAMBDA {
    gemm_step(acc, b, [&](auto i) FOVEA_INLINE_LAMBDA { return element(i, p); });
    b += NV * Vec::kLanes;
  };
  int p = 0;
  for (; p + 2 <= depth; p += 2) {
    step(p);
    step(p + 1);
  }
  if (p < depth) step(p);
}

// Scores of the queries from `row` on and the keys of one panel, from column j on.
template <int MR, int NV>
[[gnu::noinline]] void score_panel(const AttentionRows& a, std::ptrdiff_t row, int j,
                                   const float* panel, std::ptrdiff_t stride) {
  const float* q[MR];
  unroll<MR>([&](auto i)
                 FOVEA_INLINE_LAMBDA { q[decltype(i)::value] = a.q[row + decltype(i)::value]; });
  Vec acc[MR][NV];
  multiply_tile(acc, panel, a.d,
                [&](auto i, int p) FOVEA_INLINE_LAMBDA { return q[decltype(i)::value][p]; });
  const Vec scale = splat(a.scale);
  update_tile(acc, [&](Vec v, auto, auto) FOVEA_INLINE_LAMBDA { return mul(v, scale); });
  with_last_lanes<NV>(a.keys - j, [&](auto last) FOVEA_INLINE_LAMBDA {
    if (a.bias != nullptr) add_tile(acc, a.bias + row * a.ldb + j, a.ldb, last);
    if (a.mask != nullptr) add_tile(acc, a.mask + row * a.ldm + j, a.ldm, last);
  });
  update_tile(acc, [&](Vec v, auto i, auto c) FOVEA_INLINE_LAMBDA {
    store(a.scores + decltype(i)::value * stride + j + decltype(c)::value * Vec::kLanes, v);
    return v;
  });
}

// Scores of the queries from `row` on and one key, column j.
template <int MR>
FOVEA_INLINE void score_single(const AttentionRows& a, std::ptrdiff_t row, int j, const float* key,
                               std::ptrdiff_t stride) {
  Vec acc[MR];
  unroll<MR>([&](auto i) FOVEA_INLINE_LAMBDA { acc[decltype(i)::value] = splat(0.0f); });
  for_vectors(a.d, [&](int p, auto lanes) FOVEA_INLINE_LAMBDA {
    const Vec k = load(key + p, lanes);
    unroll<MR>([&](auto i) FOVEA_INLINE_LAMBDA {
      constexpr int kRow = decltype(i)::value;
      const Vec term = fma(load(a.q[row + kRow] + p, lanes), k, acc[kRow]);
      acc[kRow] = keep(lanes, term, acc[kRow]);
    });
  });
  unroll<MR>([&](auto i) FOVEA_INLINE_LAMBDA {
    constexpr int kRow = decltype(i)::value;
    float s = reduce_add(acc[kRow]) * a.scale;
    if (a.bias != nullptr) s += a.bias[(row + kRow) * a.ldb + j];
    if (a.mask != nullptr) s += a.mask[(row + kRow) * a.ldm + j];
    a.scores[kRow * stride + j] = s;
  });
}

// Columns of the output from j on: one panel of the values.
template <int MR, int NV>
[[gnu::noinline]] void value_panel(const AttentionRows& a, std::ptrdiff_t row, int j,
                                   const float* panel, std::ptrdiff_t stride,
                                   const Vec (&inverse)[MR]) {
  Vec acc[MR][NV];
  multiply_tile(acc, panel, a.keys, [&](auto i, int p) FOVEA_INLINE_LAMBDA {
    return a.scores[decltype(i)::value * stride + p];
  });
  with_last_lanes<NV>(a.dv - j, [&](auto last) FOVEA_INLINE_LAMBDA {
    update_tile(acc, [&](Vec v, auto i, auto c) FOVEA_INLINE_LAMBDA {
      constexpr int kVec = decltype(c)::value;
      float* const to = a.y[row + decltype(i)::value] + j + kVec * Vec::kLanes;
      const Vec out = mul(v, inverse[decltype(i)::value]);
      if constexpr (kVec == NV - 1) {
        store(to, last, out);
      } else {
        store(to, out);
      }
      return v;
    });
  });
}

template <int MR>
void attention_tile(const AttentionRows& a, std::ptrdiff_t row) {
  const KeyColumns columns(a.keys);
  const std::ptrdiff_t stride = (a.keys + 15) / 16 * 16;
  const float* packed = a.packed;
  int j = 0;
  for (int i = 0; i < columns.panels.parts; ++i) {
    const int vecs = columns.panels.width(i);
    with_vectors(vecs, [&](auto n) FOVEA_INLINE_LAMBDA {
      score_panel<MR, decltype(n)::value>(a, row, j, packed, stride);
    });
    j += vecs * Vec::kLanes;
    packed += static_cast<std::ptrdiff_t>(vecs) * Vec::kLanes * a.d;
  }
  for (int i = 0; i < columns.single; ++i, packed += a.d) {
    score_single<MR>(a, row, j + i, packed, stride);
  }
  Vec inverse[MR];
  exponentials(a.scores, stride, a.scores, stride, a.keys, inverse);
  const Panels values = value_panels(a.dv);
  for (int i = 0; i < values.parts; ++i) {
    const int vecs = values.width(i);
    with_vectors(vecs, [&](auto n) FOVEA_INLINE_LAMBDA {
      value_panel<MR, decltype(n)::value>(a, row, values.begin(i) * Vec::kLanes, packed, stride,
                                          inverse);
    });
    packed += static_cast<std::ptrdiff_t>(vecs) * Vec::kLanes * a.keys;
  }
}

template <class Sequence>
struct AttentionTiles;
template <int... I>
struct AttentionTiles<std::integer_sequence<int, I...>> {
  static constexpr decltype(&attention_tile<1>) kOfRows[] = {&attention_tile<I + 1>...};
};
using AllAttentionTiles = AttentionTiles<std::make_integer_sequence<int, kGemmRows>>;

void attention(const AttentionRows& a, std::ptrdiff_t rows, const Ahead& ahead) noexcept {
  const std::ptrdiff_t tiles = (rows + kGemmRows - 1) / kGemmRows;
  AheadRows later(ahead, tiles);
  for (std::ptrdiff_t t = 0; t < tiles; ++t) {
    const std::ptrdiff_t begin = t * rows / tiles, count = (t + 1) * rows / tiles - begin;
    later.fetch_some();
    AllAttentionTiles::kOfRows[count - 1](a, begin);
  }
}

void pack_attention(const float* const* k, const float* const* v, int keys, int d, int dv,
                    float* packed) noexcept {
  const KeyColumns columns(keys);
  int j = 0;
  for (int i = 0; i < columns.panels.parts; ++i) {
    const int vecs = columns.panels.width(i);
    for (int c = 0; c < vecs; ++c, j += Vec::kLanes) {
      pack_columns([&](int r) FOVEA_INLINE_LAMBDA { return k[j + r]; }, keys - j, d,
                   packed + c * Vec::kLanes, vecs * Vec::kLanes);
    }
    packed += static_cast<std::ptrdiff_t>(vecs) * Vec::kLanes * d;
  }
  for (; j < keys; ++j, packed += d) {
    for_vectors(d, [&](int p, auto lanes)
                       FOVEA_INLINE_LAMBDA { store(packed + p, lanes, load(k[j] + p, lanes)); });
  }
  const Panels values = value_panels(dv);
  for (int i = 0; i < values.parts; ++i) {
    const int first = values.begin(i) * Vec::kLanes;
    const int width = values.width(i) * Vec::kLanes;
    for (int p = 0; p < keys; ++p, packed += width) {
      for (int c = 0; c < width; c += Vec::kLanes) {
        const int have = dv - first - c;
        const float* const from = v[p] + first + c;
        store(packed + c, have >= Vec::kLanes ? load(from) : load_n(from, have));
      }
    }
  }
}

}  // namespace fovea::FOVEA_ISA
