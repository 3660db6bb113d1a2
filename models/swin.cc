// SPDX-License-Identifier: Apache-2.0
//
// Swin (arXiv:2103.14030) and Swin-S3 (AutoFormerV2, arXiv:2111.14725), as timm has them
// (timm/models/swin_transformer.py), under timm's names.
//
// Checkpoints: timm's, the authors' (microsoft/Swin-Transformer, Cream/AutoFormerV2), those of
// transformers and torchvision. Bias tables of another window are resized when the network is
// built. Built for one size of images, argument "img_size", which also limits the windows; with
// `strict_img_size` false it takes all multiples of the patch.
//
// Deviations: pooling "" (no pooling) is refused.
#include <memory>

#include "fovea/nn/mlp.h"
#include "models/families.h"
#include "models/swin_names.h"
#include "models/swin_network.h"

namespace fovea::models {
namespace {

// x += attn(norm1(x)); x += mlp(norm2(x)).
class SwinBlock {
 public:
  SwinBlock(const Params& p, const SwinConfig& c, int stage, const nn::WindowOptions& window)
      : norm1_(p / "norm1", c.dim(stage), c.norm_eps),
        attn_(p / "attn", c.dim(stage), window),
        norm2_(p / "norm2", c.dim(stage), c.norm_eps),
        mlp_(p / "mlp", c.dim(stage), swin_hidden_width(c, stage), c.act) {}

  // x (n, h, w, dim), in place.
  void forward(MapF x, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF t = ctx.workspace().map_like(x);
    norm1_.forward(x, t, ctx);
    attn_.forward(t, x, ctx, {.residual = x});
    norm2_.forward(x, t, ctx);
    mlp_.forward(t, x, ctx, {.residual = x});
  }

 private:
  nn::LayerNorm norm1_;
  nn::WindowAttention attn_;
  nn::LayerNorm norm2_;
  nn::Mlp mlp_;
};

using Swin = SwinNetwork<SwinBlock, nn::PatchMerging>;

constexpr SwinConfig swin(int embed_dim, int third_depth, const List<int>& num_heads,
                          const List<int>& window_size) {
  SwinConfig c;
  c.embed_dim = embed_dim;
  c.depths = {2, 2, third_depth, 2};
  c.num_heads = num_heads;
  c.window_size = window_size;
  return c;
}

constexpr List<int> kHeads3 = {3, 6, 12, 24}, kHeads4 = {4, 8, 16, 32}, kHeads6 = {6, 12, 24, 48};

constexpr SwinVariant kVariants[] = {
    {"swin_tiny_patch4_window7_224", swin(96, 6, kHeads3, {7}), swin_input(224)},
    {"swin_small_patch4_window7_224", swin(96, 18, kHeads3, {7}), swin_input(224)},
    {"swin_base_patch4_window7_224", swin(128, 18, kHeads4, {7}), swin_input(224)},
    {"swin_base_patch4_window12_384", swin(128, 18, kHeads4, {12}), swin_input(384, 1.0)},
    {"swin_large_patch4_window7_224", swin(192, 18, kHeads6, {7}), swin_input(224)},
    {"swin_large_patch4_window12_384", swin(192, 18, kHeads6, {12}), swin_input(384, 1.0)},
    {"swin_s3_tiny_224", swin(96, 6, kHeads3, {7, 7, 14, 7}), swin_input(224)},
    {"swin_s3_small_224", swin(96, 18, kHeads3, {14, 14, 14, 7}), swin_input(224)},
    {"swin_s3_base_224", swin(96, 30, kHeads3, {7, 7, 14, 7}), swin_input(224)},
    // torchvision's.
    {"swin_t", swin(96, 6, kHeads3, {7}), swin_torchvision(224, 232)},
    {"swin_s", swin(96, 18, kHeads3, {7}), swin_torchvision(224, 246)},
    {"swin_b", swin(128, 18, kHeads4, {7}), swin_torchvision(224, 238)},
};
constexpr auto kModels = model_table(kVariants);

// The attention of transformers.
constexpr RenameRule kTransformers[] = {
    {"encoder.layers.#.blocks.#.attention.self.query.bias", "layers.#.blocks.#.attn.qkv.bias[1/3]"},
    {"encoder.layers.#.blocks.#.attention.self.key.bias", "layers.#.blocks.#.attn.qkv.bias[2/3]"},
    {"encoder.layers.#.blocks.#.attention.self.value.bias", "layers.#.blocks.#.attn.qkv.bias[3/3]"},
    {"encoder.layers.#.blocks.#.attention.self.relative_position_bias_table",
     "layers.#.blocks.#.attn.relative_position_bias_table"},
};

std::string rename(const std::string& name) { return swin_rename(kTransformers, name); }

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  SwinConfig c = swin_variant(kVariants, variant);
  read_swin_args(args, c);
  args.read("head_dim", c.head_dim, 1);
  args.read("window_size", c.window_size, 1, 1 << 12);
  args.read("mlp_ratio", c.mlp_ratio);
  args.finish("swin");
  check_swin_config(c);
  return std::make_unique<Swin>(p, "swin", c);
}

}  // namespace

const ModelFamily kSwin = {
    .name = "swin",
    .description = "Swin (arXiv:2103.14030) and Swin-S3 (arXiv:2111.14725), after timm",
    .models = kModels,
    .make = make,
    .rename = rename,
    .takes_img_size = true,
};

}  // namespace fovea::models
