// SPDX-License-Identifier: Apache-2.0
//
// Vision transformers (arXiv:2010.11929), as timm has them (timm/models/vision_transformer.py and
// deit.py), under timm's names: ViT, DeiT with and without distillation, DeiT III, the image towers
// of CLIP and SigLIP, DINOv2 with and without registers.
//
// Checkpoints: timm's; the authors' of DeiT, DeiT III and DINOv2; those of transformers and
// torchvision; the image tower of OpenCLIP
// checkpoints that have timm's (visual.trunk). Position embeddings of another square grid than the
// network's are resized when it is built. Built for one size of images, argument "img_size", unless
// `dynamic_img_size` says otherwise; then they are resized in every forward of another size.
//
// Deviations: pooling "" (no pooling) and "prr", `qk_norm`, `scale_attn_norm`, `scale_mlp_norm` and
// norms other than LayerNorm are refused.
#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fovea/nn/activation.h"
#include "fovea/nn/attention.h"
#include "fovea/nn/mlp.h"
#include "fovea/nn/norm.h"
#include "models/families.h"
#include "models/family_tools.h"
#include "models/vit_embedding.h"
#include "models/vit_head.h"
#include "models/vit_names.h"
#include "models/vit_variants.h"

namespace fovea::models {
namespace {

using Pool = VitConfig::Pool;

Pool pool_by_name(const std::string& name) {
  if (name == "token") return Pool::token;
  if (name == "avg") return Pool::avg;
  if (name == "max") return Pool::max;
  if (name == "avgmax") return Pool::avgmax;
  if (name == "map") return Pool::map;
  if (name == "token_avg") return Pool::token_avg;
  wrong_argument("global_pool", "token, avg, max, avgmax, map or token_avg", "\"" + name + "\"");
}

void refuse(const ModelArgs& args, std::string_view name) {
  bool value = false;
  args.read(name, value);
  if (value) wrong_argument(name, "false, as the alternative is not supported", "true");
}

// What the arguments contradict one another in.
void check(const VitConfig& c) {
  if (!c.class_token && (c.global_pool == Pool::token || c.global_pool == Pool::token_avg)) {
    wrong_argument("class_token", "true with global_pool token or token_avg", "false");
  }
  if (c.distilled && (c.global_pool != Pool::token || c.no_embed_class || c.reg_tokens > 0)) {
    wrong_argument("global_pool", "token, positions of the class token and no reg_tokens",
                   "others in a distilled network");
  }
  if (c.img_size.h < c.patch_size.h || c.img_size.w < c.patch_size.w) {
    wrong_argument("img_size", "at least one patch", size_string(c.img_size));
  }
}

VitConfig configured(VitConfig c, const ModelArgs& args) {
  read_vit_sizes(args, c);
  args.read("proj_bias", c.proj_bias);
  args.read_presence("init_values", c.layer_scale);
  if (float init = 1.0f; args.has("init_values")) {
    args.read("init_values", init);
    c.layer_scale = init != 0.0f;  // the reference takes 0 for None here
  }
  args.read("class_token", c.class_token);
  args.read("distilled", c.distilled);
  args.read("distilled_head", c.distilled_head);
  args.read("no_embed_class", c.no_embed_class);
  args.read("pos_embed_antialias", c.pos_embed_antialias);
  args.read("reg_tokens", c.reg_tokens, 0, 1024);
  args.read("pre_norm", c.pre_norm);
  args.read("final_norm", c.final_norm);
  args.read("pool_include_prefix", c.pool_include_prefix);
  args.read("dynamic_img_size", c.dynamic_img_size);
  args.read("dynamic_img_pad", c.dynamic_img_pad);
  if (std::string name; args.has("global_pool")) {
    args.read("global_pool", name);
    c.global_pool = pool_by_name(name);
  }
  if (bool value = false; args.has("fc_norm")) {
    args.read("fc_norm", value);
    c.fc_norm = value;
  }
  if (std::string name; args.has("act_layer")) {
    args.read("act_layer", name);
    c.act = nn::activation(name);
  }
  if (std::string name; args.has("pos_embed")) {
    args.read("pos_embed", name);
    if (name != "learn" && name != "none" && !name.empty()) {
      wrong_argument("pos_embed", "learn or none", "\"" + name + "\"");
    }
    c.pos_embed = name == "learn";
  }
  if (std::string name = "layernorm"; args.has("norm_layer")) {
    args.read("norm_layer", name);
    if (name != "layernorm") wrong_argument("norm_layer", "layernorm", "\"" + name + "\"");
    c.norm_eps = 1e-6f;
  }
  args.read("norm_eps", c.norm_eps);
  for (const char* name : {"qk_norm", "scale_attn_norm", "scale_mlp_norm"}) refuse(args, name);
  args.ignore({"drop_rate", "pos_drop_rate", "patch_drop_rate", "proj_drop_rate", "attn_drop_rate",
               "drop_path_rate", "weight_init", "fix_init"});
  args.finish("vit");
  check(c);
  return c;
}

// x += ls1 * attn(norm1(x)); x += ls2 * mlp(norm2(x)).
class VitBlock {
 public:
  VitBlock(const Params& p, const VitConfig& c)
      : path_(p.path()),
        norm1_(p / "norm1", c.embed_dim, c.norm_eps),
        attn_(p / "attn", c.embed_dim,
              {.heads = c.num_heads, .qkv_bias = c.qkv_bias, .proj_bias = c.proj_bias}),
        norm2_(p / "norm2", c.embed_dim, c.norm_eps),
        mlp_(p / "mlp", c.embed_dim, vit_hidden_width(c), c.act, c.proj_bias) {
    if (!c.layer_scale) return;
    ls1_ = (p / "ls1").floats("gamma", {c.embed_dim});
    ls2_ = (p / "ls2").floats("gamma", {c.embed_dim});
  }

  // x (n, 1, l, embed_dim), in place.
  void forward(MapF x, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF t = ctx.workspace().map_like(x);
    norm1_.forward(x, t, ctx);
    attn_.forward(t, x, ctx, {.scale = ls1_.data(), .residual = x});
    norm2_.forward(x, t, ctx);
    mlp_.forward(t, x, ctx, {.scale = ls2_.data(), .residual = x});
    ctx.tap(path_, x);
  }

 private:
  std::string path_;
  nn::LayerNorm norm1_;
  nn::Attention attn_;
  nn::LayerNorm norm2_;
  nn::Mlp mlp_;
  FloatBuffer ls1_, ls2_;
};

class Vit final : public Backbone {
 public:
  Vit(const Params& p, const VitConfig& c) : config_(c), embedding_(p, c) {
    if (c.pre_norm) norm_pre_.emplace(p / "norm_pre", c.embed_dim, c.norm_eps);
    blocks_.reserve(static_cast<std::size_t>(c.depth));
    for (int i = 0; i < c.depth; ++i) {
      const Params block = p / "blocks" / i;
      blocks_.emplace_back(block, c);
      feature_info_.push_back(
          {c.embed_dim, std::max(c.patch_size.h, c.patch_size.w), block.path()});
    }
    const bool average =
        c.global_pool == Pool::avg || c.global_pool == Pool::max || c.global_pool == Pool::avgmax;
    const bool fc_norm = c.fc_norm.value_or(average);
    if (c.final_norm && !fc_norm) norm_.emplace(p / "norm", c.embed_dim, c.norm_eps);
    head_.emplace(p, c, c.final_norm && fc_norm, embedding_.prefix_tokens());
  }

  std::span<const FeatureInfo> feature_info() const override { return feature_info_; }
  int num_features() const override { return config_.embed_dim; }
  int pooled_features() const override { return head_->features(); }
  int num_classes() const override { return head_->classes(); }
  Size2d input_size() const override { return config_.img_size; }
  void check_size(Size2d size) const override {
    if (!config_.dynamic_img_size) return require_built_size("vit", config_.img_size, size);
    if (config_.dynamic_img_pad) return require_size("vit", {1, 1}, size);
    require_multiple("vit", config_.patch_size, size);
  }

  // -> (n, 1, prefix tokens + patches, embed_dim), normalised unless the head does that.
  MapF forward_features(CMapF image, Context& ctx, const FeatureSink* sink) const override {
    const MapF x = embedding_.forward(image, ctx);
    if (norm_pre_) norm_pre_->forward(x, x, ctx);
    const Size2d grid = embedding_.grid({image.h, image.w});
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      blocks_[i].forward(x, ctx);
      if (sink != nullptr) embedding_.emit(static_cast<int>(i), x, grid, *sink, ctx);
    }
    if (norm_) norm_->forward(x, x, ctx);
    ctx.tap("norm", x);
    return x;
  }

  void forward_head(CMapF features, bool pre_logits, MapF y, Context& ctx) const override {
    head_->forward(features, pre_logits, y, ctx);
  }

 private:
  VitConfig config_;
  VitEmbedding embedding_;
  std::optional<nn::LayerNorm> norm_pre_, norm_;
  std::vector<VitBlock> blocks_;
  std::vector<FeatureInfo> feature_info_;
  std::optional<VitHead> head_;
};

constexpr auto kModels = model_table(vit::kVariants);

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  VitConfig c;
  if (variant >= 0) {
    const VitVariant& v = vit::kVariants[variant];
    c = v.config;
    c.img_size = {v.preprocess.height, v.preprocess.width};
  }
  return std::make_unique<Vit>(p, configured(c, args));
}

std::string rename(const std::string& name) {
  return rename_by_table(
      vit::kRenames, without_prefix(name, {"vit.", "deit.", "dinov2.", "dinov2_with_registers."}));
}

}  // namespace

const ModelFamily kVit = {
    .name = "vit",
    .description = "ViT (arXiv:2010.11929), DeiT, CLIP, SigLIP, DINOv2, after timm",
    .models = kModels,
    .make = make,
    .rename = rename,
    .takes_img_size = true,
};

}  // namespace fovea::models
