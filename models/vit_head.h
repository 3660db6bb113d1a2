// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>
#include <string>

#include "fovea/nn/attention.h"
#include "fovea/nn/linear.h"
#include "fovea/nn/norm.h"
#include "models/family_tools.h"
#include "models/vit_variants.h"

namespace fovea::models {

// The width of an MLP's hidden layer, truncated as the reference does it.
inline int vit_hidden_width(const VitConfig& c) {
  const double width = c.embed_dim * c.mlp_ratio;
  if (!(width >= 1 && width <= 1 << 24)) {
    wrong_argument("mlp_ratio", "a hidden width from 1 to 2^24", std::to_string(width));
  }
  return static_cast<int>(width);
}

// Pooling, norm, classifier.
class VitHead {
  using Pool = VitConfig::Pool;

 public:
  VitHead(const Params& p, const VitConfig& c, bool fc_norm, int prefix_tokens)
      : backend_(&p.backend()),
        pool_(c.global_pool),
        first_(c.pool_include_prefix ? 0 : prefix_tokens),
        half_(static_cast<std::size_t>(std::max(c.embed_dim, c.num_classes))),
        features_(c.global_pool == Pool::token_avg ? 2 * c.embed_dim : c.embed_dim) {
    std::fill(half_.begin(), half_.end(), 0.5f);
    if (pool_ == Pool::map) {
      attn_pool_.emplace(p / "attn_pool", c.embed_dim, c.num_heads, vit_hidden_width(c), c.norm_eps,
                         c.act);
    }
    if (fc_norm) fc_norm_.emplace(p / "fc_norm", c.embed_dim, c.norm_eps);
    distilled_ = c.distilled && c.distilled_head;
    if (c.num_classes == 0) return;
    head_.emplace(p / "head", features_, c.num_classes);
    if (distilled_) head_dist_.emplace(p / "head_dist", c.embed_dim, c.num_classes);
  }

  int classes() const { return head_ ? head_->out() : 0; }
  // Channels before the classifier.
  int features() const { return features_; }

  // x (n, 1, l, embed_dim) -> y (n, 1, 1, classes() or features()).
  void forward(CMapF x, bool pre_logits, MapF y, Context& ctx) const {
    const bool classify = head_.has_value() && !pre_logits;
    if (distilled_) return mean_of_two(token(x, 0), token(x, 1), classify, y, ctx);
    const Workspace::Scope scope(ctx.workspace());
    const MapF pooled = ctx.workspace().map(x.n, 1, 1, features_);
    pool(x, pooled, ctx);
    if (fc_norm_) fc_norm_->forward(pooled, pooled, ctx);
    if (classify) {
      head_->forward(pooled, y, ctx);
    } else {
      backend_->apply(pooled, {}, y, ctx);
    }
  }

 private:
  // Token t of every image: (n, 1, 1, c).
  static CMapF token(CMapF x, int t) { return {x.row(t), x.n, 1, 1, x.c, x.ld * x.w}; }

  // DeiT's two tokens and classifiers count alike.
  void mean_of_two(CMapF a, CMapF b, bool classify, MapF y, Context& ctx) const {
    const Epilogue mean = {.scale = half_.data(), .residual = y, .residual_scale = half_.data()};
    if (classify) {
      head_->forward(a, y, ctx);
      head_dist_->forward(b, y, ctx, mean);
    } else {
      backend_->apply(a, {}, y, ctx);
      backend_->apply(b, mean, y, ctx);
    }
  }

  void pool(CMapF x, MapF y, Context& ctx) const {
    if (pool_ == Pool::token) return backend_->apply(token(x, 0), {}, y, ctx);
    if (pool_ == Pool::token_avg) {
      backend_->apply(token(x, 0), {}, y.channels(0, x.c), ctx);
      y = y.channels(x.c, x.c);
    }
    const int count = x.w - first_;
    for (int i = 0; i < x.n; ++i) {
      const CMapF tokens = x.image(i).token_range(first_, count);
      const MapF out = y.image(i);
      if (pool_ == Pool::map) {
        attn_pool_->forward(tokens, out, ctx);
        continue;
      }
      if (pool_ != Pool::max) backend_->global_average(tokens, out, ctx);
      if (pool_ == Pool::max || pool_ == Pool::avgmax) maximum(tokens, out, ctx);
    }
  }

  // With avgmax, y is the average already.
  void maximum(CMapF x, MapF y, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF most = ctx.workspace().map(1, 1, 1, x.c);
    Pool2dSpec spec;
    spec.kind = Pool2dSpec::Kind::max;
    spec.kernel_w = x.w;
    backend_->pool2d(x, spec, most, ctx);
    Epilogue epilogue;
    if (pool_ == Pool::avgmax) {
      epilogue = {.scale = half_.data(), .residual = y, .residual_scale = half_.data()};
    }
    backend_->apply(most, epilogue, y, ctx);
  }

  const Backend* backend_;
  Pool pool_;
  int first_;  // of the tokens that are pooled
  bool distilled_ = false;
  FloatBuffer half_;
  int features_;
  std::optional<nn::AttentionPool> attn_pool_;
  std::optional<nn::LayerNorm> fc_norm_;
  std::optional<nn::Linear> head_, head_dist_;
};

}  // namespace fovea::models
