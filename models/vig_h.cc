// SPDX-License-Identifier: Apache-2.0
//
// ViG-H, the pyramid of ViG (arXiv:2405.18425), as its authors published it (hustvl/ViG,
// models/vig_h.py), under their names: VMamba's pyramid with gated linear attention.
//
// Oddity of the released code: in evaluation the sum of the two directions is divided by two, as in
// training; that of the plain ViG is divided by four.
//
// Deviations: batch norm and rotary positions, which no published network has, are refused.
#include <memory>
#include <optional>
#include <string>

#include "fovea/nn/activation.h"
#include "fovea/nn/gated_attention.h"
#include "fovea/nn/mlp.h"
#include "fovea/nn/swiglu.h"
#include "models/families.h"
#include "models/gated_options.h"
#include "models/vssm_network.h"

namespace fovea::models {
namespace {

struct VigHConfig : VssmLayout {
  List<int> num_heads = {3, 6, 12, 24};
  GatedConfig gated;
  double mlp_ratio = 4.0;
  Activation mlp_act = Activation::Kind::gelu;
  bool gmlp = false;
};

VigHConfig configured(VigHConfig c, const ModelArgs& args) {
  read_vssm_layout(args, c);
  args.read("num_heads", c.num_heads, 1);
  if (c.num_heads.size() < c.stages()) {
    wrong_argument("num_heads", "one for each of " + std::to_string(c.stages()) + " stages",
                   std::to_string(c.num_heads.size()));
  }
  read_gated_args(args, c.gated);
  args.read("mlp_ratio", c.mlp_ratio);
  if (!(c.mlp_ratio > 0 && c.mlp_ratio <= 64)) {
    wrong_argument("mlp_ratio", "a number up to 64", std::to_string(c.mlp_ratio));
  }
  std::string act;
  args.read("mlp_act_layer", act);
  if (!act.empty()) c.mlp_act = nn::activation(act);
  args.read("gmlp", c.gmlp);
  c.patchembed = 1 + read_choice(args, "patchembed_version", {"v1", "v2"}, c.patchembed - 1);
  c.downsample = 1 + read_choice(args, "downsample_version", {"v1", "v2", "v3"}, c.downsample - 1);
  // Only the layout of the reference's maps depends on the norm's name.
  read_choice(args, "norm_layer", {"ln", "ln2d", "LN", "LN2D"}, 0);
  args.ignore({"mlp_drop_rate"});
  args.finish("vig_h");
  return c;
}

// Two thirds of four times c, rounded up to a multiple of 32.
int swiglu_width(int c) {
  return static_cast<int>((static_cast<std::int64_t>(c) * 8 / 3 + 31) / 32 * 32);
}

// x += op(norm(x)); x += mlp(norm2(x)).
class VigHBlock {
 public:
  VigHBlock(const Params& p, const VigHConfig& c, int stage)
      : path_(p.path()),
        norm_(p / "norm", c.dims[stage], kVssmNormEps),
        op_(p / "op", c.dims[stage],
            gated_options(c.gated, c.dims[stage], c.num_heads[stage], 2.0f)),
        norm2_(p / "norm2", c.dims[stage], kVssmNormEps) {
    const int dim = c.dims[stage];
    if (c.gmlp) {
      swiglu_.emplace(p / "mlp", dim, swiglu_width(dim), "fc1", "fc2");
    } else {
      mlp_.emplace(p / "mlp", dim, static_cast<int>(dim * c.mlp_ratio), c.mlp_act);
    }
  }

  // x (n, h, w, c), in place.
  void forward(MapF x, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF t = ctx.workspace().map_like(x);
    norm_.forward(x, t, ctx);
    op_.forward(t, x, ctx, {.residual = x});
    norm2_.forward(x, t, ctx);
    if (swiglu_) {
      swiglu_->forward(t, x, ctx, {.residual = x});
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
  std::optional<nn::PackedSwiGlu> swiglu_;
  std::optional<nn::Mlp> mlp_;
};

constexpr VigHConfig vig_h(int dim, int third_depth, const List<int>& heads) {
  VigHConfig c;
  c.depths = {2, 2, third_depth, 2};
  c.dims = {dim, 2 * dim, 4 * dim, 8 * dim};
  c.num_heads = heads;
  c.gated.use_act_in_conv = false;
  c.patchembed = 2;
  c.downsample = 3;
  c.gmlp = true;
  return c;
}

struct VigHVariant {
  std::string_view name;
  VigHConfig config;
  PreprocessConfig preprocess = {};  // the shorter edge to 256, 224 cut out, bicubic
};

constexpr VigHVariant kVariants[] = {
    {"vig_h_tiny", vig_h(96, 5, {3, 6, 12, 24})},
    {"vig_h_small", vig_h(96, 17, {3, 6, 12, 24})},
    {"vig_h_base", vig_h(128, 17, {4, 8, 16, 32})},
};
constexpr auto kModels = model_table(kVariants);

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  const VigHConfig c = configured(variant < 0 ? VigHConfig{} : kVariants[variant].config, args);
  return std::make_unique<VssmNetwork<VigHBlock>>(
      p, "vig_h", c, Size2d{224, 224},
      [&](const Params& q, int stage) { return VigHBlock(q, c, stage); });
}

}  // namespace

const ModelFamily kVigH = {
    .name = "vig_h",
    .description =
        "ViG-H (gated linear attention in a pyramid, arXiv:2405.18425), after the authors",
    .models = kModels,
    .make = make,
};

}  // namespace fovea::models
