// SPDX-License-Identifier: Apache-2.0
//
// Adventurer (arXiv:2410.07599), also of "Scaling Laws in Patchification" (arXiv:2502.03738), as
// their authors published it (wangf3014/Patch_Scaling, models_mamba.py), under their names with the
// size of the images.
//
// Oddities of the released code: the class token is the last one; only layers 2 and 3 see the patch
// tokens from the last to the first (its condition is `n // 2 == 1`). Built for one size of square
// images, argument "img_size".
//
// Deviations: groups of states other than one are refused.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fovea/nn/conv2d.h"
#include "fovea/nn/linear.h"
#include "fovea/nn/norm.h"
#include "fovea/nn/state_space.h"
#include "fovea/nn/swiglu.h"
#include "models/families.h"
#include "models/family_tools.h"

namespace fovea::models {
namespace {

struct AdventurerConfig {
  Size2d img_size = {224, 224};
  int patch_size = 16;
  int depth = 12;
  int embed_dim = 256;
  int channels = 3;
  int num_classes = 1000;
  bool rms_norm = false;
  float norm_epsilon = 1e-5f;
  int mamba_expand = 2;
  int mamba_d_state = 64;
  int headdim = 64;
  int d_conv = 4;

  int grid() const { return img_size.h / patch_size; }
  int patches() const { return grid() * grid(); }
};

AdventurerConfig configured(AdventurerConfig c, const ModelArgs& args) {
  args.read("img_size", c.img_size);
  args.read("patch_size", c.patch_size, 1, 1024);
  args.read("depth", c.depth, 0, 1024);
  args.read("embed_dim", c.embed_dim, 1);
  args.read("channels", c.channels, 1);
  args.read("num_classes", c.num_classes, 0, 1 << 20);
  args.read("rms_norm", c.rms_norm);
  args.read("norm_epsilon", c.norm_epsilon);
  args.read("mamba_expand", c.mamba_expand, 1, 64);
  args.read("mamba_d_state", c.mamba_d_state, 1, 1 << 12);
  args.read("ssm_cfg.headdim", c.headdim, 1);
  args.read("ssm_cfg.d_conv", c.d_conv, 1, 64);
  int groups = 1;
  args.read("ssm_cfg.ngroups", groups, 1);
  if (groups != 1) wrong_argument("ssm_cfg.ngroups", "1", std::to_string(groups));
  args.ignore({"ssm_cfg", "ssm_cfg.chunk_size", "drop_rate", "drop_path_rate", "initializer_cfg"});
  args.finish("adventurer");
  if (c.img_size.h != c.img_size.w || c.img_size.h % c.patch_size != 0) {
    wrong_argument("img_size", "a square of a multiple of " + std::to_string(c.patch_size),
                   size_string(c.img_size));
  }
  if (c.patches() > 1 << 22) wrong_argument("img_size", "at most 2^22 patches", "more");
  if (c.mamba_expand * c.embed_dim % c.headdim != 0) {
    wrong_argument("ssm_cfg.headdim",
                   "a divisor of " + std::to_string(c.mamba_expand * c.embed_dim),
                   std::to_string(c.headdim));
  }
  return c;
}

// RMSNorm or LayerNorm, as configured.
class TokenNorm : public nn::Norm {
 public:
  TokenNorm(const Params& p, const AdventurerConfig& c)
      : Norm(p, c.embed_dim, c.norm_epsilon,
             c.rms_norm ? nn::Affine::weight : nn::Affine::weight_and_bias),
        rms_(c.rms_norm) {}
  // In place allowed.
  void forward(CMapF x, MapF y, Context& ctx) const {
    if (rms_) return backend_->rms_norm(x, params(), y, ctx);
    backend_->layer_norm(x, params(), y, ctx);
  }

 private:
  bool rms_;
};

// Where the tokens [patches, class] go in the mixer's sequence [mean, patches, class], forwards or
// with the patches reversed.
struct TokenOrder {
  TokenOrder(int patches, bool reversed) {
    into.push_back(-1);  // the mean
    for (int i = 0; i < patches; ++i) into.push_back(reversed ? patches - 1 - i : i);
    into.push_back(patches);
    for (int i = 0; i < patches; ++i) back.push_back(1 + (reversed ? patches - 1 - i : i));
    back.push_back(patches + 1);
  }
  std::vector<int> into, back;
};

nn::StateSpaceOptions mixer_options(const AdventurerConfig& c) {
  nn::StateSpaceOptions o;
  o.inner = c.mamba_expand * c.embed_dim;
  o.heads = o.inner / c.headdim;
  o.state = c.mamba_d_state;
  o.causal = true;
  o.kernel = c.d_conv;
  o.norm_eps = 1e-5f;
  return o;
}

// x += mixer([mean, norm(x)]) without its first token; x += mlp(norm_mlp(x)).
class AdventurerBlock {
 public:
  AdventurerBlock(const Params& p, const AdventurerConfig& c)
      : path_(p.path()),
        backend_(&p.backend()),
        norm_(p / "norm", c),
        mixer_(p / "mixer", c.embed_dim, mixer_options(c)),
        norm_mlp_(p / "norm_mlp", c),
        mlp_(p / "mlp", c.embed_dim, c.embed_dim * 5 / 2, true) {}

  // x (n, 1, patches + 1, c), in place.
  void forward(MapF x, const TokenOrder& order, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF normed = ctx.workspace().map_like(x);
    const MapF sequence = ctx.workspace().map(x.n, 1, x.w + 1, x.c);
    const MapF mixed = ctx.workspace().map_like(sequence);
    norm_.forward(x, normed, ctx);
    backend_->gather(normed, order.into.data(), sequence, ctx);
    const MapF mean(sequence.data, x.n, 1, 1, x.c, sequence.ld * sequence.w);
    backend_->global_average(normed, mean, ctx);
    mixer_.forward(sequence, mixed, ctx, {});
    backend_->gather(mixed, order.back.data(), normed, ctx);
    backend_->apply(normed, {.residual = x}, x, ctx);
    norm_mlp_.forward(x, normed, ctx);
    mlp_.forward(normed, x, ctx, {.residual = x});
    ctx.tap(path_, x);
  }

 private:
  std::string path_;
  const Backend* backend_;
  TokenNorm norm_;
  nn::StateSpaceDuality mixer_;
  TokenNorm norm_mlp_;
  nn::SwiGlu mlp_;
};

class Adventurer final : public Backbone {
 public:
  Adventurer(const Params& p, const AdventurerConfig& c)
      : config_(c),
        backend_(&p.backend()),
        proj_(p / "patch_embed" / "proj", c.channels, c.embed_dim, c.patch_size,
              Conv2dSpec::square(c.patch_size, 0)),
        class_(p.floats("cls_token", {1, 1, c.embed_dim})),
        positions_(p.floats("pos_embed", {1, c.patches() + 1, c.embed_dim})),
        forwards_(c.patches(), false),
        backwards_(c.patches(), true) {
    blocks_.reserve(static_cast<std::size_t>(c.depth));
    for (int i = 0; i < c.depth; ++i) blocks_.emplace_back(p / "layers" / i, c);
    norm_.emplace(p / "norm_f", c);
    if (c.num_classes > 0) head_.emplace(p / "head", c.embed_dim, c.num_classes);
    for (int i = 0; i < c.patches(); ++i) patches_.push_back(i);
    feature_info_[0] = {c.embed_dim, c.patch_size, "norm_f"};
  }

  std::span<const FeatureInfo> feature_info() const override { return feature_info_; }
  int num_features() const override { return config_.embed_dim; }
  int num_classes() const override { return head_ ? head_->out() : 0; }
  Size2d input_size() const override { return config_.img_size; }
  void check_size(Size2d size) const override {
    require_built_size("adventurer", config_.img_size, size);
  }

  MapF forward_features(CMapF image, Context& ctx, const FeatureSink* sink) const override {
    const int n = image.n, c = config_.embed_dim, patches = config_.patches();
    const MapF x = ctx.workspace().map(n, 1, patches + 1, c);
    embed(image, x, ctx);
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      blocks_[i].forward(x, i / 2 == 1 ? backwards_ : forwards_, ctx);
    }
    norm_->forward(x, x, ctx);
    ctx.tap("norm_f", x);
    if (sink != nullptr) {
      const Workspace::Scope scope(ctx.workspace());
      const MapF map = ctx.workspace().map(n, config_.grid(), config_.grid(), c);
      backend_->gather(x, patches_.data(), map, ctx);
      (*sink)(0, map);
    }
    return x;
  }

  // The class token, which is the last one.
  void forward_head(CMapF features, bool pre_logits, MapF y, Context& ctx) const override {
    const CMapF last(features.row(features.w - 1), features.n, 1, 1, features.c,
                     features.ld * features.w);
    if (pre_logits || !head_) return backend_->apply(last, {}, y, ctx);
    head_->forward(last, y, ctx);
  }

 private:
  // Patches with their positions, then the class token with its own.
  void embed(CMapF image, MapF x, Context& ctx) const {
    const int c = config_.embed_dim, patches = config_.patches();
    const CMapF table(positions_.data(), 1, 1, patches + 1, c);
    const CMapF place(table.row(patches), 1, 1, 1, c), token(class_.data(), 1, 1, 1, c);
    for (int i = 0; i < x.n; ++i) {
      const MapF tokens = x.image(i).token_range(0, patches);
      proj_.forward(
          image.image(i), tokens.reshaped(1, config_.grid(), config_.grid()), ctx,
          {.residual = table.token_range(0, patches).reshaped(1, config_.grid(), config_.grid())});
      backend_->apply(token, {.residual = place}, x.image(i).token_range(patches, 1), ctx);
    }
  }

  AdventurerConfig config_;
  const Backend* backend_;
  nn::Conv2d proj_;
  FloatBuffer class_, positions_;  // (c), (patches + 1, c)
  TokenOrder forwards_, backwards_;
  std::vector<int> patches_;  // 0, 1, ...: the tokens of the map
  std::vector<AdventurerBlock> blocks_;
  std::optional<TokenNorm> norm_;
  std::optional<nn::Linear> head_;
  FeatureInfo feature_info_[1];
};

constexpr AdventurerConfig adventurer(int dim, int depth, int patch, int size) {
  AdventurerConfig c;
  c.embed_dim = dim;
  c.depth = depth;
  c.patch_size = patch;
  c.img_size = {size, size};
  c.rms_norm = true;
  return c;
}

struct AdventurerVariant {
  std::string_view name;
  AdventurerConfig config;
  PreprocessConfig preprocess;
};

// Resized to 8 / 7 of the size, of which the middle is cut out; bicubic.
constexpr PreprocessConfig input(int size) { return {.height = size, .width = size}; }

constexpr AdventurerVariant kVariants[] = {
    {"adventurer_tiny_patch16_224", adventurer(256, 12, 16, 224), input(224)},
    {"adventurer_small_patch16_224", adventurer(512, 12, 16, 224), input(224)},
    {"adventurer_base_patch16_224", adventurer(768, 12, 16, 224), input(224)},
    {"adventurer_large_patch16_224", adventurer(1024, 24, 16, 224), input(224)},
    {"adventurer_tiny_patch1_64", adventurer(256, 12, 1, 64), input(64)},
    {"adventurer_tiny_patch1_128", adventurer(256, 12, 1, 128), input(128)},
    {"adventurer_tiny_patch1_224", adventurer(256, 12, 1, 224), input(224)},
    {"adventurer_small_patch1_64", adventurer(512, 12, 1, 64), input(64)},
    {"adventurer_small_patch1_128", adventurer(512, 12, 1, 128), input(128)},
    {"adventurer_small_patch1_224", adventurer(512, 12, 1, 224), input(224)},
    {"adventurer_base_patch1_64", adventurer(768, 12, 1, 64), input(64)},
    {"adventurer_base_patch1_128", adventurer(768, 12, 1, 128), input(128)},
    {"adventurer_base_patch1_224", adventurer(768, 12, 1, 224), input(224)},
};
constexpr auto kModels = model_table(kVariants);

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  const AdventurerConfig given = variant < 0 ? AdventurerConfig{} : kVariants[variant].config;
  return std::make_unique<Adventurer>(p, configured(given, args));
}

}  // namespace

const ModelFamily kAdventurer = {
    .name = "adventurer",
    .description = "Adventurer (arXiv:2410.07599, arXiv:2502.03738), after the authors' code",
    .models = kModels,
    .make = make,
    .takes_img_size = true,
};

}  // namespace fovea::models
