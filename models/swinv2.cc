// SPDX-License-Identifier: Apache-2.0
//
// Swin V2 (arXiv:2111.09883), as timm has it (timm/models/swin_transformer_v2.py), under timm's
// names.
//
// Checkpoints: timm's, the authors' (microsoft/Swin-Transformer), those of transformers and
// torchvision. The biases of positions are a
// function of the window and fit any. Built for one size of images, argument "img_size", which also
// limits the windows; with `strict_img_size` false it takes all multiples of the patch.
//
// Deviations: pooling "" (no pooling) is refused; maps that whole windows do not cover are padded
// whatever `strict_img_size` says, where the reference fails.
#include <memory>
#include <string>

#include "fovea/nn/activation.h"
#include "fovea/nn/mlp.h"
#include "models/families.h"
#include "models/swin_names.h"
#include "models/swin_network.h"

namespace fovea::models {
namespace {

// x += norm1(attn(x)); x += norm2(mlp(x)).
class SwinV2Block {
 public:
  SwinV2Block(const Params& p, const SwinConfig& c, int stage, const nn::WindowOptions& window)
      : backend_(&p.backend()),
        attn_(p / "attn", c.dim(stage), window, per_stage(c.pretrained_window_sizes, stage),
              per_stage(c.pretrained_window_sizes, stage)),
        norm1_(p / "norm1", c.dim(stage), c.norm_eps),
        mlp_(p / "mlp", c.dim(stage), swin_hidden_width(c, stage), c.act),
        norm2_(p / "norm2", c.dim(stage), c.norm_eps) {}

  // x (n, h, w, dim), in place.
  void forward(MapF x, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF t = ctx.workspace().map_like(x);
    attn_.forward(x, t, ctx, {});
    norm1_.forward(t, t, ctx);
    backend_->apply(t, {.residual = x}, x, ctx);
    mlp_.forward(x, t, ctx);
    norm2_.forward(t, t, ctx);
    backend_->apply(t, {.residual = x}, x, ctx);
  }

 private:
  const Backend* backend_;
  nn::WindowAttentionV2 attn_;
  nn::LayerNorm norm1_;
  nn::Mlp mlp_;
  nn::LayerNorm norm2_;
};

// norm(reduction(2x2 neighbours side by side)).
class PatchMergingV2 {
 public:
  PatchMergingV2(const Params& p, int in, int out, float eps)
      : path_(p.path()),
        backend_(&p.backend()),
        reduction_(p / "reduction", 4 * in, out, /*bias=*/false),
        norm_(p / "norm", out, eps) {}

  MapF forward(CMapF x, Context& ctx) const {
    const int h = (x.h + 1) / 2, w = (x.w + 1) / 2;
    const MapF y = ctx.workspace().map(x.n, h, w, reduction_.out());
    const Workspace::Scope scope(ctx.workspace());
    const MapF merged = ctx.workspace().map(x.n, h, w, 4 * x.c);
    backend_->patch_merge(x, merged, ctx);
    reduction_.forward(merged, y, ctx);
    norm_.forward(y, y, ctx);
    ctx.tap(path_, y);
    return y;
  }

 private:
  std::string path_;
  const Backend* backend_;
  nn::Linear reduction_;
  nn::LayerNorm norm_;
};

using SwinV2 = SwinNetwork<SwinV2Block, PatchMergingV2>;

struct Width {
  int embed_dim, third_depth;
  List<int> num_heads;
};
constexpr Width kTiny = {96, 6, {3, 6, 12, 24}}, kSmall = {96, 18, {3, 6, 12, 24}},
                kBase = {128, 18, {4, 8, 16, 32}}, kLarge = {192, 18, {6, 12, 24, 48}};

constexpr SwinConfig swinv2(const Width& width, int window, int num_classes = 1000) {
  SwinConfig c;
  c.num_classes = num_classes;
  c.embed_dim = width.embed_dim;
  c.depths = {2, 2, width.third_depth, 2};
  c.num_heads = width.num_heads;
  c.window_size = {window};
  return c;
}

// Trained at 192 pixels with windows of 12, and of 6 in the last stage.
constexpr SwinConfig enlarged(const Width& width, int window) {
  SwinConfig c = swinv2(width, window);
  c.pretrained_window_sizes = {12, 12, 12, 6};
  return c;
}

constexpr int kImageNet22k = 21841;

constexpr SwinVariant kVariants[] = {
    {"swinv2_tiny_window16_256", swinv2(kTiny, 16), swin_input(256)},
    {"swinv2_tiny_window8_256", swinv2(kTiny, 8), swin_input(256)},
    {"swinv2_small_window16_256", swinv2(kSmall, 16), swin_input(256)},
    {"swinv2_small_window8_256", swinv2(kSmall, 8), swin_input(256)},
    {"swinv2_base_window16_256", swinv2(kBase, 16), swin_input(256)},
    {"swinv2_base_window8_256", swinv2(kBase, 8), swin_input(256)},
    {"swinv2_base_window12_192", swinv2(kBase, 12, kImageNet22k), swin_input(192)},
    {"swinv2_base_window12to16_192to256", enlarged(kBase, 16), swin_input(256)},
    {"swinv2_base_window12to24_192to384", enlarged(kBase, 24), swin_input(384, 1.0)},
    {"swinv2_large_window12_192", swinv2(kLarge, 12, kImageNet22k), swin_input(192)},
    {"swinv2_large_window12to16_192to256", enlarged(kLarge, 16), swin_input(256)},
    {"swinv2_large_window12to24_192to384", enlarged(kLarge, 24), swin_input(384, 1.0)},
    // torchvision's.
    {"swin_v2_t", swinv2(kTiny, 8), swin_torchvision(256, 260)},
    {"swin_v2_s", swinv2(kSmall, 8), swin_torchvision(256, 260)},
    {"swin_v2_b", swinv2(kBase, 8), swin_torchvision(256, 272)},
};
constexpr auto kModels = model_table(kVariants);

// The attention of transformers. Keys have no bias in any implementation.
constexpr RenameRule kTransformers[] = {
    {"encoder.layers.#.blocks.#.attention.self.query.bias", "layers.#.blocks.#.attn.q_bias"},
    {"encoder.layers.#.blocks.#.attention.self.value.bias", "layers.#.blocks.#.attn.v_bias"},
    {"encoder.layers.#.blocks.#.attention.self.logit_scale", "layers.#.blocks.#.attn.logit_scale"},
    {"encoder.layers.#.blocks.#.attention.self.continuous_position_bias_mlp.*",
     "layers.#.blocks.#.attn.cpb_mlp.*"},
};

std::string rename(const std::string& name) { return swin_rename(kTransformers, name); }

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  SwinConfig c = swin_variant(kVariants, variant);
  read_swin_args(args, c);
  if (Size2d window; args.has("window_size")) {
    args.read("window_size", window, 1, 1 << 12);
    c.window_size = {window.h, window.w};
  }
  double mlp_ratio = c.mlp_ratio[0];
  args.read("mlp_ratio", mlp_ratio);
  c.mlp_ratio = {mlp_ratio};
  if (std::string name; args.has("act_layer")) {
    args.read("act_layer", name);
    c.act = nn::activation(name);
  }
  args.read("pretrained_window_sizes", c.pretrained_window_sizes, 0, 1 << 12);
  args.finish("swinv2");
  check_swin_config(c);
  return std::make_unique<SwinV2>(p, "swinv2", c);
}

}  // namespace

const ModelFamily kSwinV2 = {
    .name = "swinv2",
    .description = "Swin V2 (arXiv:2111.09883), after timm",
    .models = kModels,
    .make = make,
    .rename = rename,
    .takes_img_size = true,
};

}  // namespace fovea::models
