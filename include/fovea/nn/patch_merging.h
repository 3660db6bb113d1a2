// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <utility>

#include "fovea/nn/linear.h"
#include "fovea/nn/norm.h"

namespace fovea::nn {

// reduction(norm(2x2 neighbours side by side)): halves the resolution as Swin does
// (arXiv:2103.14030). Binds "norm" (4 in) and "reduction" (out, 4 in).
class PatchMerging {
 public:
  PatchMerging(const Params& p, int in, int out, float eps)
      : path_(p.path()),
        backend_(&p.backend()),
        norm_(std::in_place, p / "norm", 4 * in, eps),
        reduction_(p / "reduction", 4 * in, out, /*bias=*/false) {}
  // With a layer that the norm has been folded into.
  PatchMerging(const Params& p, Linear reduction)
      : path_(p.path()), backend_(&p.backend()), reduction_(std::move(reduction)) {}

  // x (n, h, w, in) -> (n, ceil(h / 2), ceil(w / 2), out), in the workspace.
  MapF forward(CMapF x, Context& ctx) const {
    const int h = (x.h + 1) / 2, w = (x.w + 1) / 2;
    const MapF y = ctx.workspace().map(x.n, h, w, reduction_.out());
    const Workspace::Scope scope(ctx.workspace());
    const MapF merged = ctx.workspace().map(x.n, h, w, 4 * x.c);
    backend_->patch_merge(x, merged, ctx);
    if (norm_) norm_->forward(merged, merged, ctx);
    reduction_.forward(merged, y, ctx);
    ctx.tap(path_, y);
    return y;
  }

 private:
  std::string path_;
  const Backend* backend_;
  std::optional<LayerNorm> norm_;
  Linear reduction_;
};

}  // namespace fovea::nn
