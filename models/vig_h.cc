// SPDX-License-Identifier: Apache-2.0
//
// Hierarchical ViG (arXiv:2405.18425) after the authors' classification/models/vig_h.py
// (hustvl/ViG), under its names: VMamba's pyramid around gated linear attention.
//
// Checkpoints: the authors'. Takes images of any size.
//
// Oddity of the released code, reproduced: a gated MLP (`gmlp`) does not look at mlp_ratio.
//
// Deviations: batch norm and rotations, which no published network has, are refused.
#include <optional>
#include <vector>

#include "fovea/nn/mlp.h"
#include "fovea/nn/swiglu.h"
#include "models/families.h"
#include "models/vig.h"
#include "models/vss_block.h"

namespace fovea::models {
namespace {

struct VigHConfig : VssmLayout {
  List<int> num_heads = {3, 6, 12, 24};
  VigAttention attention;
  double mlp_ratio = 4.0;
  Activation mlp_act = Activation::Kind::gelu;
  bool gmlp = false;

  // The hidden channels of a gated MLP: 2/3 of four times as many, rounded up to 32.
  static int gated_hidden(int dim) { return (dim * 8 / 3 + 31) / 32 * 32; }
};

VigHConfig configured(VigHConfig c, const ModelArgs& args) {
  read_vssm_layout(args, c);
  read_vssm_versions(args, c);
  if (c.stem_stride() < 1) wrong_argument("patch_size", "at least 2", std::to_string(c.patch_size));
  for (const int dim : c.dims) {
    if (dim > 1 << 24) wrong_argument("dims", "at most 2^24 channels", std::to_string(dim));
  }
  args.read("num_heads", c.num_heads, 1, 1 << 16);
  if (c.num_heads.size() < c.stages()) {
    wrong_argument("num_heads", "one number for each of " + std::to_string(c.stages()) + " stages",
                   std::to_string(c.num_heads.size()) + " values");
  }
  read_vig_attention(args, c.attention);
  read_ratio(args, "mlp_ratio", 0.01, c.mlp_ratio);
  read_activation(args, "mlp_act_layer", c.mlp_act);
  args.read("gmlp", c.gmlp);
  // Channels first, the reference pads odd maps along the wrong axes before it merges patches.
  bool channels_first = false;
  read_norm_layer(args, channels_first);
  c.even_maps = channels_first && c.downsample == 1;
  args.ignore({"attn_models", "mlp_drop_rate"});
  args.finish("vig_h");
  return c;
}

// x += op(norm(x)); x += mlp(norm2(x)).
class VigHBlock {
 public:
  VigHBlock(const Params& p, const VigHConfig& c, int stage)
      : path_(p.path()),
        norm_(p / "norm", c.dims[stage], kVssmNormEps),
        // Unlike the plain ViG, this code averages the two directions once.
        op_(p / "op", c.dims[stage],
            c.attention.options(c.dims[stage], c.num_heads[stage], /*direction_scale=*/0.5f)),
        norm2_(p / "norm2", c.dims[stage], kVssmNormEps) {
    const int dim = c.dims[stage];
    if (c.gmlp) {
      gated_.emplace(p / "mlp", dim, VigHConfig::gated_hidden(dim), "fc1", "fc2");
    } else {
      mlp_.emplace(p / "mlp", dim, static_cast<int>(dim * c.mlp_ratio), c.mlp_act);
    }
  }

  // x (n, h, w, dim), in place.
  void forward(MapF x, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF t = ctx.workspace().map_like(x);
    norm_.forward(x, t, ctx);
    op_.forward(t, x, ctx, {.residual = x});
    norm2_.forward(x, t, ctx);
    if (gated_) {
      gated_->forward(t, x, ctx, {.residual = x});
    } else {
      mlp_->forward(t, x, ctx, {.residual = x});
    }
    ctx.tap(path_, x);
  }

 private:
  std::string path_;
  nn::LayerNorm norm_;
  nn::GatedLinearAttention op_;
  nn::LayerNorm norm2_;
  std::optional<nn::PackedSwiGlu> gated_;
  std::optional<nn::Mlp> mlp_;
};

constexpr VigHConfig vig_h(int dim, int third_depth, int heads) {
  VigHConfig c;
  c.depths = {2, 2, third_depth, 2};
  c.dims = {dim, 2 * dim, 4 * dim, 8 * dim};
  c.num_heads = {heads, 2 * heads, 4 * heads, 8 * heads};
  c.patchembed = 2;
  c.downsample = 3;
  c.attention.conv_act = false;
  c.gmlp = true;
  return c;
}

struct VigHVariant {
  std::string_view name;
  VigHConfig config;
  PreprocessConfig preprocess = {};  // the shorter edge to 256, 224 cut out, bicubic
};

constexpr VigHVariant kVariants[] = {
    {"vig_h_tiny", vig_h(96, 5, 3)},
    {"vig_h_small", vig_h(96, 17, 3)},
    {"vig_h_base", vig_h(128, 17, 4)},
};
constexpr auto kModels = model_table(kVariants);

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  const VigHConfig c = configured(variant < 0 ? VigHConfig() : kVariants[variant].config, args);
  return std::make_unique<VssmNetwork<VigHBlock>>(
      p, "vig_h", c, Size2d{224, 224},
      [&](const Params& at, int stage) { return VigHBlock(at, c, stage); });
}

}  // namespace

const ModelFamily kVigH = {
    .name = "vig_h",
    .description =
        "Hierarchical ViG (arXiv:2405.18425), gated linear attention, after the "
        "authors' code",
    .models = kModels,
    .make = make,
    .rename = rename_vssm,
};

}  // namespace fovea::models
