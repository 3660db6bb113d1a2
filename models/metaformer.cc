// SPDX-License-Identifier: Apache-2.0
//
// MetaFormer baselines (arXiv:2210.13452): PoolFormer V1 (arXiv:2111.11418) and V2, ConvFormer and
// CAFormer, as timm has them (timm/models/metaformer.py), under timm's names.
//
// Checkpoints: timm's, and the authors' (sail-sg/metaformer). Any image size. The authors'
// PoolFormer V1 (sail-sg/poolformer) has another head and is a family of its own (poolformer.cc);
// its names are not accepted here.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fovea/nn/activation.h"
#include "fovea/nn/attention.h"
#include "fovea/nn/conv2d.h"
#include "fovea/nn/head.h"
#include "fovea/nn/metaformer_block.h"
#include "fovea/nn/pooling.h"
#include "models/families.h"
#include "models/family_tools.h"
#include "models/metaformer_variants.h"

namespace fovea::models {
namespace {

TokenMixer token_mixer(const std::string& name) {
  if (name == "Pooling") return TokenMixer::pooling;
  if (name == "SepConv") return TokenMixer::sep_conv;
  if (name == "Attention") return TokenMixer::attention;
  wrong_argument("token_mixers", "Pooling, SepConv or Attention", name);
}

nn::NormSpec norm_spec(std::string_view argument, const std::string& name) {
  if (name == "LayerNorm2d" || name == "LayerNorm") return {};
  if (name == "LayerNorm2dNoBias" || name == "LayerNormNoBias") return kLayerNormNoBias;
  if (name == "GroupNorm1") return kGroupNorm;
  if (name == "GroupNorm1NoBias") return kGroupNormNoBias;
  wrong_argument(argument,
                 "LayerNorm2d, LayerNorm2dNoBias, LayerNorm, LayerNormNoBias, GroupNorm1 or "
                 "GroupNorm1NoBias",
                 name);
}

// Reads class names, one or one for each stage, by `parse`.
template <class T, class Parse>
void read_classes(const ModelArgs& args, std::string_view name, List<T>& field,
                  const Parse& parse) {
  std::vector<std::string> names;
  args.read(name, names);
  if (names.empty()) return;
  field.clear();
  for (const std::string& n : names) field.push_back(parse(n));
}

void read_mixers(const ModelArgs& args, MetaFormerConfig& c) {
  read_classes(args, "token_mixers", c.token_mixers, token_mixer);
  args.read("pool_size", c.pool_size, 1, 127);
  require_odd("pool_size", c.pool_size);
  args.read("head_dim", c.head_dim, 1);
  args.read("qkv_bias", c.qkv_bias);
  args.read("proj_bias", c.proj_bias);
  args.read("expansion_ratio", c.expansion_ratio);
  if (!(c.expansion_ratio > 0 && c.expansion_ratio <= 64)) {
    wrong_argument("expansion_ratio", "a number from 0 to 64", std::to_string(c.expansion_ratio));
  }
  args.read("kernel_size", c.kernel_size, 1, 127);
  require_odd("kernel_size", c.kernel_size);
  int padding = c.kernel_size / 2;
  args.read("padding", padding, c.kernel_size / 2, c.kernel_size / 2);
}

MetaFormerConfig configured(MetaFormerConfig c, const ModelArgs& args) {
  read_stages(args, "depths", c.depths, "dims", c.dims);
  const int stages = c.dims.size();
  read_mixers(args, c);
  require_per_stage("token_mixers", c.token_mixers, stages);
  read_classes(args, "norm_layers", c.norms,
               [](const std::string& name) { return norm_spec("norm_layers", name); });
  require_per_stage("norm_layers", c.norms, stages);
  if (std::string name; args.has("mlp_act")) {
    args.read("mlp_act", name);
    c.star_relu = name == "StarReLU";
    if (!c.star_relu) c.act = nn::activation(name == "GELU" ? "gelu" : name);
  }
  args.read("mlp_bias", c.mlp_bias);
  args.read_presence("layer_scale_init_values", c.layer_scale);
  require_per_stage("layer_scale_init_values", c.layer_scale, stages);
  args.read_presence("res_scale_init_values", c.res_scale);
  require_per_stage("res_scale_init_values", c.res_scale, stages);
  if (args.is_null("downsample_norm")) c.downsample_norm.reset();
  if (std::string name; args.has("downsample_norm")) {
    args.read("downsample_norm", name);
    c.downsample_norm = norm_spec("downsample_norm", name);
  }
  args.read("use_mlp_head", c.use_mlp_head);
  args.read("in_chans", c.in_chans, 1);
  args.read("num_classes", c.num_classes, 0, 1 << 20);
  read_global_pool(args);
  for (int i = 0; i < stages; ++i) {
    if (per_stage(c.token_mixers, i) == TokenMixer::attention && c.dims[i] % c.head_dim != 0) {
      wrong_argument(
          "dims",
          "a multiple of head_dim " + std::to_string(c.head_dim) + " where the mixer is Attention",
          std::to_string(c.dims[i]));
    }
  }
  args.ignore({"drop_rate", "drop_path_rate", "proj_drop_rate"});
  args.finish("metaformer");
  return c;
}

// pwconv2(dwconv(StarReLU(pwconv1(x)))): MobileNetV2's inverted separable convolution.
class SepConv final : public nn::Mixer {
 public:
  SepConv(const Params& p, int dim, const MetaFormerConfig& c)
      : SepConv(p, dim, static_cast<int>(c.expansion_ratio * dim), c.kernel_size) {}

  void forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const override {
    const Workspace::Scope scope(ctx.workspace());
    const MapF wide = ctx.workspace().map(x.n, x.h, x.w, pwconv1_.out());
    Epilogue first;
    first.act = act1_;
    pwconv1_.forward(x, wide, ctx, first);
    const MapF mixed = ctx.workspace().map_like(wide);
    dwconv_.forward(wide, mixed, ctx);
    pwconv2_.forward(mixed, y, ctx, epilogue);
  }

 private:
  SepConv(const Params& p, int dim, int wide, int kernel)
      : pwconv1_(p / "pwconv1", dim, wide, false, nn::LinearForm::conv1x1),
        act1_(nn::star_relu(p / "act1")),
        dwconv_(p / "dwconv", wide, wide, kernel, Conv2dSpec::square(1, kernel / 2, wide), false),
        pwconv2_(p / "pwconv2", wide, dim, false, nn::LinearForm::conv1x1) {}

  nn::Linear pwconv1_;
  Activation act1_;
  nn::Conv2d dwconv_;
  nn::Linear pwconv2_;
};

std::unique_ptr<const nn::Mixer> make_mixer(const Params& p, int dim, TokenMixer kind,
                                            const MetaFormerConfig& c) {
  switch (kind) {
    case TokenMixer::sep_conv:
      return std::make_unique<SepConv>(p, dim, c);
    case TokenMixer::attention:
      return std::make_unique<nn::Attention>(p, dim,
                                             nn::AttentionOptions{.heads = dim / c.head_dim,
                                                                  .head_dim = c.head_dim,
                                                                  .qkv_bias = c.qkv_bias,
                                                                  .proj_bias = c.proj_bias});
    case TokenMixer::pooling:
      break;
  }
  return std::make_unique<nn::Pooling>(p, c.pool_size);
}

nn::MetaFormerBlock make_block(const Params& p, int stage, const MetaFormerConfig& c) {
  const int dim = c.dims[stage];
  nn::MetaFormerOptions options;
  options.norm = per_stage(c.norms, stage);
  options.mlp_hidden = kMlpRatio * dim;
  options.mlp_act = c.star_relu ? nn::star_relu(p / "mlp" / "act") : c.act;
  options.mlp_bias = c.mlp_bias;
  // Attention stages of the reference hold token sequences, the others maps of NCHW.
  const bool tokens = per_stage(c.token_mixers, stage) == TokenMixer::attention;
  options.mlp_form = tokens ? nn::LinearForm::matrix : nn::LinearForm::conv1x1;
  if (per_stage(c.layer_scale, stage)) {
    options.layer_scale = {"layer_scale1.scale", "layer_scale2.scale"};
  }
  if (per_stage(c.res_scale, stage)) {
    options.res_scale = {"res_scale1.scale", "res_scale2.scale"};
  }
  return {p, dim, options, make_mixer(p / "token_mixer", dim, per_stage(c.token_mixers, stage), c)};
}

struct Stage {
  Stage(const Params& p, int in, int index, const MetaFormerConfig& c) : path(p.path()) {
    const int dim = c.dims[index];
    if (in != dim) {
      const Params down = p / "downsample";
      if (c.downsample_norm) norm.emplace(down / "norm", in, *c.downsample_norm);
      conv.emplace(down / "conv", in, dim, 3, Conv2dSpec::square(2, 1));
    }
    for (int i = 0; i < c.depths[index]; ++i) {
      const Params block = p / "blocks" / i;
      blocks.push_back(make_block(block, index, c));
      block_paths.push_back(block.path());
    }
  }

  // Overwrites x with its norm where the stage begins with one.
  MapF forward(MapF x, Context& ctx) const {
    if (norm) norm->forward(x, x, ctx);
    if (conv) {
      const MapF y = conv->output_map(x, ctx);
      conv->forward(x, y, ctx);
      x = y;
    }
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      blocks[i].forward(x, ctx);
      ctx.tap(block_paths[i], x);
    }
    ctx.tap(path, x);
    return x;
  }

  std::string path;
  std::optional<nn::MapNorm> norm;
  std::optional<nn::Conv2d> conv;
  std::vector<nn::MetaFormerBlock> blocks;
  std::vector<std::string> block_paths;
};

// fc2(norm(relu(fc1(x))^2)), on pooled features.
class MlpHead {
 public:
  MlpHead(const Params& p, int in, int classes)
      : fc1_(p / "fc1", in, kMlpRatio * in),
        norm_(p / "norm", kMlpRatio * in, kEps),
        fc2_(p / "fc2", kMlpRatio * in, classes) {}

  int classes() const { return fc2_.out(); }
  void forward(CMapF x, MapF y, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF hidden = ctx.workspace().map(x.n, x.h, x.w, fc1_.out());
    Epilogue squared_relu;
    squared_relu.act = {Activation::Kind::star_relu, 1.0f, 0.0f};
    fc1_.forward(x, hidden, ctx, squared_relu);
    norm_.forward(hidden, hidden, ctx);
    fc2_.forward(hidden, y, ctx);
  }

 private:
  nn::Linear fc1_;
  nn::LayerNorm norm_;
  nn::Linear fc2_;
};

class MetaFormer final : public Backbone {
 public:
  MetaFormer(const Params& p, const MetaFormerConfig& c, Size2d input_size)
      : stem_path_((p / "stem").path()),
        stem_(p / "stem" / "conv", c.in_chans, c.dims[0], 7, Conv2dSpec::square(4, 2)),
        input_size_(input_size) {
    if (c.downsample_norm) stem_norm_.emplace(p / "stem" / "norm", c.dims[0], *c.downsample_norm);
    int width = c.dims[0], stride = 4;
    for (int i = 0; i < c.dims.size(); ++i) {
      const Params stage = p / "stages" / i;
      stages_.emplace_back(stage, width, i, c);
      width = c.dims[i];
      if (stages_.back().conv) stride *= 2;
      feature_info_.push_back({width, stride, stage.path()});
    }
    const bool mlp_head = c.use_mlp_head && c.num_classes > 0;
    head_.emplace(p / "head", width,
                  nn::HeadOptions{.classes = mlp_head ? 0 : c.num_classes, .norm_eps = kEps});
    if (mlp_head) mlp_head_.emplace(p / "head" / "fc", width, c.num_classes);
    smallest_ = smallest_edge([this](int edge) {
      int size = stem_.out_h(edge);
      for (const Stage& stage : stages_) size = stage.conv ? stage.conv->out_h(size) : size;
      return size;
    });
  }

  std::span<const FeatureInfo> feature_info() const override { return feature_info_; }
  int num_features() const override { return feature_info_.back().channels; }
  int num_classes() const override { return mlp_head_ ? mlp_head_->classes() : head_->classes(); }
  Size2d input_size() const override { return input_size_; }
  void check_size(Size2d size) const override {
    require_size("metaformer", {smallest_, smallest_}, size);
  }

  MapF forward_features(CMapF image, Context& ctx, const FeatureSink* sink) const override {
    MapF x = stem_.output_map(image, ctx);
    stem_.forward(image, x, ctx);
    if (stem_norm_) stem_norm_->forward(x, x, ctx);
    ctx.tap(stem_path_, x);
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      x = stages_[i].forward(x, ctx);
      if (sink != nullptr) (*sink)(static_cast<int>(i), x);
    }
    return x;
  }

  void forward_head(CMapF features, bool pre_logits, MapF y, Context& ctx) const override {
    if (!mlp_head_ || pre_logits) {
      head_->forward(features, pre_logits, y, ctx);
      return;
    }
    const Workspace::Scope scope(ctx.workspace());
    const MapF pooled = ctx.workspace().map(features.n, 1, 1, features.c);
    head_->forward(features, true, pooled, ctx);
    mlp_head_->forward(pooled, y, ctx);
  }

 private:
  std::string stem_path_;
  nn::Conv2d stem_;
  std::optional<nn::MapNorm> stem_norm_;
  Size2d input_size_;
  std::vector<Stage> stages_;
  std::vector<FeatureInfo> feature_info_;
  std::optional<nn::ClassifierHead> head_;
  std::optional<MlpHead> mlp_head_;
  int smallest_ = 0;
};

constexpr auto kModels = model_table(metaformer::kVariants);

// The names of sail-sg/metaformer. Its head is a linear layer or an MLP with a norm of its own.
constexpr RenameRule kRenames[] = {
    {"downsample_layers.0.conv.*", "stem.conv.*"},
    {"downsample_layers.0.post_norm.*", "stem.norm.*"},
    {"downsample_layers.#.conv.*", "stages.#.downsample.conv.*"},
    {"downsample_layers.#.pre_norm.*", "stages.#.downsample.norm.*"},
    {"stages.#.#.*", "stages.#.blocks.#.*"},
    {"norm.*", "head.norm.*"},
    {"head.*", "head.fc.*"},
};

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  metaformer::Variant v;
  if (variant >= 0) v = metaformer::kVariants[variant];
  return std::make_unique<MetaFormer>(p, configured(v.config, args),
                                      Size2d{v.preprocess.height, v.preprocess.width});
}

std::string rename(const std::string& name) { return rename_by_table(kRenames, name); }

}  // namespace

const ModelFamily kMetaFormer = {
    .name = "metaformer",
    .description = "PoolFormer, PoolFormerV2, ConvFormer, CAFormer (arXiv:2210.13452), after timm",
    .models = kModels,
    .make = make,
    .rename = rename,
    .canonical_tensor = "stem.conv.weight",
};

}  // namespace fovea::models
