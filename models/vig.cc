// SPDX-License-Identifier: Apache-2.0
//
// ViG (arXiv:2405.18425) as its authors published it (hustvl/ViG, models/vig.py), under their
// names: the form that evaluates, whose recurrence goes both ways in one pass.
//
// Oddity of the released code: in evaluation the sum of the two directions is divided by four, in
// training by two; the norm that follows hides it but for its epsilon.
//
// Takes images of any size; positions are resized. Deviations: class tokens, rotary positions, row
// and column positions, rolled tokens and lower bounds, which no published network has, are
// refused.
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "fovea/nn/conv2d.h"
#include "fovea/nn/gated_attention.h"
#include "fovea/nn/head.h"
#include "fovea/nn/learned_positions.h"
#include "fovea/nn/mlp.h"
#include "fovea/nn/swiglu.h"
#include "models/families.h"
#include "models/family_tools.h"
#include "models/gated_options.h"

namespace fovea::models {
namespace {

constexpr float kNormEps = 1e-6f, kStemNormEps = 1e-5f;

struct VigConfig {
  int img_size = 224;
  int patch_size = 16;
  int depth = 12;
  int num_heads = 2;
  int embed_dim = 192;
  int channels = 3;
  int num_classes = 1000;
  bool if_abs_pos_embed = true;
  bool use_swiglu = false;
  GatedConfig gated;
  bool use_bias_in_dwconv = false;
  bool two_convolutions = false;  // patch_embed_version v2
  bool use_bias_in_patch = true;
  bool use_act_in_patch = false;
  bool layer_scale = false;  // init_values

  int grid() const { return img_size / patch_size; }
};

VigConfig configured(VigConfig c, const ModelArgs& args, bool published) {
  args.read("img_size", c.img_size, 1, 1 << 14);
  args.read("patch_size", c.patch_size, 2, 1024);
  int stride = c.patch_size;
  args.read("stride", stride, 1);
  if (stride != c.patch_size) {
    wrong_argument("stride", std::to_string(c.patch_size) + ", the patch's size",
                   std::to_string(stride));
  }
  args.read("depth", c.depth, 0, 1024);
  args.read("num_heads", c.num_heads, 1);
  args.read("embed_dim", c.embed_dim, 2);
  args.read("channels", c.channels, 1);
  args.read("num_classes", c.num_classes, 0, 1 << 20);
  args.read("if_abs_pos_embed", c.if_abs_pos_embed);
  args.read("use_swiglu", c.use_swiglu);
  read_gated_args(args, c.gated);
  args.read("use_bias_in_dwconv", c.use_bias_in_dwconv);
  args.read("use_bias_in_patch", c.use_bias_in_patch);
  args.read("use_act_in_patch", c.use_act_in_patch);
  args.read_presence("init_values", c.layer_scale);
  std::string text = c.two_convolutions ? "v2" : "v1";
  args.read("patch_embed_version", text);
  if (text != "v1" && text != "v2") wrong_argument("patch_embed_version", "v1 or v2", text);
  c.two_convolutions = text == "v2";
  bool class_token = !published;  // the constructor's default
  args.read("if_cls_token", class_token);
  if (class_token) wrong_argument("if_cls_token", "false", "true");
  text = "avgpool";
  args.read("classification_mode", text);
  if (text != "avgpool") wrong_argument("classification_mode", "avgpool", text);
  text = "default";
  args.read("scan_mode", text);
  if (text != "default") wrong_argument("scan_mode", "default", text);
  for (const std::string_view name :
       {"use_middle_cls_token", "if_rc_pe", "use_msg", "use_lower_bound"}) {
    bool value = false;
    args.read(name, value);
    if (value) wrong_argument(name, "false", "true");
  }
  args.ignore({"use_out_gate", "use_dirpe", "drop_rate", "drop_path_rate", "pt_hw_seq_len"});
  args.finish("vig");
  if (c.grid() < 1) {
    wrong_argument("img_size", "at least " + std::to_string(c.patch_size),
                   std::to_string(c.img_size));
  }
  return c;
}

// One convolution, or two with norms and SiLU between them.
class VigStem {
 public:
  VigStem(const Params& p, const VigConfig& c) : path_(p.path()), backend_(&p.backend()) {
    const int patch = c.patch_size, dim = c.embed_dim;
    if (!c.two_convolutions) {
      second_.emplace(p / "proj", c.channels, dim, patch, Conv2dSpec::square(patch, 0));
      return;
    }
    const int half = patch / 2;
    first_.emplace(p / "proj" / 0, c.channels, dim / 2, half + 1, Conv2dSpec::square(half, 1),
                   c.use_bias_in_patch);
    first_norm_.emplace(p / "proj" / 1, dim / 2, kStemNormEps);
    second_.emplace(p / "proj" / 3, dim / 2, dim, 3, Conv2dSpec::square(2, 1), c.use_bias_in_patch);
    second_norm_.emplace(p / "proj" / 4, dim, kStemNormEps);
    if (c.use_act_in_patch) act_ = Activation::Kind::silu;
  }

  // The size of the first map of an image of this edge.
  int size(int edge) const {
    return first_ ? second_->out_h(first_->out_h(edge)) : second_->out_h(edge);
  }

  MapF forward(CMapF image, Context& ctx) const {
    if (!first_) {
      const MapF y = second_->output_map(image, ctx);
      second_->forward(image, y, ctx);
      return y;
    }
    const CMapF between(nullptr, image.n, first_->out_h(image.h), first_->out_w(image.w), 0);
    const MapF y = second_->output_map(between, ctx);
    const Workspace::Scope scope(ctx.workspace());
    const MapF x = first_->output_map(image, ctx);
    first_->forward(image, x, ctx);
    first_norm_->forward(x, x, ctx);
    backend_->apply(x, {.act = Activation::Kind::silu}, x, ctx);
    second_->forward(x, y, ctx);
    second_norm_->forward(y, y, ctx);
    if (act_.kind != Activation::Kind::none) backend_->apply(y, {.act = act_}, y, ctx);
    ctx.tap(path_, y);
    return y;
  }

 private:
  std::string path_;
  const Backend* backend_;
  std::optional<nn::Conv2d> first_, second_;
  std::optional<nn::LayerNorm> first_norm_, second_norm_;
  Activation act_;
};

// Two thirds of four times c, rounded up to a multiple.
int swiglu_width(int c, int multiple) {
  const auto width = static_cast<std::int64_t>(c) * 8 / 3;
  return static_cast<int>((width + multiple - 1) / multiple * multiple);
}

// x += attn(attn_norm(x)); x += mlp(mlp_norm(x)); each with a scale where there is one.
class VigBlock {
 public:
  VigBlock(const Params& p, const VigConfig& c)
      : path_(p.path()),
        attn_norm_(p / "attn_norm", c.embed_dim, kNormEps),
        attention_(p / "attn", c.embed_dim, options(c)),
        mlp_norm_(p / "mlp_norm", c.embed_dim, kNormEps) {
    if (c.use_swiglu) {
      swiglu_.emplace(p / "mlp", c.embed_dim, swiglu_width(c.embed_dim, 256), "gate_proj",
                      "down_proj");
    } else {
      mlp_.emplace(p / "mlp", c.embed_dim, 4 * c.embed_dim, Activation::Kind::silu);
    }
    if (!c.layer_scale) return;
    gamma1_ = p.floats("gamma1", {c.embed_dim});
    gamma2_ = p.floats("gamma2", {c.embed_dim});
  }

  // x (n, h, w, c), in place.
  void forward(MapF x, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF t = ctx.workspace().map_like(x);
    attn_norm_.forward(x, t, ctx);
    attention_.forward(t, x, ctx, {.scale = gamma1_.data(), .residual = x});
    mlp_norm_.forward(x, t, ctx);
    const Epilogue add{.scale = gamma2_.data(), .residual = x};
    if (swiglu_) {
      swiglu_->forward(t, x, ctx, add);
    } else {
      mlp_->forward(t, x, ctx, add);
    }
    ctx.tap(path_, x);
  }

 private:
  static nn::GatedAttentionOptions options(const VigConfig& c) {
    nn::GatedAttentionOptions o = gated_options(c.gated, c.embed_dim, c.num_heads, 4.0f);
    o.conv_bias = c.use_bias_in_dwconv;
    return o;
  }

  std::string path_;
  nn::RmsNorm attn_norm_;
  nn::GatedLinearAttention attention_;
  nn::RmsNorm mlp_norm_;
  std::optional<nn::PackedSwiGlu> swiglu_;
  std::optional<nn::Mlp> mlp_;
  FloatBuffer gamma1_, gamma2_;  // (c), or empty
};

class Vig final : public Backbone {
 public:
  Vig(const Params& p, const VigConfig& c)
      : config_(c),
        stem_(p / "patch_embed", c),
        norm_(p / "norm", c.embed_dim, kNormEps),
        head_(p, c.embed_dim,
              nn::HeadOptions{.classes = c.num_classes, .norm = false, .fc = "head"}) {
    if (c.if_abs_pos_embed) {
      positions_.emplace(p, "pos_embed", c.grid(), c.grid(), c.embed_dim);
    }
    blocks_.reserve(static_cast<std::size_t>(c.depth));
    for (int i = 0; i < c.depth; ++i) blocks_.emplace_back(p / "blocks" / i, c);
    feature_info_[0] = {c.embed_dim, c.patch_size, "norm"};
  }

  std::span<const FeatureInfo> feature_info() const override { return feature_info_; }
  int num_features() const override { return config_.embed_dim; }
  int num_classes() const override { return head_.classes(); }
  Size2d input_size() const override { return {config_.img_size, config_.img_size}; }
  void check_size(Size2d size) const override {
    const int edge = smallest_edge([&](int e) { return stem_.size(e); });
    require_size("vig", {edge, edge}, size);
  }

  MapF forward_features(CMapF image, Context& ctx, const FeatureSink* sink) const override {
    const MapF x = stem_.forward(image, ctx);
    if (positions_) positions_->add(x, ctx);
    for (const VigBlock& block : blocks_) block.forward(x, ctx);
    norm_.forward(x, x, ctx);
    ctx.tap("norm", x);
    if (sink != nullptr) (*sink)(0, x);
    return x;
  }

  void forward_head(CMapF features, bool pre_logits, MapF y, Context& ctx) const override {
    head_.forward(features, pre_logits, y, ctx);
  }

 private:
  VigConfig config_;
  VigStem stem_;
  std::optional<nn::LearnedPositions> positions_;
  std::vector<VigBlock> blocks_;
  nn::RmsNorm norm_;
  nn::ClassifierHead head_;
  FeatureInfo feature_info_[1];
};

constexpr VigConfig vig(int dim, int heads, bool activations) {
  VigConfig c;
  c.embed_dim = dim;
  c.num_heads = heads;
  c.two_convolutions = true;
  c.use_swiglu = true;
  c.gated.use_out_act = activations;
  c.gated.use_act_in_conv = activations;
  return c;
}

struct VigVariant {
  std::string_view name;
  VigConfig config;
  PreprocessConfig preprocess = {};  // the shorter edge to 256, 224 cut out, bicubic
};

constexpr VigVariant kVariants[] = {
    {"vig_tiny", vig(192, 3, true)},
    {"vig_small", vig(384, 6, false)},
    {"vig_base", vig(768, 12, false)},
};
constexpr auto kModels = model_table(kVariants);

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  const VigConfig given = variant < 0 ? VigConfig{} : kVariants[variant].config;
  return std::make_unique<Vig>(p, configured(given, args, variant >= 0));
}

}  // namespace

const ModelFamily kVig = {
    .name = "vig",
    .description = "ViG (gated linear attention, arXiv:2405.18425), after the authors' code",
    .models = kModels,
    .make = make,
};

}  // namespace fovea::models
