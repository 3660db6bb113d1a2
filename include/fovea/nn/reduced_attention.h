// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <utility>

#include "fovea/nn/conv2d.h"
#include "fovea/nn/linear.h"
#include "fovea/nn/mixer.h"
#include "fovea/nn/norm.h"

namespace fovea::nn {

// What queries, keys and values come from in ReducedAttention.
struct ReducedProjections {
  Linear q, kv;
  std::optional<Conv2d> reduce;   // makes the map smaller that keys and values come from
  std::optional<LayerNorm> norm;  // of the smaller map
};

// Binds "q" and "kv", and with a reduction of more than 1 "sr" and "norm".
inline ReducedProjections reduced_projections(const Params& p, int c, int reduction, float norm_eps,
                                              bool qkv_bias) {
  ReducedProjections parts = {
      Linear(p / "q", c, c, qkv_bias), Linear(p / "kv", c, 2 * c, qkv_bias), {}, {}};
  if (reduction > 1) {
    parts.reduce.emplace(p / "sr", c, c, reduction, Conv2dSpec::square(reduction, 0));
    parts.norm.emplace(p / "norm", c, norm_eps);
  }
  return parts;
}

// Attention whose keys and values come from a map made smaller by a convolution: the spatial
// reduction of PVT (arXiv:2102.12122). Mixing has the forward() of SoftmaxMixing. Binds "proj"; the
// rest comes bound.
template <class Mixing>
class ReducedAttention final : public Mixer {
 public:
  ReducedAttention(const Params& p, ReducedProjections parts, Mixing mixing)
      : parts_(std::move(parts)),
        mixing_(std::move(mixing)),
        proj_(p / "proj", parts_.q.out(), parts_.q.out()) {}

  void forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const override {
    const Workspace::Scope scope(ctx.workspace());
    const MapF q = ctx.workspace().map_like(x);
    parts_.q.forward(x, q, ctx);
    const CMapF source = parts_.reduce ? reduced(x, ctx) : x;
    const MapF kv = ctx.workspace().map(source.n, source.h, source.w, 2 * x.c);
    parts_.kv.forward(source, kv, ctx);
    const MapF mixed = ctx.workspace().map_like(x);
    mixing_.forward(q, kv.channels(0, x.c), kv.channels(x.c, x.c), mixed, ctx);
    proj_.forward(mixed, y, ctx, epilogue);
  }

 private:
  CMapF reduced(CMapF x, Context& ctx) const {
    const MapF y = parts_.reduce->output_map(x, ctx);
    parts_.reduce->forward(x, y, ctx);
    if (parts_.norm) parts_.norm->forward(y, y, ctx);
    return y;
  }

  ReducedProjections parts_;
  Mixing mixing_;
  Linear proj_;
};

}  // namespace fovea::nn
