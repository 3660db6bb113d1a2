// SPDX-License-Identifier: Apache-2.0
//
// SLAB (arXiv:2405.11582): DeiT, PVT, Swin and CSWin with RepBN in the place of LayerNorm, and with
// simplified linear attention, after the authors' code (xinghaochen/SLAB, classification/models),
// under their names, for their checkpoints.
//
// The repository has a file per host, and so has this library; a configuration without a variant's
// name says by its arguments which host is meant. LinearNorm is a RepBN at inference.
#include "models/slab.h"

#include <memory>
#include <string>

#include "models/families.h"

namespace fovea::models {
namespace {

using Make = std::unique_ptr<Backbone> (*)(const Params&, std::string_view, const ModelArgs&);

struct SlabVariant {
  std::string_view name;
  Make make;
  PreprocessConfig preprocess = kSlabInput;
  struct {
    int num_classes = 1000;
  } config = {};
};

constexpr SlabVariant kVariants[] = {
    {"deit_t_prepbn", make_slab_deit}, {"deit_s_prepbn", make_slab_deit},
    {"slab_deit_t", make_slab_deit},   {"slab_deit_s", make_slab_deit},
    {"pvt_t_prepbn", make_slab_pvt},   {"pvt_s_prepbn", make_slab_pvt},
    {"pvt_m_prepbn", make_slab_pvt},   {"slab_pvt_t", make_slab_pvt},
    {"swin_t_prepbn", make_slab_swin}, {"swin_t_prepbn_folded", make_slab_swin},
    {"slab_swin_t", make_slab_swin},   {"slab_swin_s", make_slab_swin},
    {"slab_cswin_t", make_slab_cswin},
};
constexpr auto kModels = model_table(kVariants);

Make host_of(const ModelArgs& args) {
  if (args.has("embed_dims")) return make_slab_pvt;
  if (args.has("split_size") || args.has("la_split_size")) return make_slab_cswin;
  return args.has("depths") || args.has("folded") ? make_slab_swin : make_slab_deit;
}

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  if (variant < 0) return host_of(args)(p, "", args);
  return kVariants[variant].make(p, kVariants[variant].name, args);
}

// The counters of training, and what is derived.
std::string rename(const std::string& name) {
  for (const std::string_view unused :
       {".warm", ".iter", ".total_step", ".attn_mask", ".relative_position_index"}) {
    if (name.ends_with(unused)) return "";
  }
  return name;
}

}  // namespace

const ModelFamily kSlab = {
    .name = "slab",
    .description = "SLAB (arXiv:2405.11582) on DeiT, PVT, Swin and CSWin, after the authors",
    .models = kModels,
    .make = make,
    .rename = rename,
    .takes_img_size = true,
};

}  // namespace fovea::models
