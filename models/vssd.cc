// SPDX-License-Identifier: Apache-2.0
//
// VSSD (arXiv:2407.18559), after the authors' code (YuHengsss/VSSD, classification/models/mamba2.py
// and mamba_util.py), under their names, for their checkpoints, those trained with MESA included.
//
// Oddities of the released code, which its checkpoints depend on: what the non-causal state space
// sums up is weighted with dt exp(A_log), and the gate z has no activation.
//
// Deviations: the state space in both directions ("bidirection" without "linear_attn_duality") and
// learned initial states are refused; no published network has them.
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fovea/models/backbone.h"
#include "fovea/nn/attention.h"
#include "fovea/nn/conv2d.h"
#include "fovea/nn/head.h"
#include "fovea/nn/mlp.h"
#include "fovea/nn/state_space.h"
#include "models/families.h"
#include "models/family_tools.h"

namespace fovea::models {
namespace {

constexpr float kNormEps = 1e-5f;
constexpr Epilogue kRelu = {.act = Activation::Kind::relu};

struct VssdConfig {
  int in_chans = 3;
  int num_classes = 1000;
  int embed_dim = 64;
  List<int> depths = {2, 4, 12, 4};
  List<int> num_heads = {2, 4, 8, 16};
  List<bool> attention = {false, false, false, true};  // softmax attention instead
  double mlp_ratio = 4;
  int ssd_expansion = 2;
  int ssd_ngroups = 1;  // -1: one for each head
  bool linear_attn_duality = true;
  bool positive_da = true;
  int d_state = 64;
  int d_conv = 3;
  bool conv_bias = true;
  bool bias = false;
  bool simple_downsample = false;
  bool simple_patch_embed = false;

  int stages() const { return depths.size(); }
  int dim(int stage) const { return embed_dim << stage; }
};

void read_attention(const ModelArgs& args, VssdConfig& c) {
  std::vector<std::string> types;
  args.read("attn_types", types);
  if (!types.empty()) c.attention.clear();
  for (const std::string& type : types) {
    if (type != "mamba2" && type != "standard") {
      wrong_argument("attn_types", "mamba2 or standard for each stage", "\"" + type + "\"");
    }
    c.attention.push_back(type == "standard");
  }
  if (c.attention.size() < c.stages()) {
    wrong_argument("attn_types", "one for each of " + std::to_string(c.stages()) + " stages",
                   std::to_string(c.attention.size()));
  }
}

void read_state_space(const ModelArgs& args, VssdConfig& c) {
  bool bidirection = false, initial = false;
  args.read("ssd_expansion", c.ssd_expansion, 1, 64);
  args.read("ssd_ngroups", c.ssd_ngroups, -1, 1 << 12);
  if (c.ssd_ngroups == 0) wrong_argument("ssd_ngroups", "a number of groups, or -1", "0");
  args.read("linear_attn_duality", c.linear_attn_duality);
  args.read("ssd_positve_dA", c.positive_da);
  args.read("d_state", c.d_state, 1, 1 << 12);
  args.read("d_conv", c.d_conv, 1, 31);
  require_odd("d_conv", c.d_conv);
  args.read("conv_bias", c.conv_bias);
  args.read("bias", c.bias);
  args.read("bidirection", bidirection);
  if (bidirection && !c.linear_attn_duality) {
    wrong_argument("bidirection", "false, unless linear_attn_duality is true", "true");
  }
  args.read("learnable_init_states", initial);
  if (initial) wrong_argument("learnable_init_states", "false", "true");
}

VssdConfig configured(VssdConfig c, const ModelArgs& args) {
  args.read("in_chans", c.in_chans, 1);
  args.read("num_classes", c.num_classes, 0, 1 << 20);
  args.read("embed_dim", c.embed_dim, 2, 1 << 14);
  args.read("depths", c.depths, 0, 1024);
  args.read("num_heads", c.num_heads, 1, 1 << 12);
  if (c.stages() < 1) wrong_argument("depths", "at least one stage", "none");
  if (c.num_heads.size() < c.stages()) {
    wrong_argument("num_heads", "one number for each of " + std::to_string(c.stages()) + " stages",
                   std::to_string(c.num_heads.size()) + " values");
  }
  args.read("mlp_ratio", c.mlp_ratio);
  if (!(c.mlp_ratio > 0 && c.mlp_ratio <= 64)) {
    wrong_argument("mlp_ratio", "a number from 0 to 64", std::to_string(c.mlp_ratio));
  }
  args.read("simple_downsample", c.simple_downsample);
  args.read("simple_patch_embed", c.simple_patch_embed);
  read_attention(args, c);
  read_state_space(args, c);
  // Sizes that the reference notes and does not use, and what matters to training.
  args.ignore({"img_size", "image_size", "patch_size", "qkv_bias", "drop_rate", "drop_path_rate",
               "use_checkpoint", "ssd_chunk_size", "lepe", "use_mem_eff_path", "conv_init",
               "A_init_range", "dt_min", "dt_max", "dt_init_floor"});
  args.finish("vssd");
  return c;
}

std::unique_ptr<const nn::Mixer> make_mixer(const Params& p, const VssdConfig& c, int stage) {
  const int dim = c.dim(stage), heads = c.num_heads[stage];
  const int inner = c.attention[stage] ? dim : dim * c.ssd_expansion;
  const int head_width = inner / heads;
  if (head_width < 1 || (!c.attention[stage] && inner % head_width != 0)) {
    wrong_argument("num_heads", "heads of a width that divides " + std::to_string(inner),
                   std::to_string(heads) + " heads");
  }
  if (c.attention[stage]) {
    return std::make_unique<nn::Attention>(p, dim,
                                           nn::AttentionOptions{.heads = heads,
                                                                .head_dim = head_width,
                                                                .qkv_bias = false,
                                                                .qkv = "to_qkv",
                                                                .proj = "to_out"});
  }
  nn::StateSpaceOptions o;
  o.inner = inner;
  o.heads = inner / head_width;
  o.state = c.d_state;
  o.groups = c.ssd_ngroups > 0 ? c.ssd_ngroups : o.heads;
  o.causal = !c.linear_attn_duality;
  o.map_conv = true;
  o.positive_a = c.linear_attn_duality && c.positive_da;
  o.kernel = c.d_conv;
  o.conv_bias = c.conv_bias;
  o.bias = c.bias;
  o.gate = nn::StateSpaceGate::norm_then_z;
  o.norm_eps = kNormEps;
  return std::make_unique<nn::StateSpaceDuality>(p, dim, o);
}

// x += dw(x); x += mixer(norm1(x)); x += dw(x); x += mlp(norm2(x)).
class VssdBlock {
 public:
  VssdBlock(const Params& p, const VssdConfig& c, int stage)
      : path_(p.path()),
        position1_(p / "cpe1", nn::AddInput(), c.dim(stage), 3),
        norm1_(p / "norm1", c.dim(stage), kNormEps),
        mixer_(make_mixer(p / "attn", c, stage)),
        position2_(p / "cpe2", nn::AddInput(), c.dim(stage), 3),
        norm2_(p / "norm2", c.dim(stage), kNormEps),
        mlp_(p / "mlp", c.dim(stage), static_cast<int>(c.dim(stage) * c.mlp_ratio)) {}

  // x (n, h, w, dim), in place.
  void forward(MapF x, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF a = ctx.workspace().map_like(x), b = ctx.workspace().map_like(x);
    position1_.forward(x, a, ctx);
    norm1_.forward(a, b, ctx);
    mixer_->forward(b, a, ctx, {.residual = a});
    position2_.forward(a, x, ctx);
    norm2_.forward(x, b, ctx);
    mlp_.forward(b, x, ctx, {.residual = x});
    ctx.tap(path_, x);
  }

 private:
  std::string path_;
  nn::Conv2d position1_;
  nn::LayerNorm norm1_;
  std::unique_ptr<const nn::Mixer> mixer_;
  nn::Conv2d position2_;
  nn::LayerNorm norm2_;
  nn::Mlp mlp_;
};

// A convolution with its batch norm, as the reference nests them.
nn::Conv2d conv_bn(const Params& p, int in, int out, int kernel, int stride, bool bias = false) {
  return nn::Conv2d(p / "conv", nn::FoldedBatchNorm{p / "norm", kNormEps}, in, out, kernel,
                    Conv2dSpec::square(stride, kernel == 3 ? 1 : 0), bias);
}

// What makes a smaller map: convolutions one after the other, then perhaps a norm.
class VssdReduction {
 public:
  enum class Then : std::uint8_t { nothing, relu, add_input_before };  // the previous step's input

  explicit VssdReduction(const Params& p) : path_(p.path()) {}

  void add(nn::Conv2d conv, Then then) { steps_.push_back({std::move(conv), then}); }
  void finish(nn::LayerNorm norm) { norm_.emplace(std::move(norm)); }

  MapF forward(CMapF x, Context& ctx) const {
    CMapF size = x;
    for (std::size_t i = 0; i + 1 < steps_.size(); ++i) {
      const nn::Conv2d& conv = steps_[i].conv;
      size = CMapF(nullptr, x.n, conv.out_h(size.h), conv.out_w(size.w), 0);
    }
    const MapF y = steps_.back().conv.output_map(size, ctx);
    run(x, y, ctx);
    if (norm_) norm_->forward(y, y, ctx);
    ctx.tap(path_, y);
    return y;
  }

 private:
  struct Step {
    nn::Conv2d conv;
    Then then;
  };

  void run(CMapF x, MapF y, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    MapF before, now;
    for (const Step& step : steps_) {
      const bool first = &step == &steps_.front(), sum = step.then == Then::add_input_before;
      const CMapF in = first ? x : now;
      const MapF out = &step == &steps_.back() ? y : sum ? before : step.conv.output_map(in, ctx);
      Epilogue epilogue = step.then == Then::relu ? kRelu : Epilogue();
      if (sum) epilogue.residual = before;
      step.conv.forward(in, out, ctx, epilogue);
      before = now;
      now = out;
    }
  }

  std::string path_;
  std::vector<Step> steps_;
  std::optional<nn::LayerNorm> norm_;
};

// Images to the first map, a quarter of their size: two convolutions with stride 2 and a residual
// pair between them, or one of 4 x 4 with a norm.
VssdReduction vssd_stem(const Params& p, const VssdConfig& c) {
  using Then = VssdReduction::Then;
  const int dim = c.embed_dim, half = dim / 2;
  VssdReduction stem(p);
  if (c.simple_patch_embed) {
    stem.add(conv_bn(p / "conv1", c.in_chans, dim, 4, 4), Then::relu);
    stem.finish({p / "norm", dim, kNormEps});
    return stem;
  }
  stem.add(conv_bn(p / "conv1", c.in_chans, half, 3, 2), Then::relu);
  stem.add(conv_bn(p / "conv2" / 0, half, half, 3, 1), Then::relu);
  stem.add(conv_bn(p / "conv2" / 1, half, half, 3, 1), Then::add_input_before);
  stem.add(conv_bn(p / "conv3" / 0, half, 4 * dim, 3, 2), Then::relu);
  stem.add(conv_bn(p / "conv3" / 1, 4 * dim, dim, 1, 1), Then::nothing);
  return stem;
}

// Between two stages: an inverted bottleneck with stride 2, or a 3 x 3 convolution and a norm.
VssdReduction vssd_downsample(const Params& p, int in, bool simple) {
  using Then = VssdReduction::Then;
  const int out = 2 * in, wide = 4 * out;
  const Params conv = p / "conv";
  VssdReduction down(p);
  if (simple) {
    down.add({conv / 0 / "conv", in, out, 3, Conv2dSpec::square(2, 1)}, Then::relu);
    down.finish({p / "norm", out, kNormEps});
    return down;
  }
  down.add({conv / 0 / "conv", in, wide, 1, Conv2dSpec::square(1, 0)}, Then::relu);
  down.add({conv / 1 / "conv", wide, wide, 3, Conv2dSpec::square(2, 1, wide)}, Then::relu);
  down.add(conv_bn(conv / 2, wide, out, 1, 1, /*bias=*/true), Then::nothing);
  return down;
}

class Vssd final : public Backbone {
 public:
  Vssd(const Params& p, const VssdConfig& c)
      : stem_(vssd_stem(p / "patch_embed", c)),
        norm_(p / "norm", c.dim(c.stages() - 1), kNormEps),
        head_(p, norm_.channels(),
              nn::HeadOptions{.classes = c.num_classes, .norm = false, .fc = "head"}) {
    for (int i = 0; i < c.stages(); ++i) {
      const Params layer = p / "layers" / i;
      Stage& s = stages_.emplace_back();
      s.blocks.reserve(static_cast<std::size_t>(c.depths[i]));
      for (int j = 0; j < c.depths[i]; ++j) s.blocks.emplace_back(layer / "blocks" / j, c, i);
      if (i + 1 < c.stages()) {
        s.downsample = vssd_downsample(layer / "downsample", c.dim(i), c.simple_downsample);
      }
      feature_info_.push_back({c.dim(i), 4 << i, layer.path()});
    }
  }

  std::span<const FeatureInfo> feature_info() const override { return feature_info_; }
  int num_features() const override { return norm_.channels(); }
  int num_classes() const override { return head_.classes(); }
  Size2d input_size() const override { return {224, 224}; }

  // The reference counts rows and columns by halving and rounding down, its convolutions round up.
  void check_size(Size2d size) const override {
    const int multiple = feature_info_.back().reduction;
    require_multiple("vssd", {multiple, multiple}, size);
  }

  MapF forward_features(CMapF image, Context& ctx, const FeatureSink* sink) const override {
    MapF x = stem_.forward(image, ctx);
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      for (const VssdBlock& block : stages_[i].blocks) block.forward(x, ctx);
      if (sink != nullptr) (*sink)(static_cast<int>(i), x);
      if (stages_[i].downsample) x = stages_[i].downsample->forward(x, ctx);
    }
    norm_.forward(x, x, ctx);
    ctx.tap("norm", x);
    return x;
  }

  void forward_head(CMapF features, bool pre_logits, MapF y, Context& ctx) const override {
    head_.forward(features, pre_logits, y, ctx);
  }

 private:
  struct Stage {
    std::vector<VssdBlock> blocks;
    std::optional<VssdReduction> downsample;
  };

  VssdReduction stem_;
  std::vector<Stage> stages_;
  nn::LayerNorm norm_;
  nn::ClassifierHead head_;
  std::vector<FeatureInfo> feature_info_;
};

constexpr VssdConfig vssd(int dim, const List<int>& depths, const List<int>& heads, int state) {
  VssdConfig c;
  c.embed_dim = dim;
  c.depths = depths;
  c.num_heads = heads;
  c.d_state = state;
  return c;
}

struct VssdVariant {
  std::string_view name;
  VssdConfig config;
  PreprocessConfig preprocess = {};  // the shorter edge to 256, 224 cut out, bicubic
};

constexpr List<int> kHeads2 = {2, 4, 8, 16}, kHeads3 = {3, 6, 12, 24};

constexpr VssdVariant kVariants[] = {
    {"vssd_micro", vssd(48, {2, 2, 8, 4}, kHeads2, 48)},
    {"vssd_tiny", vssd(64, {2, 4, 8, 4}, kHeads2, 64)},
    {"vssd_small", vssd(64, {3, 4, 21, 5}, kHeads2, 64)},
    {"vssd_base", vssd(96, {3, 4, 21, 5}, kHeads3, 64)},
};
constexpr auto kModels = model_table(kVariants);

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  const VssdConfig given = variant < 0 ? VssdConfig() : kVariants[variant].config;
  return std::make_unique<Vssd>(p, configured(given, args));
}

}  // namespace

const ModelFamily kVssd = {
    .name = "vssd",
    .description = "VSSD (arXiv:2407.18559), after the authors' code",
    .models = kModels,
    .make = make,
};

}  // namespace fovea::models
