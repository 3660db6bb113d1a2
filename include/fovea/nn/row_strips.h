// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "fovea/backend/backend.h"

namespace fovea::nn {

// A range of the rows of some maps, on its way through a chain of operators.
struct RowStrip {
  std::ptrdiff_t first;
  int count;
  int next;      // rows of the strip that follows in this context; 0: none does
  Context& ctx;  // for the operators of the chain

  template <class T>
  Map<T> of(const Map<T>& m) const {
    return m.row_range(first, count);
  }
  // The part of an epilogue for these rows.
  Epilogue of(Epilogue e) const {
    if (!e.residual.empty()) e.residual = of(e.residual);
    return e;
  }
  // Announces that the next strip will read its rows of m: to be called just before the chain's
  // last linear layer, during which they come from memory.
  void expect_next(const CMapF& m) const {
    if (next > 0) ctx.expect(m.row_range(first + count, next));
  }
};

// body(RowStrip) for ranges that cover the rows [0, rows) of some maps: a chain of operators that
// all work row by row (norms, gates, linear layers, MLPs), each range passing through the whole
// chain while it is in the cache of one core. A chain over whole maps would fetch every
// intermediate map from memory again. The results are the same bits.
//
// `floats`: those of a row that the chain touches, in all its maps. The body must use the context
// of the strip, which has one thread and its own workspace where several ranges run at once. Small
// maps, rows so long that few of them fill a cache (there the arithmetic counts, and weights want
// many rows), and all maps of backends without wants_strips() are one range.
template <class Body>
void for_row_strips(const Backend& backend, std::ptrdiff_t rows, std::ptrdiff_t floats,
                    Context& ctx, const Body& body) {
  constexpr std::ptrdiff_t kCache = 262144;  // floats of maps that stay where they are
  constexpr std::ptrdiff_t kStrip = 65536;   // floats of a strip
  constexpr std::ptrdiff_t kLeastRows = 64, kMostRows = 512;
  const std::ptrdiff_t strip = std::min(kStrip / floats, kMostRows);
  const std::ptrdiff_t strips = strip < kLeastRows ? 1 : (rows + strip - 1) / strip;
  // Threads take several strips in a row, so that one knows what comes next.
  const std::ptrdiff_t runs = ctx.threads() == 1 ? 1 : std::ptrdiff_t{8} * ctx.threads();
  const bool watched = ctx.observer() != nullptr && ctx.threads() > 1;  // one operator at a time
  const bool worth_it = rows > kCache / floats && strips >= std::ptrdiff_t{4} * ctx.threads();
  if (!backend.wants_strips() || !worth_it || ctx.dry_run() || watched) {
    return body(RowStrip{0, static_cast<int>(rows), 0, ctx});
  }
  const auto begin = [&](std::ptrdiff_t i) { return i * rows / strips; };
  ctx.for_parts(runs, [&](std::ptrdiff_t run, Context& own) {
    const std::ptrdiff_t end = (run + 1) * strips / runs;
    for (std::ptrdiff_t i = run * strips / runs; i < end; ++i) {
      const std::ptrdiff_t next = i + 1 < end ? begin(i + 2) - begin(i + 1) : 0;
      body(RowStrip{begin(i), static_cast<int>(begin(i + 1) - begin(i)), static_cast<int>(next),
                    own});
    }
  });
}

}  // namespace fovea::nn
