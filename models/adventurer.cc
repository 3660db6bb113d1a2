// SPDX-License-Identifier: Apache-2.0
//
// Adventurer (arXiv:2410.07599) with patches of 16 x 16 pixels or of one (arXiv:2502.03738), after
// the authors' code (wangf3014/Patch_Scaling, models_mamba.py and mamba_custom.py), under their
// names, for their checkpoints.
//
// The class token is the last of the sequence; a mean token goes before it in every block. Built
// for one size of images, argument "img_size".
//
// Oddity of the released code, which its checkpoints depend on: only the layers 2 and 3, not every
// second pair, mix the patches in reverse.
//
// Deviations: "d_ssm" (a state space of a part of the channels) and "dt_limit" are refused.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fovea/models/backbone.h"
#include "fovea/nn/conv2d.h"
#include "fovea/nn/head.h"
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
  float norm_epsilon = 1e-5f;
  bool rms_norm = false;
  int mamba_expand = 2;
  int mamba_d_state = 64;
  // ssm_cfg
  int headdim = 64;
  int ngroups = 1;
  int d_conv = 4;
  bool d_has_hdim = false;
  bool rmsnorm = true;
  bool norm_before_gate = false;
  bool bias = false;
  bool conv_bias = true;

  Size2d grid() const { return {img_size.h / patch_size, img_size.w / patch_size}; }
  int patches() const { return grid().h * grid().w; }
};

AdventurerConfig configured(AdventurerConfig c, const ModelArgs& args) {
  args.read("img_size", c.img_size);
  args.read("patch_size", c.patch_size, 1, 1024);
  args.read("depth", c.depth, 0, 1024);
  args.read("embed_dim", c.embed_dim, 1);
  args.read("channels", c.channels, 1);
  args.read("num_classes", c.num_classes, 0, 1 << 20);
  args.read("norm_epsilon", c.norm_epsilon);
  args.read("rms_norm", c.rms_norm);
  args.read("mamba_expand", c.mamba_expand, 1, 64);
  args.read("mamba_d_state", c.mamba_d_state, 1, 1 << 12);
  const std::string ssm = "ssm_cfg.";
  args.read(ssm + "headdim", c.headdim, 1);
  args.read(ssm + "ngroups", c.ngroups, 1, 1 << 12);
  args.read(ssm + "d_conv", c.d_conv, 1, 31);
  args.read(ssm + "D_has_hdim", c.d_has_hdim);
  args.read(ssm + "rmsnorm", c.rmsnorm);
  args.read(ssm + "norm_before_gate", c.norm_before_gate);
  args.read(ssm + "bias", c.bias);
  args.read(ssm + "conv_bias", c.conv_bias);
  for (const char* const name : {"conv_init", "A_init_range", "dt_min", "dt_max", "dt_init_floor",
                                 "chunk_size", "use_mem_eff_path"}) {
    args.ignore({ssm + name});
  }
  args.ignore({"ssm_cfg", "drop_rate", "drop_path_rate", "initializer_cfg"});
  args.finish("adventurer");
  const Size2d grid = c.grid();
  // The reference sizes its positions by the rows of patches alone.
  if (grid.h < 1 || grid.h != grid.w) {
    wrong_argument("img_size",
                   "as many rows as columns of patches of " +
                       size_string({c.patch_size, c.patch_size}) + " pixels",
                   size_string(c.img_size));
  }
  if (c.mamba_expand * c.embed_dim % c.headdim != 0) {
    wrong_argument("ssm_cfg.headdim",
                   "a divisor of " + std::to_string(c.mamba_expand * c.embed_dim) + " channels",
                   std::to_string(c.headdim));
  }
  return c;
}

nn::StateSpaceOptions mixer_options(const AdventurerConfig& c) {
  using Gate = nn::StateSpaceGate;
  nn::StateSpaceOptions o;
  o.inner = c.mamba_expand * c.embed_dim;
  o.heads = o.inner / c.headdim;
  o.state = c.mamba_d_state;
  o.groups = c.ngroups;
  o.kernel = c.d_conv;
  o.conv_bias = c.conv_bias;
  o.bias = c.bias;
  o.d_per_channel = c.d_has_hdim;
  o.gate = !c.rmsnorm           ? Gate::silu
           : c.norm_before_gate ? Gate::norm_then_silu
                                : Gate::silu_then_norm;
  return o;
}

// RMSNorm, or LayerNorm.
class AdventurerNorm {
 public:
  AdventurerNorm(const Params& p, const AdventurerConfig& c) {
    if (c.rms_norm) {
      rms_.emplace(p, c.embed_dim, c.norm_epsilon);
    } else {
      layer_.emplace(p, c.embed_dim, c.norm_epsilon);
    }
  }
  void forward(CMapF x, MapF y, Context& ctx) const {
    if (rms_) {
      rms_->forward(x, y, ctx);
    } else {
      layer_->forward(x, y, ctx);
    }
  }

 private:
  std::optional<nn::RmsNorm> rms_;
  std::optional<nn::LayerNorm> layer_;
};

// The way of the tokens into a mixer, behind the mean token, and back. Tables of gather(), in the
// workspace: what an image size asks for is not allocated before weights have shown it to be right.
struct TokenOrder {
  TokenOrder(int patches, bool reversed, Context& ctx) {
    const auto count = static_cast<std::size_t>(patches);
    in = static_cast<int*>(ctx.workspace().bytes(count + 2, sizeof(int)));
    out = static_cast<int*>(ctx.workspace().bytes(count + 1, sizeof(int)));
    if (ctx.dry_run()) return;
    in[0] = -1;
    for (int i = 0; i < patches; ++i) {
      in[i + 1] = reversed ? patches - 1 - i : i;
      out[i] = reversed ? patches - i : i + 1;
    }
    in[patches + 1] = patches;
    out[patches] = patches + 1;
  }
  int* in;   // (1 + patches + 1); the mean is written afterwards
  int* out;  // (patches + 1)
};

// x += mixer([mean(norm(x)), norm(x)]) without its first token; x += mlp(norm_mlp(x)).
class AdventurerBlock {
 public:
  AdventurerBlock(const Params& p, const AdventurerConfig& c)
      : path_(p.path()),
        backend_(&p.backend()),
        mixer_(p / "mixer", c.embed_dim, mixer_options(c)),
        norm_(p / "norm", c),
        mlp_(p / "mlp", c.embed_dim, c.embed_dim * 5 / 2, /*bias=*/true),
        norm_mlp_(p / "norm_mlp", c) {}

  // x (n, 1, tokens, embed_dim), in place.
  void forward(MapF x, const TokenOrder& order, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF t = ctx.workspace().map_like(x);
    mix(x, t, order, ctx);
    backend_->apply(t, {.residual = x}, x, ctx);
    norm_mlp_.forward(x, t, ctx);
    mlp_.forward(t, x, ctx, {.residual = x});
    ctx.tap(path_, x);
  }

 private:
  void mix(CMapF x, MapF t, const TokenOrder& order, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF sequence = ctx.workspace().map(x.n, 1, x.w + 1, x.c);
    const MapF mixed = ctx.workspace().map_like(sequence);
    const MapF mean = ctx.workspace().map(x.n, 1, 1, x.c);
    norm_.forward(x, t, ctx);
    backend_->gather(t, order.in, sequence, ctx);
    backend_->global_average(t, mean, ctx);
    for (int i = 0; i < x.n; ++i) {
      backend_->apply(mean.image(i), {}, sequence.image(i).row_range(0, 1), ctx);
    }
    mixer_.forward(sequence, mixed, ctx, {});
    backend_->gather(mixed, order.out, t, ctx);
  }

  std::string path_;
  const Backend* backend_;
  nn::StateSpaceDuality mixer_;
  AdventurerNorm norm_;
  nn::SwiGlu mlp_;
  AdventurerNorm norm_mlp_;
};

class Adventurer final : public Backbone {
 public:
  Adventurer(const Params& p, const AdventurerConfig& c)
      : config_(c),
        backend_(&p.backend()),
        patches_(p / "patch_embed" / "proj", c.channels, c.embed_dim, c.patch_size,
                 Conv2dSpec::square(c.patch_size, 0)),
        positions_(p.floats("pos_embed", {1, c.patches() + 1, c.embed_dim})),
        class_(p.floats("cls_token", {1, 1, c.embed_dim})),
        norm_(p / "norm_f", c),
        head_(p, c.embed_dim,
              nn::HeadOptions{.classes = c.num_classes, .norm = false, .fc = "head"}) {
    blocks_.reserve(static_cast<std::size_t>(c.depth));
    for (int i = 0; i < c.depth; ++i) blocks_.emplace_back(p / "layers" / i, c);
    feature_info_[0] = {c.embed_dim, c.patch_size, p.path("norm_f")};
  }

  std::span<const FeatureInfo> feature_info() const override { return feature_info_; }
  int num_features() const override { return config_.embed_dim; }
  int num_classes() const override { return head_.classes(); }
  Size2d input_size() const override { return config_.img_size; }
  void check_size(Size2d size) const override {
    require_built_size("adventurer", config_.img_size, size);
  }

  // (n, 1, patches + 1, embed_dim): the patches, then the class token.
  MapF forward_features(CMapF image, Context& ctx, const FeatureSink* sink) const override {
    const MapF x = embed(image, ctx);
    const TokenOrder straight(config_.patches(), false, ctx);
    const TokenOrder reversed(config_.patches(), true, ctx);
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
      blocks_[i].forward(x, i / 2 == 1 ? reversed : straight, ctx);
    }
    norm_.forward(x, x, ctx);
    ctx.tap("norm_f", x);
    if (sink != nullptr) emit(x, *sink, ctx);
    return x;
  }

  // The classifier reads the class token.
  void forward_head(CMapF x, bool pre_logits, MapF y, Context& ctx) const override {
    const CMapF last(x.row(x.w - 1), x.n, 1, 1, x.c, x.ld * x.w);
    head_.forward(last, pre_logits, y, ctx);
  }

 private:
  MapF embed(CMapF image, Context& ctx) const {
    const int count = config_.patches(), c = config_.embed_dim;
    const Size2d grid = config_.grid();
    const MapF x = ctx.workspace().map(image.n, 1, count + 1, c);
    const CMapF positions(positions_.data(), 1, 1, count + 1, c);
    const CMapF patch_positions = positions.row_range(0, count).reshaped(1, grid.h, grid.w);
    for (int i = 0; i < image.n; ++i) {
      const MapF tokens = x.image(i);
      patches_.forward(image.image(i), tokens.row_range(0, count).reshaped(1, grid.h, grid.w), ctx,
                       {.residual = patch_positions});
      backend_->apply(CMapF(class_.data(), 1, 1, 1, c), {.residual = positions.row_range(count, 1)},
                      tokens.row_range(count, 1), ctx);
    }
    return x;
  }

  // The patches as maps of an image each; they lie between class tokens.
  void emit(CMapF x, const FeatureSink& sink, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const Size2d grid = config_.grid();
    const MapF y = ctx.workspace().map(x.n, grid.h, grid.w, x.c);
    for (int i = 0; i < x.n; ++i) {
      backend_->apply(x.image(i).row_range(0, config_.patches()), {}, y.tokens().image(i), ctx);
    }
    sink(0, y);
  }

  AdventurerConfig config_;
  const Backend* backend_;
  nn::Conv2d patches_;
  FloatBuffer positions_;  // (patches + 1, embed_dim)
  FloatBuffer class_;      // (embed_dim)
  std::vector<AdventurerBlock> blocks_;
  AdventurerNorm norm_;
  nn::ClassifierHead head_;
  FeatureInfo feature_info_[1];
};

struct AdventurerVariant {
  std::string_view name;
  AdventurerConfig config;
  PreprocessConfig preprocess;
};

// The authors evaluate whole images, and cut the smallest out of larger ones.
constexpr AdventurerVariant adventurer(std::string_view name, int dim, int depth, int patch,
                                       int size) {
  AdventurerVariant v;
  v.name = name;
  v.config.img_size = {size, size};
  v.config.patch_size = patch;
  v.config.embed_dim = dim;
  v.config.depth = depth;
  v.config.rms_norm = true;
  v.preprocess = {.height = size, .width = size, .crop_pct = size <= 64 ? 0.875 : 1.0};
  return v;
}

constexpr AdventurerVariant kVariants[] = {
    adventurer("adventurer_tiny_patch16_224", 256, 12, 16, 224),
    adventurer("adventurer_small_patch16_224", 512, 12, 16, 224),
    adventurer("adventurer_base_patch16_224", 768, 12, 16, 224),
    adventurer("adventurer_large_patch16_224", 1024, 24, 16, 224),
    adventurer("adventurer_tiny_patch1_224", 256, 12, 1, 224),
    adventurer("adventurer_small_patch1_224", 512, 12, 1, 224),
    adventurer("adventurer_base_patch1_224", 768, 12, 1, 224),
    adventurer("adventurer_tiny_patch1_128", 256, 12, 1, 128),
    adventurer("adventurer_small_patch1_128", 512, 12, 1, 128),
    adventurer("adventurer_base_patch1_128", 768, 12, 1, 128),
    adventurer("adventurer_tiny_patch1_64", 256, 12, 1, 64),
    adventurer("adventurer_small_patch1_64", 512, 12, 1, 64),
    adventurer("adventurer_base_patch1_64", 768, 12, 1, 64),
};
constexpr auto kModels = model_table(kVariants);

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  const AdventurerConfig given = variant < 0 ? AdventurerConfig() : kVariants[variant].config;
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
