// SPDX-License-Identifier: Apache-2.0
//
// ViG (arXiv:2405.18425), plain form, after the authors' classification/models/vig.py (hustvl/ViG),
// under its names.
//
// Checkpoints: the authors'. Takes images of any size: positions are resized in every forward of
// another size.
//
// Oddity of the released code, reproduced: at inference the two directions are averaged twice,
// that is, divided by 4, where training divides by 2; a norm follows.
//
// Deviations: class tokens, with which the reference cannot run at inference, and what no published
// network has (v1 patches, zigzag order, rows and columns of positions, lower bounds, direction
// embeddings, rotations) are refused.
#include "models/vig.h"

#include <optional>
#include <vector>

#include "fovea/models/backbone.h"
#include "fovea/nn/head.h"
#include "fovea/nn/learned_positions.h"
#include "fovea/nn/mlp.h"
#include "fovea/nn/norm.h"
#include "fovea/nn/swiglu.h"
#include "models/families.h"

namespace fovea::models {
namespace {

constexpr float kRmsEps = 1e-6f;
constexpr float kLayerNormEps = 1e-5f;

struct VigConfig {
  Size2d img_size = {224, 224};
  int patch_size = 16;
  int channels = 3;
  int num_classes = 1000;
  int depth = 12;
  int embed_dim = 192;
  int num_heads = 2;
  VigAttention attention;
  bool positions = true;
  bool patch_bias = true;
  bool patch_act = false;
  bool swiglu = false;
  bool layer_scale = false;

  // The reference counts whole patches here, and lets its convolutions round up in the forward.
  Size2d grid() const { return {img_size.h / patch_size, img_size.w / patch_size}; }
  // The hidden channels of a gated MLP: 2/3 of the usual, rounded up to 256.
  int gated_hidden() const { return (embed_dim * 8 / 3 + 255) / 256 * 256; }
};

void require_false(const ModelArgs& args, std::string_view name, const char* why) {
  bool value = false;
  args.read(name, value);
  if (value) wrong_argument(name, std::string("false (") + why + ")", "true");
}

void require_text(const ModelArgs& args, std::string_view name, const char* wanted) {
  std::string text = wanted;
  args.read(name, text);
  if (text != wanted) wrong_argument(name, wanted, "\"" + text + "\"");
}

VigConfig configured(VigConfig c, const ModelArgs& args) {
  args.read("img_size", c.img_size);
  args.read("patch_size", c.patch_size, 2, 1024);
  int stride = c.patch_size;
  args.read("stride", stride, 1, 1024);
  if (stride != c.patch_size) {
    wrong_argument("stride", "patch_size, " + std::to_string(c.patch_size), std::to_string(stride));
  }
  if (c.grid().h < 1 || c.grid().w < 1) {
    wrong_argument("img_size", "at least one patch", size_string(c.img_size));
  }
  args.read("channels", c.channels, 1);
  args.read("num_classes", c.num_classes, 0, 1 << 20);
  args.read("depth", c.depth, 1, 1024);
  args.read("embed_dim", c.embed_dim, 2, 1 << 20);
  args.read("num_heads", c.num_heads, 1, 1 << 16);
  read_vig_attention(args, c.attention);
  args.read("use_bias_in_dwconv", c.attention.conv_bias);
  args.read("if_abs_pos_embed", c.positions);
  args.read("use_bias_in_patch", c.patch_bias);
  args.read("use_act_in_patch", c.patch_act);
  args.read("use_swiglu", c.swiglu);
  args.read_presence("init_values", c.layer_scale);
  constexpr const char* kToken = "the reference cannot run with a class token";
  constexpr const char* kNobody = "no published network has it";
  require_false(args, "if_cls_token", kToken);
  require_false(args, "use_middle_cls_token", kToken);
  require_false(args, "use_msg", kToken);
  require_false(args, "if_rc_pe", kNobody);
  require_false(args, "use_dirpe", kNobody);
  require_false(args, "use_lower_bound", kNobody);
  require_text(args, "classification_mode", "avgpool");
  require_text(args, "patch_embed_version", "v2");
  require_text(args, "scan_mode", "default");
  // The gate at the output is always there.
  args.ignore({"attn_model", "use_out_gate", "drop_rate", "pt_hw_seq_len"});
  args.finish("vig");
  return c;
}

// Two convolutions, each followed by a norm; the first halves a patch's size, the second it again.
class VigStem {
 public:
  VigStem(const Params& p, const VigConfig& c)
      : path_(p.path()),
        backend_(&p.backend()),
        first_(p / "proj" / 0, c.channels, c.embed_dim / 2, c.patch_size / 2 + 1,
               Conv2dSpec::square(c.patch_size / 2, 1), c.patch_bias),
        first_norm_(p / "proj" / 1, c.embed_dim / 2, kLayerNormEps),
        second_(p / "proj" / 3, c.embed_dim / 2, c.embed_dim, 3, Conv2dSpec::square(2, 1),
                c.patch_bias),
        second_norm_(p / "proj" / 4, c.embed_dim, kLayerNormEps),
        act_(c.patch_act) {}

  Size2d out_size(Size2d image) const {
    return {second_.out_h(first_.out_h(image.h)), second_.out_w(first_.out_w(image.w))};
  }

  MapF forward(CMapF image, Context& ctx) const {
    const Epilogue silu = {.act = Activation::Kind::silu};
    const CMapF between(nullptr, image.n, first_.out_h(image.h), first_.out_w(image.w), 0);
    const MapF y = second_.output_map(between, ctx);
    const Workspace::Scope scope(ctx.workspace());
    const MapF x = first_.output_map(image, ctx);
    first_.forward(image, x, ctx);
    first_norm_.forward(x, x, ctx);
    backend_->apply(x, silu, x, ctx);
    second_.forward(x, y, ctx);
    second_norm_.forward(y, y, ctx);
    if (act_) backend_->apply(y, silu, y, ctx);
    ctx.tap(path_, y);
    return y;
  }

 private:
  std::string path_;
  const Backend* backend_;
  nn::Conv2d first_;
  nn::LayerNorm first_norm_;
  nn::Conv2d second_;
  nn::LayerNorm second_norm_;
  bool act_;
};

// x += gamma1 attn(rms(x)); x += gamma2 mlp(rms(x)).
class VigBlock {
 public:
  VigBlock(const Params& p, const VigConfig& c)
      : path_(p.path()),
        attn_norm_(p / "attn_norm", c.embed_dim, kRmsEps),
        attn_(p / "attn", c.embed_dim,
              c.attention.options(c.embed_dim, c.num_heads, /*direction_scale=*/0.25f)),
        mlp_norm_(p / "mlp_norm", c.embed_dim, kRmsEps) {
    if (c.layer_scale) {
      gamma1_ = p.floats("gamma1", {c.embed_dim});
      gamma2_ = p.floats("gamma2", {c.embed_dim});
    }
    if (c.swiglu) {
      gated_.emplace(p / "mlp", c.embed_dim, c.gated_hidden(), "gate_proj", "down_proj");
    } else {
      mlp_.emplace(p / "mlp", c.embed_dim, 4 * c.embed_dim, c.attention.act);
    }
  }

  // x (n, h, w, embed_dim), in place.
  void forward(MapF x, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF t = ctx.workspace().map_like(x);
    attn_norm_.forward(x, t, ctx);
    attn_.forward(t, x, ctx, {.scale = gamma1_.data(), .residual = x});
    mlp_norm_.forward(x, t, ctx);
    const Epilogue second = {.scale = gamma2_.data(), .residual = x};
    if (gated_) {
      gated_->forward(t, x, ctx, second);
    } else {
      mlp_->forward(t, x, ctx, second);
    }
    ctx.tap(path_, x);
  }

 private:
  std::string path_;
  nn::RmsNorm attn_norm_;
  nn::GatedLinearAttention attn_;
  nn::RmsNorm mlp_norm_;
  FloatBuffer gamma1_, gamma2_;  // (embed_dim), or empty
  std::optional<nn::PackedSwiGlu> gated_;
  std::optional<nn::Mlp> mlp_;
};

class Vig final : public Backbone {
 public:
  Vig(const Params& p, const VigConfig& c)
      : config_(c),
        stem_(p / "patch_embed", c),
        norm_(p / "norm", c.embed_dim, kRmsEps),
        head_(p, c.embed_dim,
              nn::HeadOptions{.classes = c.num_classes, .norm = false, .fc = "head"}) {
    if (c.positions) positions_.emplace(p, "pos_embed", c.grid().h, c.grid().w, c.embed_dim);
    blocks_.reserve(static_cast<std::size_t>(c.depth));
    for (int i = 0; i < c.depth; ++i) blocks_.emplace_back(p / "blocks" / i, c);
    feature_info_[0] = {c.embed_dim, c.patch_size / 2 * 2, "norm"};
  }

  std::span<const FeatureInfo> feature_info() const override { return feature_info_; }
  int num_features() const override { return config_.embed_dim; }
  int num_classes() const override { return head_.classes(); }
  Size2d input_size() const override { return config_.img_size; }
  void check_size(Size2d size) const override {
    const int edge = smallest_edge([this](int e) { return stem_.out_size({e, 1 << 14}).h; });
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

constexpr VigConfig vig(int dim, int heads, bool acts) {
  VigConfig c;
  c.embed_dim = dim;
  c.num_heads = heads;
  c.swiglu = true;
  c.attention.out_act = acts;
  c.attention.conv_act = acts;
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
  const VigConfig c = variant < 0 ? VigConfig() : kVariants[variant].config;
  return std::make_unique<Vig>(p, configured(c, args));
}

}  // namespace

const ModelFamily kVig = {
    .name = "vig",
    .description = "ViG (arXiv:2405.18425), gated linear attention, after the authors' code",
    .models = kModels,
    .make = make,
};

}  // namespace fovea::models
