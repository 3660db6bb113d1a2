// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>

#include "fovea/backend/backend.h"

namespace fovea::nn {

// body(first, count, ctx) for ranges that cover the rows [0, rows) of some maps: a chain of
// operators that all work row by row (norms, gates, linear layers, MLPs), each range passing
// through the whole chain while it is in the cache of one core. A chain over whole maps would fetch
// every intermediate map from memory again. The results are the same bits.
//
// `floats`: those of a row that the chain touches, in all its maps. The body must use the context
// that it is given, which has one thread and its own workspace where several ranges run at once.
// Small maps, rows so long that few of them fill a cache (there the arithmetic counts, and weights
// want many rows), and all maps of backends without wants_strips() are one range.
template <class Body>
void for_row_strips(const Backend& backend, std::ptrdiff_t rows, std::ptrdiff_t floats,
                    Context& ctx, const Body& body) {
  constexpr std::ptrdiff_t kCache = 262144;  // floats of maps that stay where they are
  constexpr std::ptrdiff_t kStrip = 65536;   // floats of a strip
  constexpr std::ptrdiff_t kLeastRows = 64, kMostRows = 512;
  const std::ptrdiff_t strip = std::min(kStrip / floats, kMostRows);
  const std::ptrdiff_t strips = strip < kLeastRows ? 1 : (rows + strip - 1) / strip;
  const bool watched = ctx.observer() != nullptr && ctx.threads() > 1;  // one operator at a time
  const bool worth_it =
      rows > kCache / floats && strips >= 4 * static_cast<std::ptrdiff_t>(ctx.threads());
  if (!backend.wants_strips() || !worth_it || ctx.dry_run() || watched) {
    return body(std::ptrdiff_t{0}, rows, ctx);
  }
  ctx.for_parts(strips, [&](std::ptrdiff_t i, Context& own) {
    const std::ptrdiff_t first = i * rows / strips;
    body(first, (i + 1) * rows / strips - first, own);
  });
}

// The part of an epilogue for some rows.
inline Epilogue epilogue_rows(Epilogue e, std::ptrdiff_t first, std::ptrdiff_t count) {
  if (!e.residual.empty()) e.residual = e.residual.row_range(first, static_cast<int>(count));
  return e;
}

}  // namespace fovea::nn
