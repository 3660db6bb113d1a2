// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "fovea/nn/mixer.h"
#include "fovea/nn/mlp.h"
#include "fovea/nn/rep_norm.h"
#include "models/family_tools.h"

// What the four hosts of SLAB (arXiv:2405.11582) have in common.
namespace fovea::models {

// The hosts' networks; `name` is a variant's, or empty for the reference's own defaults.
std::unique_ptr<Backbone> make_slab_deit(const Params& p, std::string_view name,
                                         const ModelArgs& args);
std::unique_ptr<Backbone> make_slab_pvt(const Params& p, std::string_view name,
                                        const ModelArgs& args);
std::unique_ptr<Backbone> make_slab_cswin(const Params& p, std::string_view name,
                                          const ModelArgs& args);
std::unique_ptr<Backbone> make_slab_swin(const Params& p, std::string_view name,
                                         const ModelArgs& args);

// Every published network, whatever its host, takes 224 x 224 pixels out of the middle of an image
// whose shorter edge has 256.
inline constexpr PreprocessConfig kSlabInput = {.crop_pct = crop_pct_for(224, 256)};

// "norm_layer": which of the reference's two norms with fixed statistics the network has.
inline nn::RepNormForm read_slab_norm(const ModelArgs& args, nn::RepNormForm form, bool published) {
  std::string name;
  args.read("norm_layer", name);
  if (name == "RepBN") return nn::RepNormForm::plain;
  if (name == "LinearNorm") return nn::RepNormForm::linear;
  if (!name.empty() || !published) {
    wrong_argument("norm_layer", "RepBN or LinearNorm", "\"" + name + "\"");
  }
  return form;
}

// x += attention(norm1(x)); x += mlp(norm2(x)), the norms folded into the layers that follow them.
class SlabBlock {
 public:
  SlabBlock(std::unique_ptr<const nn::Mixer> attention, nn::Mlp mlp)
      : attention_(std::move(attention)), mlp_(std::move(mlp)) {}

  // x (n, h, w, c), in place.
  void forward(MapF x, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF mixed = ctx.workspace().map_like(x);
    attention_->forward(x, mixed, ctx, {.residual = x});
    mlp_.forward(mixed, x, ctx, {.residual = mixed});
  }

 private:
  std::unique_ptr<const nn::Mixer> attention_;
  nn::Mlp mlp_;
};

// The block's "mlp" with its "norm2".
inline nn::Mlp slab_mlp(const Params& block, int c, int hidden, nn::RepNormForm form) {
  const nn::ChannelAffine norm = nn::rep_norm(block / "norm2", c, form);
  const Params p = block / "mlp";
  return nn::Mlp(p, nn::fold_before(p / "fc1", norm, c, hidden), nn::Linear(p / "fc2", hidden, c));
}

}  // namespace fovea::models
