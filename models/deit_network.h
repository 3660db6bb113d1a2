// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "models/family_tools.h"
#include "models/vit_embedding.h"
#include "models/vit_head.h"

// What networks on the plan of DeiT (arXiv:2012.12877) have in common, whatever mixes their tokens.
namespace fovea::models {

// The arguments of the authors' VisionTransformer, which the networks built on it have kept.
inline void read_deit_args(const ModelArgs& args, VitConfig& c) {
  read_vit_sizes(args, c);
  if (int width = 0; args.has("representation_size")) {
    args.read("representation_size", width);
    if (width != 0) {
      wrong_argument("representation_size", "none, as a layer before the head is not supported",
                     std::to_string(width));
    }
  }
  args.ignore({"drop_rate", "attn_drop_rate", "drop_path_rate", "weight_init"});
}

inline void check_deit_config(const VitConfig& c) {
  if (c.img_size.h < c.patch_size.h || c.img_size.w < c.patch_size.w) {
    wrong_argument("img_size", "at least one patch", size_string(c.img_size));
  }
}

// Block has forward(x, ctx) for (n, 1, tokens, embed_dim) in place, Norm forward(x, y, ctx).
template <class Block, class Norm>
class DeitNetwork final : public Backbone {
 public:
  // make_block(Params, i) makes the i-th block.
  template <class MakeBlock>
  DeitNetwork(const Params& p, std::string_view family, const VitConfig& c, Norm norm,
              const MakeBlock& make_block)
      : family_(family),
        config_(c),
        embedding_(p, c),
        norm_(std::move(norm)),
        head_(p, c, /*fc_norm=*/false, embedding_.prefix_tokens()) {
    blocks_.reserve(static_cast<std::size_t>(c.depth));
    for (int i = 0; i < c.depth; ++i) {
      const Params block = p / "blocks" / i;
      blocks_.push_back(make_block(block, i));
      feature_info_.push_back(
          {c.embed_dim, std::max(c.patch_size.h, c.patch_size.w), block.path()});
    }
  }

  std::span<const FeatureInfo> feature_info() const override { return feature_info_; }
  int num_features() const override { return config_.embed_dim; }
  int num_classes() const override { return head_.classes(); }
  Size2d input_size() const override { return config_.img_size; }
  void check_size(Size2d size) const override {
    require_built_size(family_, config_.img_size, size);
  }

  // -> (n, 1, class token + patches, embed_dim), normalised.
  MapF forward_features(CMapF image, Context& ctx, const FeatureSink* sink) const override {
    const MapF x = embedding_.forward(image, ctx);
    const Size2d grid = embedding_.grid({image.h, image.w});
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      blocks_[i].forward(x, ctx);
      ctx.tap(feature_info_[i].module, x);
      if (sink != nullptr) embedding_.emit(static_cast<int>(i), x, grid, *sink, ctx);
    }
    const MapF y = ctx.workspace().map_like(x);
    norm_.forward(x, y, ctx);
    ctx.tap("norm", y);
    return y;
  }

  void forward_head(CMapF features, bool pre_logits, MapF y, Context& ctx) const override {
    head_.forward(features, pre_logits, y, ctx);
  }

 private:
  std::string_view family_;
  VitConfig config_;
  VitEmbedding embedding_;
  std::vector<Block> blocks_;
  std::vector<FeatureInfo> feature_info_;
  Norm norm_;
  VitHead head_;
};

}  // namespace fovea::models
