// SPDX-License-Identifier: Apache-2.0
//
// SLAB on Swin (classification/models/swin_transformer.py and slab_swin.py): "swin_*_prepbn" has
// RepBN, "slab_swin_*" has simplified linear attention as well, in windows of "window_size"
// positions; its other blocks have windows of 7, or of 12 where "window_size" exceeds 56.
//
// Checkpoints whose norms the authors' merge_bn() has folded load too: variant
// "swin_t_prepbn_folded", or any other when the first merging has a bias. (That function leaves
// alpha times the bias of the patches' convolution out, which cannot be undone.)
#include <memory>
#include <utility>

#include "fovea/nn/self_attention.h"
#include "fovea/nn/simplified_linear_attention.h"
#include "models/slab.h"
#include "models/swin_host.h"

namespace fovea::models {
namespace {

struct SlabSwinConfig : SwinHostConfig {
  nn::RepNormForm norm = nn::RepNormForm::linear;
  bool folded = false;
  bool mixed_windows = true;  // windows of softmax attention have sizes of their own
  int kernel = 5;
};

SlabSwinConfig published(std::string_view name) {
  SlabSwinConfig c;
  c.depths = {2, 2, name.starts_with("slab_swin_s") ? 18 : 6, 2};
  if (name.starts_with("slab_")) {
    c.window_size = {56};
  } else {
    c.norm = nn::RepNormForm::plain;
  }
  c.folded = name.ends_with("_folded");
  return c;
}

SlabSwinConfig configured(const Params& p, std::string_view name, const ModelArgs& args) {
  SlabSwinConfig c = name.empty() ? SlabSwinConfig() : published(name);
  read_swin_host_args(args, c);
  args.read("folded", c.folded);
  if (c.folded) c.norm = nn::RepNormForm::plain;  // the only form that the authors fold
  c.norm = read_slab_norm(args, c.norm, !name.empty() || c.folded);
  args.read("kernel_size", c.kernel, 1, 64);
  args.ignore({"focusing_factor"});  // has no effect on simplified linear attention
  // The reference has a file for softmax attention alone, which knows no "attn_type".
  c.mixed_windows = args.has("attn_type") || c.norm == nn::RepNormForm::linear;
  const std::string same(static_cast<std::size_t>(c.stages()), c.mixed_windows ? 'L' : 'S');
  c.types =
      read_attention_types(args, 'L', 'S', name.starts_with("slab_") ? "LLSS" : same, c.stages());
  args.finish("slab");
  check_swin_host_config(c);
  require_odd("kernel_size", c.kernel);
  c.folded = c.folded || p.has("layers.0.downsample.reduction.bias");
  return c;
}

// A layer with the norm before it, unless that is in it already.
nn::Linear normed(const Params& norm, const Params& layer, const SlabSwinConfig& c, int in, int out,
                  bool bias, bool folded_bias) {
  if (c.folded) return nn::Linear(layer, in, out, folded_bias);
  return nn::fold_before(layer, nn::rep_norm(norm, in, c.norm), in, out, bias);
}

std::unique_ptr<const nn::Mixer> make_mixer(const Params& p, const SlabSwinConfig& c, int stage,
                                            int index) {
  const int dim = c.dim(stage), size = c.window_size[0];
  const bool linear = c.types.is_linear(stage, index);
  const int window = linear || !c.mixed_windows ? size : size <= 56 ? 7 : 12;
  const nn::WindowOptions o = swin_host_window(c, stage, index, window);
  const Params attn = p / "attn";
  nn::Linear qkv = normed(p / "norm1", attn / "qkv", c, dim, 3 * dim, c.qkv_bias, c.qkv_bias);
  if (!linear) return std::make_unique<nn::WindowAttention>(attn, std::move(qkv), dim, o);
  using Mixing = nn::WindowedMixing<nn::SimplifiedLinearMixing>;
  const nn::SimplifiedLinearOptions options = {
      .heads = o.heads, .kernel = c.kernel, .h = o.window_h, .w = o.window_w};
  return std::make_unique<nn::SelfAttention<Mixing>>(
      attn, std::move(qkv),
      Mixing(attn, swin_division(c, stage, o), nn::SimplifiedLinearMixing(attn, dim, options)));
}

SlabBlock make_block(const Params& p, const SlabSwinConfig& c, int stage, int index) {
  const int dim = c.dim(stage), hidden = swin_hidden_width(c, stage);
  const Params mlp = p / "mlp";
  return {make_mixer(p, c, stage, index),
          nn::Mlp(mlp, normed(p / "norm2", mlp / "fc1", c, dim, hidden, true, true),
                  nn::Linear(mlp / "fc2", hidden, dim))};
}

SwinPatchEmbed make_patches(const Params& p, const SlabSwinConfig& c) {
  if (c.folded || !c.patch_norm) {
    return {p, nn::Conv2d(p / "proj", c.in_chans, c.embed_dim, c.patch_size,
                          Conv2dSpec::square(c.patch_size, 0))};
  }
  return {p, nn::fold_after(p / "proj", nn::rep_norm(p / "norm", c.embed_dim, c.norm), c.in_chans,
                            c.embed_dim, c.patch_size, c.patch_size)};
}

}  // namespace

std::unique_ptr<Backbone> make_slab_swin(const Params& p, std::string_view name,
                                         const ModelArgs& args) {
  const SlabSwinConfig c = configured(p, name, args);
  SwinParts<nn::PatchMerging, nn::RepNorm> parts = {
      make_patches(p / "patch_embed", c),
      [&](const Params& merging, int in, int out) {
        return nn::PatchMerging(merging,
                                normed(merging / "norm", merging / "reduction", c, 4 * in, out,
                                       /*bias=*/false, /*folded_bias=*/true));
      },
      {}};
  if (!c.folded) parts.norm.emplace(p / "norm", c.dim(c.stages() - 1), c.norm);
  return std::make_unique<SwinNetwork<SlabBlock, nn::PatchMerging, nn::RepNorm>>(
      p, "slab", c, std::move(parts), [&](const Params& block, int stage, int index) {
        return make_block(block, c, stage, index);
      });
}

}  // namespace fovea::models
