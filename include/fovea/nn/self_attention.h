// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <utility>

#include "fovea/nn/attention_scale.h"
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
    spec_.scale = scale != 0.0f ? scale : attention_scale(c / heads);
  }

  // q, y (n, h, w, c); k, v (n, any, any, c).
  void forward(CMapF q, CMapF k, CMapF v, MapF y, Context& ctx) const {
    backend_->attention(q.tokens(), k.tokens(), v.tokens(), spec_, y.tokens(), ctx);
  }

 private:
  const Backend* backend_;
  AttentionSpec spec_;
};

// proj(mixing(q, k, v)) with q, k and v side by side from one layer: attention of a map, of windows
// side by side as images, or of a token sequence. Mixing has the forward() of SoftmaxMixing. Binds
// "qkv" and "proj"; the mixing comes bound.
template <class Mixing>
class SelfAttention final : public Mixer {
 public:
  SelfAttention(const Params& p, int c, bool qkv_bias, Mixing mixing)
      : SelfAttention(p, Linear(p / "qkv", c, 3 * c, qkv_bias), std::move(mixing)) {}
  // With a layer that something has been folded into.
  SelfAttention(const Params& p, Linear qkv, Mixing mixing)
      : qkv_(std::move(qkv)),
        mixing_(std::move(mixing)),
        proj_(p / "proj", qkv_.out() / 3, qkv_.out() / 3) {}

  void forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const override {
    const Workspace::Scope scope(ctx.workspace());
    const int c = proj_.in();
    const MapF qkv = ctx.workspace().map(x.n, x.h, x.w, 3 * c);
    const MapF mixed = ctx.workspace().map(x.n, x.h, x.w, c);
    qkv_.forward(x, qkv, ctx);
    mixing_.forward(qkv.channels(0, c), qkv.channels(c, c), qkv.channels(2 * c, c), mixed, ctx);
    proj_.forward(mixed, y, ctx, epilogue);
  }

 private:
  Linear qkv_;
  Mixing mixing_;
  Linear proj_;
};

}  // namespace fovea::nn
