// SPDX-License-Identifier: Apache-2.0
//
// SLAB on CSWin (classification/models/slab_cswin.py): RepBN, and simplified linear attention in
// stripes as wide as "la_split_size" says, in the published network the whole map.
//
// Values of simplified linear attention are convolved twice, by its own convolution and by CSWin's.
// These blocks also have a "scale" in the checkpoint that the reference never uses.
#include <memory>
#include <utility>

#include "fovea/nn/self_attention.h"
#include "fovea/nn/simplified_linear_attention.h"
#include "models/cswin_network.h"
#include "models/slab.h"

namespace fovea::models {
namespace {

struct SlabCswinConfig : CswinConfig {
  nn::RepNormForm norm = nn::RepNormForm::linear;
  int kernel = 5;
};

SlabCswinConfig configured(std::string_view name, const ModelArgs& args) {
  SlabCswinConfig c;
  if (!name.empty()) {
    c.embed_dim = 64;
    c.depth = {2, 4, 18, 1};
    c.la_split_size = {56, 28, 14, 7};
  }
  read_cswin_args(args, c, 'L', 'S', name.empty() ? "LLLL" : "LLSS");
  // This host has no form without linear attention, so that the default is the constructor's.
  c.norm = read_slab_norm(args, c.norm, /*published=*/true);
  args.read("kernel_size", c.kernel, 1, 64);
  args.ignore({"focusing_factor"});  // has no effect on simplified linear attention
  args.finish("slab");
  check_cswin_config(c);
  require_odd("kernel_size", c.kernel);
  return c;
}

// A layer for queries, keys and values with the norm before it, and what mixes them.
template <class Stripes>
std::unique_ptr<const nn::Mixer> mixer(const Params& p, const SlabCswinConfig& c, int dim,
                                       Stripes stripes) {
  nn::Linear qkv =
      nn::fold_before(p / "qkv", nn::rep_norm(p / "norm1", dim, c.norm), dim, 3 * dim, c.qkv_bias);
  return std::make_unique<nn::SelfAttention<Stripes>>(p, std::move(qkv), std::move(stripes));
}

std::unique_ptr<const nn::Mixer> make_mixer(const Params& p, const SlabCswinConfig& c, int stage,
                                            int index) {
  const int dim = c.dim(stage);
  if (!c.types.is_linear(stage, index)) return mixer(p, c, dim, cswin_softmax(p, c, stage));
  const auto linear = [&](const Params& branch, int channels, int heads, int h, int w) {
    branch.get("scale", {1, 1, channels});
    const nn::SimplifiedLinearOptions options = {
        .heads = heads, .kernel = c.kernel, .h = h, .w = w};
    return nn::LepeMixing(branch, channels, nn::SimplifiedLinearMixing(branch, channels, options));
  };
  return mixer(p, c, dim, cswin_stripes(p, c, stage, c.la_split_size[stage], linear));
}

}  // namespace

std::unique_ptr<Backbone> make_slab_cswin(const Params& p, std::string_view name,
                                          const ModelArgs& args) {
  const SlabCswinConfig c = configured(name, args);
  return std::make_unique<CswinNetwork<SlabBlock, nn::RepNorm>>(
      p, "slab", c, nn::RepNorm(p / "norm", c.dim(CswinConfig::kStages - 1), c.norm),
      [&](const Params& conv, const Params& norm, const CswinConv& o) {
        return CswinMerging{nn::fold_after(conv, nn::rep_norm(norm, o.out, c.norm), o.in, o.out,
                                           o.kernel, o.stride, o.pad),
                            {}};
      },
      [&](const Params& block, int stage, int index) {
        const int dim = c.dim(stage);
        return SlabBlock(make_mixer(block, c, stage, index),
                         slab_mlp(block, dim, cswin_hidden_width(c, stage), c.norm));
      });
}

}  // namespace fovea::models
