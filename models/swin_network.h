// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fovea/models/backbone.h"
#include "fovea/nn/conv2d.h"
#include "fovea/nn/head.h"
#include "fovea/nn/norm.h"
#include "fovea/nn/patch_merging.h"
#include "fovea/nn/window_attention.h"
#include "models/family_tools.h"

// What Swin, Swin V2 and networks on the plan of Swin have in common: everything but the inside of
// a block and of a merging.
namespace fovea::models {

struct SwinConfig {
  Size2d img_size = {224, 224};
  int patch_size = 4;
  int in_chans = 3;
  int num_classes = 1000;
  int embed_dim = 96;
  List<int> depths = {2, 2, 6, 2};
  List<int> num_heads = {3, 6, 12, 24};
  List<int> head_dim = {0};       // 0: channels / heads; Swin only
  List<int> window_size = {7};    // of all stages, or [h, w] of all, or one number for each
  bool always_partition = false;  // keep windows larger than the map, and the shift
  bool strict_img_size = true;    // accept images of img_size only
  List<double> mlp_ratio = {4.0};
  bool qkv_bias = true;
  float qk_scale = 0.0f;  // 0: 1 / sqrt(channels of a head)
  bool ape = false;       // learned positions, added to the patches
  float norm_eps = 1e-5f;
  bool patch_norm = true;   // a norm after the patches
  bool plain_head = false;  // the classifier's name is "head", not "head.fc"
  Activation act = Activation::Kind::gelu;
  List<int> pretrained_window_sizes = {0};  // 0: window_size; Swin V2 only

  int stages() const { return depths.size(); }
  int dim(int stage) const { return embed_dim << stage; }
};

// The arguments that every implementation has.
inline void read_common_swin_args(const ModelArgs& args, SwinConfig& c) {
  args.read("img_size", c.img_size);
  args.read("patch_size", c.patch_size, 1, 1024);
  args.read("in_chans", c.in_chans, 1);
  args.read("num_classes", c.num_classes, 0, 1 << 20);
  args.read("embed_dim", c.embed_dim, 1);
  args.read("depths", c.depths, 0, 1024);
  args.read("num_heads", c.num_heads, 1);
  args.read("qkv_bias", c.qkv_bias);
  args.ignore({"drop_rate", "attn_drop_rate", "drop_path_rate"});
}

// Those of timm.
inline void read_swin_args(const ModelArgs& args, SwinConfig& c) {
  read_common_swin_args(args, c);
  args.read("always_partition", c.always_partition);
  args.read("strict_img_size", c.strict_img_size);
  read_global_pool(args);
  args.ignore({"proj_drop_rate", "weight_init"});
}

inline void check_swin_config(const SwinConfig& c) {
  require_per_stage("num_heads", c.num_heads, c.stages());
  require_per_stage("head_dim", c.head_dim, c.stages());
  require_per_stage("mlp_ratio", c.mlp_ratio, c.stages());
  require_per_stage("pretrained_window_sizes", c.pretrained_window_sizes, c.stages());
  const int windows = c.window_size.size();
  if (windows > 2 && windows != c.stages()) {
    wrong_argument("window_size",
                   "one size, [height, width] or one size for each of " +
                       std::to_string(c.stages()) + " stages",
                   std::to_string(windows) + " values");
  }
  const int smallest = c.patch_size << (c.stages() - 1);
  if (c.img_size.h < smallest || c.img_size.w < smallest) {
    wrong_argument("img_size", "at least " + std::to_string(smallest) + " for this many stages",
                   size_string(c.img_size));
  }
}

// Windows of a stage: not larger than its map as the reference counts it (halves rounded down), and
// then without a shift; else odd blocks are shifted by half a window.
inline nn::WindowOptions swin_window(const SwinConfig& c, int stage, bool shifted) {
  const bool pair = c.window_size.size() == 2;
  const int window_h = pair ? c.window_size[0] : per_stage(c.window_size, stage);
  const int window_w = pair ? c.window_size[1] : window_h;
  const int h = (c.img_size.h / c.patch_size) >> stage, w = (c.img_size.w / c.patch_size) >> stage;
  nn::WindowOptions o;
  o.heads = per_stage(c.num_heads, stage);
  o.head_dim = per_stage(c.head_dim, stage);
  o.window_h = c.always_partition ? window_h : std::min(window_h, h);
  o.window_w = c.always_partition ? window_w : std::min(window_w, w);
  o.shift_h = shifted && (c.always_partition || h > window_h) ? window_h / 2 : 0;
  o.shift_w = shifted && (c.always_partition || w > window_w) ? window_w / 2 : 0;
  o.qkv_bias = c.qkv_bias;
  return o;
}

// The width of an MLP's hidden layer, truncated as the reference does it.
inline int swin_hidden_width(const SwinConfig& c, int stage) {
  const double width = c.dim(stage) * per_stage(c.mlp_ratio, stage);
  if (!(width >= 1 && width <= 1 << 24)) {
    wrong_argument("mlp_ratio", "a hidden width from 1 to 2^24", std::to_string(width));
  }
  return static_cast<int>(width);
}

// Images to patches: a convolution and, unless it has been folded or left out, a norm.
class SwinPatchEmbed {
 public:
  SwinPatchEmbed(const Params& p, const SwinConfig& c)
      : SwinPatchEmbed(p, nn::Conv2d(p / "proj", c.in_chans, c.embed_dim, c.patch_size,
                                     Conv2dSpec::square(c.patch_size, 0))) {
    if (c.patch_norm) norm_.emplace(p / "norm", c.embed_dim, c.norm_eps);
  }
  SwinPatchEmbed(const Params& p, nn::Conv2d proj) : path_(p.path()), proj_(std::move(proj)) {}

  // (n, h, w, in_chans) -> (n, h / patch, w / patch, embed_dim), in the workspace.
  MapF forward(CMapF image, Context& ctx) const {
    const MapF x = proj_.output_map(image, ctx);
    proj_.forward(image, x, ctx);
    if (norm_) norm_->forward(x, x, ctx);
    ctx.tap(path_, x);
    return x;
  }

 private:
  std::string path_;
  nn::Conv2d proj_;
  std::optional<nn::LayerNorm> norm_;
};

// What a network is made of besides its blocks.
template <class Merging, class Norm>
struct SwinParts {
  SwinPatchEmbed patch_embed;
  // From (p, in, out).
  std::function<Merging(const Params&, int, int)> make_merging;
  std::optional<Norm> norm;  // the last one
};

// Block has forward(x, ctx) in place; Merging has forward(x, ctx) from (n, h, w, in) to a map
// (n, ceil(h / 2), ceil(w / 2), out) in the workspace; Norm has forward(x, y, ctx).
template <class Block, class Merging, class Norm = nn::LayerNorm>
class SwinNetwork final : public Backbone {
 public:
  // Block(p, config, stage, window) and Merging(p, in, out, eps) bind.
  SwinNetwork(const Params& p, std::string_view family, const SwinConfig& c)
      : SwinNetwork(p, family, c, layer_norm_parts(p, c),
                    [&c](const Params& block, int stage, int index) {
                      return Block(block, c, stage, swin_window(c, stage, index % 2 == 1));
                    }) {}

  // The parts with layer norms.
  static SwinParts<Merging, Norm> layer_norm_parts(const Params& p, const SwinConfig& c) {
    return {SwinPatchEmbed(p / "patch_embed", c),
            [eps = c.norm_eps](const Params& merging, int in, int out) {
              return Merging(merging, in, out, eps);
            },
            Norm(p / "norm", c.dim(c.stages() - 1), c.norm_eps)};
  }

  // make_block(Params, stage, index in the stage).
  template <class MakeBlock>
  SwinNetwork(const Params& p, std::string_view family, const SwinConfig& c,
              SwinParts<Merging, Norm> parts, const MakeBlock& make_block)
      : family_(family),
        config_(c),
        backend_(&p.backend()),
        patch_embed_(std::move(parts.patch_embed)),
        norm_(std::move(parts.norm)) {
    if (c.ape) {
      positions_ =
          p.floats("absolute_pos_embed",
                   {1, std::int64_t{c.img_size.h / c.patch_size} * (c.img_size.w / c.patch_size),
                    c.embed_dim});
    }
    // The authors' checkpoints have a merging at the end of a stage, timm's have it at the
    // beginning of the next.
    const int merging_at = c.plain_head || p.has("layers.0.downsample.reduction.weight") ? -1 : 0;
    for (int i = 0; i < c.stages(); ++i) {
      const Params stage = p / "layers" / i;
      Stage& s = stages_.emplace_back();
      if (i > 0) {
        s.merging.emplace(parts.make_merging(p / "layers" / (i + merging_at) / "downsample",
                                             c.dim(i - 1), c.dim(i)));
      }
      s.blocks.reserve(static_cast<std::size_t>(c.depths[i]));
      for (int j = 0; j < c.depths[i]; ++j) {
        const Params block = stage / "blocks" / j;
        s.blocks.push_back(make_block(block, i, j));
        s.block_paths.push_back(block.path());
      }
      feature_info_.push_back({c.dim(i), c.patch_size << i, stage.path()});
    }
    head_.emplace(c.plain_head ? p : p / "head", c.dim(c.stages() - 1),
                  nn::HeadOptions{
                      .classes = c.num_classes, .norm = false, .fc = c.plain_head ? "head" : "fc"});
  }

  std::span<const FeatureInfo> feature_info() const override { return feature_info_; }
  int num_features() const override { return feature_info_.back().channels; }
  int num_classes() const override { return head_->classes(); }
  Size2d input_size() const override { return config_.img_size; }
  void check_size(Size2d size) const override {
    if (config_.strict_img_size) return require_built_size(family_, config_.img_size, size);
    require_multiple(family_, {config_.patch_size, config_.patch_size}, size);
  }

  MapF forward_features(CMapF image, Context& ctx, const FeatureSink* sink) const override {
    MapF x = patch_embed_.forward(image, ctx);
    if (config_.ape) add_positions(x, ctx);
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const Stage& stage = stages_[i];
      if (stage.merging) x = stage.merging->forward(x, ctx);
      for (std::size_t j = 0; j < stage.blocks.size(); ++j) {
        stage.blocks[j].forward(x, ctx);
        ctx.tap(stage.block_paths[j], x);
      }
      // The module ends with the merging where that belongs to the stage.
      if (!config_.plain_head) ctx.tap(feature_info_[i].module, x);
      if (sink != nullptr) (*sink)(static_cast<int>(i), x);
    }
    if (!norm_) return x;
    const MapF y = ctx.workspace().map_like(x);
    norm_->forward(x, y, ctx);
    ctx.tap("norm", y);
    return y;
  }

  void forward_head(CMapF features, bool pre_logits, MapF y, Context& ctx) const override {
    head_->forward(features, pre_logits, y, ctx);
  }

 private:
  struct Stage {
    std::optional<Merging> merging;
    std::vector<Block> blocks;
    std::vector<std::string> block_paths;
  };

  void add_positions(MapF x, Context& ctx) const {
    const CMapF positions(positions_.data(), 1, x.h, x.w, x.c);
    for (int i = 0; i < x.n; ++i) {
      backend_->apply(x.image(i), {.residual = positions}, x.image(i), ctx);
    }
  }

  std::string_view family_;
  SwinConfig config_;
  const Backend* backend_;
  SwinPatchEmbed patch_embed_;
  FloatBuffer positions_;  // of the patches, with `ape`
  std::vector<Stage> stages_;
  std::vector<FeatureInfo> feature_info_;
  std::optional<Norm> norm_;
  std::optional<nn::ClassifierHead> head_;
};

struct SwinVariant {
  std::string_view name;
  SwinConfig config;
  PreprocessConfig preprocess;
};

// A square input; every published network has ImageNet's mean and deviation.
constexpr PreprocessConfig swin_input(int size, double crop_pct = 0.9) {
  return {.height = size, .width = size, .crop_pct = crop_pct};
}

// What torchvision trained for: the shorter edge resized to `resized`, `size` of it cut out.
constexpr PreprocessConfig swin_torchvision(int size, int resized) {
  return swin_input(size, crop_pct_for(size, resized));
}

// Variant `variant` of a table, or the reference's defaults when negative.
template <std::size_t N>
SwinConfig swin_variant(const SwinVariant (&variants)[N], int variant) {
  if (variant < 0) return {};
  const SwinVariant& v = variants[variant];
  SwinConfig c = v.config;
  c.img_size = {v.preprocess.height, v.preprocess.width};
  return c;
}

}  // namespace fovea::models
