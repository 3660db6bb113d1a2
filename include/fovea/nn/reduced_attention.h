// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "fovea/nn/conv2d.h"
#include "fovea/nn/linear.h"
#include "fovea/nn/mixer.h"

namespace fovea::nn {

// softmax(scale q k^T) v: the plainest of what mixes tokens, given queries, keys and values.
class SoftmaxMixing {
 public:
  // scale 0: 1 / sqrt(channels of a head). Throws Error(argument) when heads do not divide c.
  SoftmaxMixing(const Params& p, int c, int heads, float scale = 0.0f) : backend_(&p.backend()) {
    if (heads < 1 || c % heads != 0) {
      throw Error(Error::Kind::argument, "attention \"" + p.path() + "\": " + std::to_string(c) +
                                             " channels do not divide into " +
                                             std::to_string(heads) + " heads");
    }
    spec_.heads = heads;
    spec_.scale =
        scale != 0.0f ? scale : static_cast<float>(1.0 / std::sqrt(static_cast<double>(c / heads)));
  }

  // q, y (n, h, w, c); k, v (n, any, any, c).
  void forward(CMapF q, CMapF k, CMapF v, MapF y, Context& ctx) const {
    backend_->attention(q.tokens(), k.tokens(), v.tokens(), spec_, y.tokens(), ctx);
  }

 private:
  const Backend* backend_;
  AttentionSpec spec_;
};

// Attention whose keys and values come from a map made `reduction` times smaller by a convolution
// and normalised: the spatial reduction of PVT (arXiv:2102.12122). Mixing has the forward() of
// SoftmaxMixing; Norm(Params, channels, eps). Binds "q", "kv", "proj", with a reduction "sr" and
// "norm", and what Mixing does.
template <class Norm, class Mixing>
class ReducedAttention final : public Mixer {
 public:
  ReducedAttention(const Params& p, int c, int reduction, float norm_eps, bool qkv_bias,
                   Mixing mixing)
      : q_(p / "q", c, c, qkv_bias),
        kv_(p / "kv", c, 2 * c, qkv_bias),
        mixing_(std::move(mixing)),
        proj_(p / "proj", c, c) {
    if (reduction < 2) return;
    reduce_.emplace(p / "sr", c, c, reduction, Conv2dSpec::square(reduction, 0));
    norm_.emplace(p / "norm", c, norm_eps);
  }

  void forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const override {
    const Workspace::Scope scope(ctx.workspace());
    const MapF q = ctx.workspace().map_like(x);
    q_.forward(x, q, ctx);
    const CMapF source = reduce_ ? reduced(x, ctx) : x;
    const MapF kv = ctx.workspace().map(source.n, source.h, source.w, 2 * x.c);
    kv_.forward(source, kv, ctx);
    const MapF mixed = ctx.workspace().map_like(x);
    mixing_.forward(q, kv.channels(0, x.c), kv.channels(x.c, x.c), mixed, ctx);
    proj_.forward(mixed, y, ctx, epilogue);
  }

 private:
  MapF reduced(CMapF x, Context& ctx) const {
    const MapF y = reduce_->output_map(x, ctx);
    reduce_->forward(x, y, ctx);
    norm_->forward(y, y, ctx);
    return y;
  }

  Linear q_, kv_;
  std::optional<Conv2d> reduce_;
  std::optional<Norm> norm_;
  Mixing mixing_;
  Linear proj_;
};

}  // namespace fovea::nn
