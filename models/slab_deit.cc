// SPDX-License-Identifier: Apache-2.0
//
// SLAB on DeiT: "deit_*_prepbn" (classification/models/deit.py) is DeiT with RepBN, "slab_deit_*"
// (slab_deit.py) has simplified linear attention as well.
//
// The latter has positions for 14 x 14 patches whatever the image's size, uses no class token,
// which its checkpoints have nevertheless, and averages the patches. Of a configuration without a
// variant's name the two have the same arguments: the checkpoint's tensors tell them apart. Where
// there is no checkpoint, the latter is what has 196 patches and LinearNorm, as the published ones.
#include <memory>
#include <string>
#include <utility>

#include "fovea/nn/self_attention.h"
#include "fovea/nn/simplified_linear_attention.h"
#include "models/deit_network.h"
#include "models/slab.h"

namespace fovea::models {
namespace {

constexpr int kLinearSide = 14, kLinearPatches = kLinearSide * kLinearSide;

struct SlabDeitConfig : VitConfig {
  nn::RepNormForm norm = nn::RepNormForm::linear;
  bool linear = false;  // simplified linear attention
};

SlabDeitConfig published(std::string_view name) {
  SlabDeitConfig c;
  c.linear = name.starts_with("slab_");
  const bool tiny = name.find("_t") != std::string_view::npos;
  c.embed_dim = tiny ? 192 : 384;
  c.num_heads = tiny ? 3 : 6;
  if (name == "deit_t_prepbn") c.norm = nn::RepNormForm::plain;
  return c;
}

SlabDeitConfig configured(const Params& p, std::string_view name, const ModelArgs& args) {
  SlabDeitConfig c = name.empty() ? SlabDeitConfig() : published(name);
  read_deit_args(args, c);
  args.read("distilled", c.distilled);
  c.norm = read_slab_norm(args, c.norm, !name.empty());
  args.finish("slab");
  check_deit_config(c);
  const int patches = (c.img_size.h / c.patch_size.h) * (c.img_size.w / c.patch_size.w);
  if (name.empty()) {
    c.linear = p.has("pos_embed") ? (p / "blocks" / 0 / "attn").has("positional_encoding")
                                  : patches == kLinearPatches && c.norm == nn::RepNormForm::linear;
  }
  if (!c.linear) return c;
  if (patches != kLinearPatches) {
    wrong_argument("img_size", "196 patches, for which simplified linear attention is made",
                   std::to_string(patches));
  }
  if (c.distilled) wrong_argument("distilled", "false, as there are no tokens but patches", "true");
  c.class_token = false;
  c.global_pool = VitConfig::Pool::avg;
  return c;
}

SlabBlock make_block(const Params& p, const SlabDeitConfig& c) {
  const int dim = c.embed_dim;
  const Params attn = p / "attn";
  nn::Linear qkv = nn::fold_before(attn / "qkv", nn::rep_norm(p / "norm1", dim, c.norm), dim,
                                   3 * dim, c.qkv_bias);
  std::unique_ptr<const nn::Mixer> mixer;
  if (c.linear) {
    const nn::SimplifiedLinearOptions options = {
        .heads = c.num_heads, .h = kLinearSide, .w = kLinearSide};
    mixer = std::make_unique<nn::SelfAttention<nn::SimplifiedLinearMixing>>(
        attn, std::move(qkv), nn::SimplifiedLinearMixing(attn, dim, options));
  } else {
    mixer = std::make_unique<nn::SelfAttention<nn::SoftmaxMixing>>(
        attn, std::move(qkv), nn::SoftmaxMixing(attn, dim, c.num_heads));
  }
  return {std::move(mixer), slab_mlp(p, dim, vit_hidden_width(c), c.norm)};
}

}  // namespace

std::unique_ptr<Backbone> make_slab_deit(const Params& p, std::string_view name,
                                         const ModelArgs& args) {
  const SlabDeitConfig c = configured(p, name, args);
  if (c.linear) p.get("cls_token", {1, 1, c.embed_dim});  // unused
  return std::make_unique<DeitNetwork<SlabBlock, nn::RepNorm>>(
      p, "slab", c, nn::RepNorm(p / "norm", c.embed_dim, c.norm),
      [&](const Params& block, int) { return make_block(block, c); });
}

}  // namespace fovea::models
