// SPDX-License-Identifier: Apache-2.0
//
// SLAB on PVT (classification/models/slab_pvt.py): "pvt_*_prepbn" has RepBN, "slab_pvt_*" has
// simplified linear attention as well.
//
// Built for one size of images, argument "img_size"; where all stages have softmax attention
// ("attn_type" SSSS) positions are resized and any size goes, as in the reference, whose positions
// of the later stages are made for patches of 4 pixels whatever "patch_size" says.
//
// Deviations: `num_stages` other than 4 is refused.
#include <memory>
#include <utility>

#include "fovea/nn/reduced_attention.h"
#include "fovea/nn/self_attention.h"
#include "fovea/nn/simplified_linear_attention.h"
#include "models/pvt_network.h"
#include "models/slab.h"

namespace fovea::models {
namespace {

struct SlabPvtConfig : PvtConfig {
  nn::RepNormForm norm = nn::RepNormForm::linear;
  int kernel = 5;
};

PvtConfig published(std::string_view name) {
  PvtConfig c;
  c.patch_size = 4;
  c.embed_dims = {64, 128, 320, 512};
  c.num_heads = {1, 2, 5, 8};
  c.mlp_ratios = {8, 8, 4, 4};
  c.qkv_bias = true;
  c.depths = {3, 4, 6, 3};
  if (name.find("_t") != std::string_view::npos) c.depths = {2, 2, 2, 2};
  if (name.find("_m") != std::string_view::npos) c.depths = {3, 4, 18, 3};
  return c;
}

SlabPvtConfig configured(std::string_view name, const ModelArgs& args) {
  const bool plain = name.starts_with("pvt_");
  SlabPvtConfig c{name.empty() ? PvtConfig() : published(name)};
  read_pvt_args(args, c);
  c.norm = read_slab_norm(args, c.norm, !name.empty());
  args.read("kernel_size", c.kernel, 1, 64);
  args.ignore({"focusing_factor"});  // has no effect on simplified linear attention
  check_pvt_lists(c);
  // What the constructor defaults to is not what the published networks are built with.
  read_pvt_attention(args, c, 'L', 'S', "la_sr_ratios", plain ? "SSSS" : "LLLL",
                     name.empty() ? "8421" : "1111");
  args.finish("slab");
  require_odd("kernel_size", c.kernel);
  c.side = {c.img_size / c.patch_size};
  for (int i = 1; i < PvtConfig::kStages; ++i) c.side.push_back((c.img_size >> (i + 1)) / 2);
  check_pvt_size(c);
  return c;
}

// The layers that queries, keys and values come from, with the norms before them.
nn::ReducedProjections make_projections(const Params& block, const SlabPvtConfig& c, int stage) {
  const int dim = c.embed_dims[stage], reduction = c.reduction[stage];
  const Params attn = block / "attn";
  const nn::ChannelAffine norm1 = nn::rep_norm(block / "norm1", dim, c.norm);
  nn::Linear q = nn::fold_before(attn / "q", norm1, dim, dim, c.qkv_bias);
  if (reduction == 1) {
    return {std::move(q), nn::fold_before(attn / "kv", norm1, dim, 2 * dim, c.qkv_bias), {}, {}};
  }
  const nn::ChannelAffine norm = nn::rep_norm(attn / "norm", dim, c.norm);
  return {std::move(q),
          nn::fold_before(attn / "kv", norm, dim, 2 * dim, c.qkv_bias),
          nn::fold_before(attn / "sr", norm1, dim, dim, reduction, reduction),
          {}};
}

SlabBlock make_block(const Params& p, const SlabPvtConfig& c, int stage) {
  const int dim = c.embed_dims[stage], heads = c.num_heads[stage];
  const Params attn = p / "attn";
  nn::ReducedProjections parts = make_projections(p, c, stage);
  std::unique_ptr<const nn::Mixer> mixer;
  if (c.fixed[stage]) {
    const nn::SimplifiedLinearOptions options = {.heads = heads,
                                                 .kernel = c.kernel,
                                                 .h = c.side[stage],
                                                 .w = c.side[stage],
                                                 .reduction = c.reduction[stage]};
    mixer = std::make_unique<nn::ReducedAttention<nn::SimplifiedLinearMixing>>(
        attn, std::move(parts), nn::SimplifiedLinearMixing(attn, dim, options));
  } else {
    mixer = std::make_unique<nn::ReducedAttention<nn::SoftmaxMixing>>(
        attn, std::move(parts), nn::SoftmaxMixing(attn, dim, heads, c.qk_scale));
  }
  return {std::move(mixer), slab_mlp(p, dim, pvt_hidden_width(c, stage), c.norm)};
}

}  // namespace

std::unique_ptr<Backbone> make_slab_pvt(const Params& p, std::string_view name,
                                        const ModelArgs& args) {
  const SlabPvtConfig c = configured(name, args);
  return std::make_unique<PvtNetwork<SlabBlock>>(
      p, "slab", c,
      [&](const Params& patches, int in, int out, int patch) {
        return PvtPatches{
            nn::fold_after(patches / "proj", nn::rep_norm(patches / "norm", out, c.norm), in, out,
                           patch, patch),
            {}};
      },
      [&](const Params& block, int stage) { return make_block(block, c, stage); });
}

}  // namespace fovea::models
