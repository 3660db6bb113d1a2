// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "fovea/models/backbone.h"
#include "fovea/nn/conv2d.h"
#include "fovea/nn/head.h"
#include "fovea/nn/norm.h"
#include "fovea/nn/window_attention.h"
#include "models/family_tools.h"

// What Swin and Swin V2 have in common: everything but the inside of a block and of a merging.
namespace fovea::models {

inline constexpr float kSwinNormEps = 1e-5f;

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
  Activation act = Activation::Kind::gelu;
  List<int> pretrained_window_sizes = {0};  // 0: window_size; Swin V2 only

  int stages() const { return depths.size(); }
  int dim(int stage) const { return embed_dim << stage; }
};

// The arguments that both have.
inline void read_swin_args(const ModelArgs& args, SwinConfig& c) {
  args.read("img_size", c.img_size);
  args.read("patch_size", c.patch_size, 1, 1024);
  args.read("in_chans", c.in_chans, 1);
  args.read("num_classes", c.num_classes, 0, 1 << 20);
  args.read("embed_dim", c.embed_dim, 1);
  args.read("depths", c.depths, 0, 1024);
  args.read("num_heads", c.num_heads, 1);
  args.read("always_partition", c.always_partition);
  args.read("strict_img_size", c.strict_img_size);
  args.read("qkv_bias", c.qkv_bias);
  read_global_pool(args);
  args.ignore({"drop_rate", "proj_drop_rate", "attn_drop_rate", "drop_path_rate", "weight_init"});
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

// Images to patches: a convolution and a norm.
class SwinPatchEmbed {
 public:
  SwinPatchEmbed(const Params& p, const SwinConfig& c)
      : path_(p.path()),
        proj_(p / "proj", c.in_chans, c.embed_dim, c.patch_size,
              Conv2dSpec::square(c.patch_size, 0)),
        norm_(p / "norm", c.embed_dim, kSwinNormEps) {}

  // (n, h, w, in_chans) -> (n, h / patch, w / patch, embed_dim), in the workspace.
  MapF forward(CMapF image, Context& ctx) const {
    const MapF x = proj_.output_map(image, ctx);
    proj_.forward(image, x, ctx);
    norm_.forward(x, x, ctx);
    ctx.tap(path_, x);
    return x;
  }

 private:
  std::string path_;
  nn::Conv2d proj_;
  nn::LayerNorm norm_;
};

// Block(p, config, stage, window) with forward(x, ctx) in place; Merging(p, in, out) with
// forward(x, ctx) from (n, h, w, in) to a map (n, ceil(h / 2), ceil(w / 2), out) in the workspace.
template <class Block, class Merging>
class SwinNetwork final : public Backbone {
 public:
  SwinNetwork(const Params& p, std::string_view family, const SwinConfig& c)
      : family_(family), config_(c), patch_embed_(p / "patch_embed", c) {
    // The authors' checkpoints have a merging at the end of a stage, timm's have it at the
    // beginning of the next.
    const int merging_at = p.has("layers.0.downsample.reduction.weight") ? -1 : 0;
    for (int i = 0; i < c.stages(); ++i) {
      const Params stage = p / "layers" / i;
      Stage& s = stages_.emplace_back();
      if (i > 0) {
        s.merging.emplace(p / "layers" / (i + merging_at) / "downsample", c.dim(i - 1), c.dim(i));
      }
      s.blocks.reserve(static_cast<std::size_t>(c.depths[i]));
      for (int j = 0; j < c.depths[i]; ++j) {
        s.blocks.emplace_back(stage / "blocks" / j, c, i, swin_window(c, i, j % 2 == 1));
      }
      feature_info_.push_back({c.dim(i), c.patch_size << i, stage.path()});
    }
    const int width = c.dim(c.stages() - 1);
    norm_.emplace(p / "norm", width, kSwinNormEps);
    head_.emplace(p / "head", width, nn::HeadOptions{.classes = c.num_classes, .norm = false});
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
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const Stage& stage = stages_[i];
      if (stage.merging) x = stage.merging->forward(x, ctx);
      for (const Block& block : stage.blocks) block.forward(x, ctx);
      ctx.tap(feature_info_[i].module, x);
      if (sink != nullptr) (*sink)(static_cast<int>(i), x);
    }
    norm_->forward(x, x, ctx);
    ctx.tap("norm", x);
    return x;
  }

  void forward_head(CMapF features, bool pre_logits, MapF y, Context& ctx) const override {
    head_->forward(features, pre_logits, y, ctx);
  }

 private:
  struct Stage {
    std::optional<Merging> merging;
    std::vector<Block> blocks;
  };

  std::string_view family_;
  SwinConfig config_;
  SwinPatchEmbed patch_embed_;
  std::vector<Stage> stages_;
  std::vector<FeatureInfo> feature_info_;
  std::optional<nn::LayerNorm> norm_;
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

// The authors' names: a head without a pooling module of its own, and buffers that are derived.
// Where they have the merging is SwinNetwork's business, since both layouts know the same names.
inline constexpr RenameRule kSwinRenames[] = {
    {"head.weight", "head.fc.weight"},
    {"head.bias", "head.fc.bias"},
    {"layers.#.blocks.#.attn_mask", ""},
    {"layers.#.blocks.#.attn.relative_position_index", ""},
    {"layers.#.blocks.#.attn.relative_coords_table", ""},
};

// The names of transformers that both have, without the prefix of the model with a classifier.
inline constexpr RenameRule kSwinTransformers[] = {
    {"embeddings.patch_embeddings.projection.*", "patch_embed.proj.*"},
    {"embeddings.norm.*", "patch_embed.norm.*"},
    {"embeddings.mask_token", ""},
    {"encoder.layers.#.blocks.#.layernorm_before.*", "layers.#.blocks.#.norm1.*"},
    {"encoder.layers.#.blocks.#.layernorm_after.*", "layers.#.blocks.#.norm2.*"},
    {"encoder.layers.#.blocks.#.intermediate.dense.*", "layers.#.blocks.#.mlp.fc1.*"},
    {"encoder.layers.#.blocks.#.output.dense.*", "layers.#.blocks.#.mlp.fc2.*"},
    {"encoder.layers.#.blocks.#.attention.output.dense.*", "layers.#.blocks.#.attn.proj.*"},
    {"encoder.layers.#.blocks.#.attention.self.query.weight",
     "layers.#.blocks.#.attn.qkv.weight[1/3]"},
    {"encoder.layers.#.blocks.#.attention.self.key.weight",
     "layers.#.blocks.#.attn.qkv.weight[2/3]"},
    {"encoder.layers.#.blocks.#.attention.self.value.weight",
     "layers.#.blocks.#.attn.qkv.weight[3/3]"},
    {"encoder.layers.#.blocks.#.attention.self.relative_position_index", ""},
    {"encoder.layers.#.blocks.#.attention.self.relative_coords_table", ""},
    // A merging ends a stage there, and begins the next one here.
    {"encoder.layers.0.downsample.*", "layers.1.downsample.*"},
    {"encoder.layers.1.downsample.*", "layers.2.downsample.*"},
    {"encoder.layers.2.downsample.*", "layers.3.downsample.*"},
    {"encoder.layers.3.downsample.*", "layers.4.downsample.*"},
    {"encoder.layers.4.downsample.*", "layers.5.downsample.*"},
    {"encoder.layers.5.downsample.*", "layers.6.downsample.*"},
    {"encoder.layers.6.downsample.*", "layers.7.downsample.*"},
    {"layernorm.*", "norm.*"},
    {"classifier.*", "head.fc.*"},
    {"pooler.*", ""},
};

// The names of torchvision, whose modules are numbered through.
inline constexpr RenameRule kSwinTorchvision[] = {
    {"features.0.0.*", "patch_embed.proj.*"},
    {"features.0.2.*", "patch_embed.norm.*"},
    {"features.#.#.attn.relative_position_index", ""},
    {"features.#.#.attn.relative_coords_table", ""},
    {"features.1.#.mlp.0.*", "layers.0.blocks.#.mlp.fc1.*"},
    {"features.3.#.mlp.0.*", "layers.1.blocks.#.mlp.fc1.*"},
    {"features.5.#.mlp.0.*", "layers.2.blocks.#.mlp.fc1.*"},
    {"features.7.#.mlp.0.*", "layers.3.blocks.#.mlp.fc1.*"},
    {"features.1.#.mlp.3.*", "layers.0.blocks.#.mlp.fc2.*"},
    {"features.3.#.mlp.3.*", "layers.1.blocks.#.mlp.fc2.*"},
    {"features.5.#.mlp.3.*", "layers.2.blocks.#.mlp.fc2.*"},
    {"features.7.#.mlp.3.*", "layers.3.blocks.#.mlp.fc2.*"},
    {"features.1.#.*", "layers.0.blocks.#.*"},
    {"features.3.#.*", "layers.1.blocks.#.*"},
    {"features.5.#.*", "layers.2.blocks.#.*"},
    {"features.7.#.*", "layers.3.blocks.#.*"},
    {"features.2.*", "layers.1.downsample.*"},
    {"features.4.*", "layers.2.downsample.*"},
    {"features.6.*", "layers.3.downsample.*"},
};

// `attention`: the names of transformers that only one of the two networks has.
inline std::string swin_rename(std::span<const RenameRule> attention, const std::string& name) {
  const std::string bare = without_prefix(name, {"swin.", "swinv2."});
  for (const auto table :
       {attention, std::span<const RenameRule>(kSwinTransformers),
        std::span<const RenameRule>(kSwinTorchvision), std::span<const RenameRule>(kSwinRenames)}) {
    std::string renamed = rename_by_table(table, bare);
    if (renamed != bare) return renamed;
  }
  return bare;
}

}  // namespace fovea::models
