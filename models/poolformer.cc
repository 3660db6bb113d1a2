// SPDX-License-Identifier: Apache-2.0
//
// PoolFormer (arXiv:2111.11418), as its authors have it (sail-sg/poolformer, models/poolformer.py),
// under their names and arguments: classifier and dense-prediction form (`fork_feat`).
//
// timm's PoolFormer (metaformer.cc) has the same trunk and another head: it averages and then
// normalises the channels, where the authors normalise the whole image and then average.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fovea/nn/activation.h"
#include "fovea/nn/conv2d.h"
#include "fovea/nn/head.h"
#include "fovea/nn/metaformer_block.h"
#include "fovea/nn/pooling.h"
#include "models/families.h"
#include "models/family_tools.h"

namespace fovea::models {
namespace {

constexpr float kEps = 1e-5f;  // of every norm

// A convolution that embeds patches: of the image, or between stages.
struct PatchGeometry {
  Size2d kernel, stride, pad;
};

struct PoolFormerConfig {
  List<int> layers;
  List<int> embed_dims;
  List<double> mlp_ratios = {4.0};
  List<bool> downsamples = {true};
  int pool_size = 3;
  nn::NormOver norm_over = nn::NormOver::image;
  Activation act = Activation::Kind::gelu;
  PatchGeometry in = {{7, 7}, {4, 4}, {2, 2}};
  PatchGeometry down = {{3, 3}, {2, 2}, {1, 1}};
  bool use_layer_scale = true;
  bool fork_feat = false;
  int num_classes = 1000;

  nn::NormSpec norm() const { return {norm_over, kEps, nn::Affine::weight_and_bias}; }
  // Whether a convolution stands between stages i and i + 1.
  bool downsamples_after(int i) const {
    return i + 1 < layers.size() &&
           (per_stage(downsamples, i) || embed_dims[i] != embed_dims[i + 1]);
  }
};

void read_patches(const ModelArgs& args, const std::string& prefix, PatchGeometry& g) {
  args.read(prefix + "_patch_size", g.kernel, 1, 1024);
  args.read(prefix + "_stride", g.stride, 1, 1024);
  args.read(prefix + "_pad", g.pad, 0, 1024);
}

PoolFormerConfig configured(PoolFormerConfig c, const ModelArgs& args) {
  read_stages(args, "layers", c.layers, "embed_dims", c.embed_dims);
  const int stages = c.layers.size();
  if (stages == 0) wrong_argument("layers", "the number of blocks of each stage", "nothing");
  args.read("mlp_ratios", c.mlp_ratios);
  require_per_stage("mlp_ratios", c.mlp_ratios, stages);
  for (const double ratio : c.mlp_ratios) {
    if (!(ratio > 0 && ratio <= 64)) {
      wrong_argument("mlp_ratios", "numbers from 0 to 64", std::to_string(ratio));
    }
  }
  args.read("downsamples", c.downsamples);
  if (c.downsamples.size() != 1 && c.downsamples.size() < stages - 1) {
    require_per_stage("downsamples", c.downsamples, stages);
  }
  args.read("pool_size", c.pool_size, 1, 127);
  require_odd("pool_size", c.pool_size);
  if (std::string name; args.has("norm_layer")) {
    args.read("norm_layer", name);
    if (name != "GroupNorm" && name != "LayerNormChannel") {
      wrong_argument("norm_layer", "GroupNorm or LayerNormChannel", name);
    }
    c.norm_over = name == "GroupNorm" ? nn::NormOver::image : nn::NormOver::channels;
  }
  if (std::string name; args.has("act_layer")) {
    args.read("act_layer", name);
    c.act = nn::activation(name == "GELU" ? "gelu" : name);
  }
  read_patches(args, "in", c.in);
  read_patches(args, "down", c.down);
  args.read("use_layer_scale", c.use_layer_scale);
  args.read("fork_feat", c.fork_feat);
  for (int i = 0; c.fork_feat && i + 1 < stages; ++i) {
    // The reference numbers its output norms as if every stage were followed by a convolution.
    if (!c.downsamples_after(i)) {
      wrong_argument("downsamples", "true everywhere with fork_feat", "false");
    }
  }
  args.read("num_classes", c.num_classes, 0, 1 << 20);
  args.ignore({"layer_scale_init_value", "drop_rate", "drop_path_rate", "init_cfg", "pretrained"});
  args.finish("poolformer");
  return c;
}

class PatchEmbed {
 public:
  PatchEmbed(const Params& p, int in, int out, const PatchGeometry& g)
      : path_(p.path()), proj_(p / "proj", in, out, g.kernel.h, g.kernel.w, spec(g)) {}

  Size2d out_size(Size2d in) const { return {proj_.out_h(in.h), proj_.out_w(in.w)}; }

  MapF forward(CMapF x, Context& ctx) const {
    const MapF y = proj_.output_map(x, ctx);
    proj_.forward(x, y, ctx);
    ctx.tap(path_, y);
    return y;
  }

 private:
  static Conv2dSpec spec(const PatchGeometry& g) {
    return {g.stride.h, g.stride.w, g.pad.h, g.pad.w, 1, 1, 1};
  }

  std::string path_;
  nn::Conv2d proj_;
};

nn::MetaFormerBlock make_block(const Params& p, int stage, const PoolFormerConfig& c) {
  const int dim = c.embed_dims[stage];
  nn::MetaFormerOptions options;
  options.norm = c.norm();
  options.mlp_hidden = static_cast<int>(dim * per_stage(c.mlp_ratios, stage));
  options.mlp_act = c.act;
  if (c.use_layer_scale) options.layer_scale = {"layer_scale_1", "layer_scale_2"};
  return {p, dim, options, std::make_unique<nn::Pooling>(p / "token_mixer", c.pool_size)};
}

// The blocks of a stage and the convolution after it: one or two entries of the reference's list.
struct Stage {
  Stage(const Params& network, int& place, int index, const PoolFormerConfig& c)
      : path((network / place).path()) {
    for (int i = 0; i < c.layers[index]; ++i) {
      const Params block = network / place / i;
      blocks.push_back(make_block(block, index, c));
      block_paths.push_back(block.path());
    }
    ++place;
    if (c.downsamples_after(index)) {
      down.emplace(network / place++, c.embed_dims[index], c.embed_dims[index + 1], c.down);
    }
  }

  void forward(MapF x, Context& ctx) const {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      blocks[i].forward(x, ctx);
      ctx.tap(block_paths[i], x);
    }
    ctx.tap(path, x);
  }

  std::string path;
  std::vector<nn::MetaFormerBlock> blocks;
  std::vector<std::string> block_paths;
  std::optional<PatchEmbed> down;
};

class PoolFormer final : public Backbone {
 public:
  PoolFormer(const Params& p, const PoolFormerConfig& c, Size2d input_size)
      : patch_embed_(p / "patch_embed", 3, c.embed_dims[0], c.in), input_size_(input_size) {
    const Params network = p / "network";
    int place = 0, reduction = c.in.stride.h;
    for (int i = 0; i < c.layers.size(); ++i) {
      stages_.emplace_back(network, place, i, c);
      feature_info_.push_back({c.embed_dims[i], reduction, stages_.back().path});
      if (stages_.back().down) reduction *= c.down.stride.h;
    }
    const int width = feature_info_.back().channels;
    if (c.fork_feat) {
      for (int i = 0; i < c.layers.size(); ++i) {
        const Params norm = p / ("norm" + std::to_string(2 * i));
        norms_.emplace_back(norm, c.embed_dims[i], c.norm());
        norm_paths_.push_back(norm.path());
      }
    } else {
      norms_.emplace_back(p / "norm", width, c.norm());
      norm_paths_.emplace_back("norm");
    }
    fork_feat_ = c.fork_feat;
    head_.emplace(
        p, width,
        nn::HeadOptions{.classes = c.fork_feat ? 0 : c.num_classes, .norm = false, .fc = "head"});
    smallest_.h = smallest_edge([this](int edge) { return last_size({edge, 1 << 14}).h; });
    smallest_.w = smallest_edge([this](int edge) { return last_size({1 << 14, edge}).w; });
  }

  std::span<const FeatureInfo> feature_info() const override { return feature_info_; }
  int num_features() const override { return feature_info_.back().channels; }
  int num_classes() const override { return head_->classes(); }
  Size2d input_size() const override { return input_size_; }
  void check_size(Size2d size) const override { require_size("poolformer", smallest_, size); }

  // The levels are what each stage ends with; with fork_feat, their norms.
  MapF forward_features(CMapF image, Context& ctx, const FeatureSink* sink) const override {
    MapF x = patch_embed_.forward(image, ctx);
    for (std::size_t i = 0; i + 1 < stages_.size(); ++i) {
      stages_[i].forward(x, ctx);
      if (sink != nullptr) show_level(i, x, ctx, *sink);
      if (stages_[i].down) x = stages_[i].down->forward(x, ctx);
    }
    const std::size_t last = stages_.size() - 1;
    stages_[last].forward(x, ctx);
    if (sink != nullptr && !fork_feat_) (*sink)(static_cast<int>(last), x);
    norms_.back().forward(x, x, ctx);
    ctx.tap(norm_paths_.back(), x);
    if (sink != nullptr && fork_feat_) (*sink)(static_cast<int>(last), x);
    return x;
  }

  void forward_head(CMapF features, bool pre_logits, MapF y, Context& ctx) const override {
    head_->forward(features, pre_logits, y, ctx);
  }

 private:
  // A level before the last one.
  void show_level(std::size_t i, MapF x, Context& ctx, const FeatureSink& sink) const {
    const Workspace::Scope scope(ctx.workspace());
    MapF level = x;
    if (fork_feat_) {
      level = ctx.workspace().map_like(x);
      norms_[i].forward(x, level, ctx);
      ctx.tap(norm_paths_[i], level);
    }
    sink(static_cast<int>(i), level);
  }

  Size2d last_size(Size2d size) const {
    size = patch_embed_.out_size(size);
    for (const Stage& stage : stages_) {
      if (stage.down) size = stage.down->out_size(size);
    }
    return size;
  }

  PatchEmbed patch_embed_;
  Size2d input_size_;
  std::vector<Stage> stages_;
  std::vector<FeatureInfo> feature_info_;
  std::vector<nn::MapNorm> norms_;  // one, or with fork_feat one for each stage
  std::vector<std::string> norm_paths_;
  bool fork_feat_ = false;
  std::optional<nn::ClassifierHead> head_;
  Size2d smallest_;
};

struct Variant {
  std::string_view name;
  PoolFormerConfig config;
  PreprocessConfig preprocess = {.crop_pct = 0.95};
};

constexpr List<int> kDimsS = {64, 128, 320, 512}, kDimsM = {96, 192, 384, 768};
constexpr PreprocessConfig kCrop90 = {.crop_pct = 0.9};

constexpr Variant kVariants[] = {
    {"poolformer_s12", {.layers = {2, 2, 6, 2}, .embed_dims = kDimsS}, kCrop90},
    {"poolformer_s24", {.layers = {4, 4, 12, 4}, .embed_dims = kDimsS}, kCrop90},
    {"poolformer_s36", {.layers = {6, 6, 18, 6}, .embed_dims = kDimsS}, kCrop90},
    {"poolformer_m36", {.layers = {6, 6, 18, 6}, .embed_dims = kDimsM}},
    {"poolformer_m48", {.layers = {8, 8, 24, 8}, .embed_dims = kDimsM}},
};
constexpr auto kModels = model_table(kVariants);

// The names of transformers; its numbers of stages do not count the convolutions between them.
constexpr RenameRule kRenames[] = {
    {"patch_embeddings.0.projection.*", "patch_embed.proj.*"},
    {"patch_embeddings.1.projection.*", "network.1.proj.*"},
    {"patch_embeddings.2.projection.*", "network.3.proj.*"},
    {"patch_embeddings.3.projection.*", "network.5.proj.*"},
    {"block.0.*", "network.0.*"},
    {"block.1.*", "network.2.*"},
    {"block.2.*", "network.4.*"},
    {"block.3.*", "network.6.*"},
    {"classifier.*", "head.*"},
};
// Then of what a block is made of.
constexpr RenameRule kBlockRenames[] = {
    {"network.#.#.before_norm.*", "network.#.#.norm1.*"},
    {"network.#.#.after_norm.*", "network.#.#.norm2.*"},
    {"network.#.#.output.conv1.*", "network.#.#.mlp.fc1.*"},
    {"network.#.#.output.conv2.*", "network.#.#.mlp.fc2.*"},
};

std::string rename(const std::string& name) {
  const std::string bare = without_prefix(name, {"poolformer.encoder."});
  return rename_by_table(kBlockRenames, rename_by_table(kRenames, bare));
}

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  Variant v;
  if (variant >= 0) v = kVariants[variant];
  return std::make_unique<PoolFormer>(p, configured(v.config, args),
                                      Size2d{v.preprocess.height, v.preprocess.width});
}

}  // namespace

const ModelFamily kPoolFormer = {
    .name = "poolformer",
    .description = "PoolFormer (arXiv:2111.11418), the authors' checkpoints and head",
    .models = kModels,
    .make = make,
    .rename = rename,
};

}  // namespace fovea::models
