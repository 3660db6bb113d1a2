// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/learned_positions.h"

#include "fovea/nn/position_embedding.h"

namespace fovea::nn {

LearnedPositions::LearnedPositions(const Params& p, std::string_view name, int h, int w, int c)
    : backend_(&p.backend()), h_(h), w_(w) {
  const Tensor table = p.get(name, {1, static_cast<std::int64_t>(h) * w, c});
  if (table.has_data()) table_ = table.to_floats();
}

void LearnedPositions::add(MapF x, Context& ctx) const {
  const Workspace::Scope scope(ctx.workspace());
  CMapF table(table_.data(), 1, x.h, x.w, x.c);
  if (x.h != h_ || x.w != w_) {
    const MapF resized = ctx.workspace().map(1, x.h, x.w, x.c);
    if (!ctx.dry_run()) resize_grid_plain(table_.data(), h_, w_, x.c, x.h, x.w, resized.data);
    table = resized;
  }
  for (int i = 0; i < x.n; ++i) {
    backend_->apply(x.image(i), {.residual = table}, x.image(i), ctx);
  }
}

}  // namespace fovea::nn
