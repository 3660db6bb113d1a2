// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/rank_augmented_attention.h"

#include <string>

#include "fovea/nn/attention_scale.h"

namespace fovea::nn {

RankAugmentedAttention::RankAugmentedAttention(const Params& p, int c, int heads,
                                               GatedAttentionForm form)
    : backend_(&p.backend()),
      heads_(heads),
      form_(form),
      scale_(0.0f),
      qkvo_(p / "qkvo", c, 4 * c, true, LinearForm::conv1x1),
      lepe_(p / "lepe", c, c, 5, Conv2dSpec::square(1, 2, c)),
      proj_(p / "proj", c, c, true, LinearForm::conv1x1) {
  if (heads < 1 || c % heads != 0) {
    throw Error(Error::Kind::argument, "attention \"" + p.path() + "\": " + std::to_string(c) +
                                           " channels do not divide into " + std::to_string(heads) +
                                           " heads");
  }
  scale_ = attention_scale(c / heads);
}

void RankAugmentedAttention::forward(CMapF x, MapF y, const RotarySpec& rotary, Context& ctx,
                                     const Epilogue& epilogue) const {
  const Workspace::Scope scope(ctx.workspace());
  const int c = x.c;
  const MapF qkvo = ctx.workspace().map(x.n, x.h, x.w, 4 * c);
  qkvo_.forward(x, qkvo, ctx);
  const MapF q = qkvo.channels(0, c), k = qkvo.channels(c, c), v = qkvo.channels(2 * c, c);
  const MapF mixed = ctx.workspace().map_like(x), gated = ctx.workspace().map_like(x);
  if (form_ == GatedAttentionForm::linear) {
    LinearAttentionSpec spec;
    spec.heads = heads_;
    spec.map = FeatureMap::elu_plus_one;
    spec.mean = true;
    spec.augment = true;
    spec.augment_scale = scale_;
    spec.rotary = rotary;
    backend_->linear_attention(q, k, v, spec, mixed, ctx);
  } else {
    backend_->rotary(q, heads_, rotary, q, ctx);
    backend_->rotary(k, heads_, rotary, k, ctx);
    AttentionSpec spec;
    spec.heads = heads_;
    spec.scale = scale_;
    backend_->attention(q.tokens(), k.tokens(), v.tokens(), spec, mixed.tokens(), ctx);
  }
  lepe_.forward(v, gated, ctx, {.residual = mixed});
  backend_->multiply(gated, qkvo.channels(3 * c, c), gated, ctx);
  proj_.forward(gated, y, ctx, epilogue);
}

}  // namespace fovea::nn
