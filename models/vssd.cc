// SPDX-License-Identifier: Apache-2.0
//
// VSSD (arXiv:2407.18559) as its authors published it (YuHengsss/VSSD, models/mamba2.py), under
// their names.
//
// Oddities of the released code: the gate z passes no activation; one b and one c serve all heads;
// nothing normalises the state.
//
// Takes images whose sides are multiples of 32 (of 4 * 2^(stages - 1)): the reference derives the
// sizes of its maps by halving, and its convolutions round up.
//
// Deviations: groups other than one, and the scans that the reference leaves to GPU kernels
// (`linear_attn_duality` false), are refused.
#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fovea/nn/conditional_position.h"
#include "fovea/nn/head.h"
#include "fovea/nn/mlp.h"
#include "fovea/nn/self_attention.h"
#include "fovea/nn/state_space.h"
#include "models/families.h"
#include "models/family_tools.h"

namespace fovea::models {
namespace {

constexpr float kNormEps = 1e-5f;

struct VssdConfig {
  Size2d img_size = {224, 224};
  int in_chans = 3;
  int num_classes = 1000;
  int embed_dim = 64;
  List<int> depths = {2, 4, 12, 4};
  List<int> num_heads = {2, 4, 8, 16};
  double mlp_ratio = 4.0;
  double ssd_expansion = 2.0;
  int d_state = 64;
  bool ssd_positve_dA = true;  // the reference's spelling
  bool simple_downsample = false;
  bool simple_patch_embed = false;
  std::array<bool, List<int>::kCapacity> attention = {false, false, false, true};

  int stages() const { return depths.size(); }
  int dim(int stage) const { return embed_dim << stage; }
  int multiple() const { return 4 << (stages() - 1); }
};

int width(std::string_view name, double value) {
  if (value >= 1 && value <= 1 << 24) return static_cast<int>(value);
  wrong_argument(name, "a width from 1 to 2^24", std::to_string(value));
}

void read_attn_types(const ModelArgs& args, VssdConfig& c) {
  std::vector<std::string> types;
  args.read("attn_types", types);
  if (types.empty()) return;
  if (static_cast<int>(types.size()) < c.stages()) {
    wrong_argument("attn_types", "one for each of " + std::to_string(c.stages()) + " stages",
                   std::to_string(types.size()));
  }
  for (int i = 0; i < c.stages(); ++i) {
    const std::string& type = types[static_cast<std::size_t>(i)];
    if (type != "mamba2" && type != "standard") {
      wrong_argument("attn_types", "mamba2 or standard", type);
    }
    c.attention[static_cast<std::size_t>(i)] = type == "standard";
  }
}

VssdConfig configured(VssdConfig c, const ModelArgs& args) {
  args.read("img_size", c.img_size);
  args.read("in_chans", c.in_chans, 1);
  args.read("num_classes", c.num_classes, 0, 1 << 20);
  args.read("embed_dim", c.embed_dim, 2);
  args.read("depths", c.depths, 0, 1024);
  args.read("num_heads", c.num_heads, 1);
  args.read("mlp_ratio", c.mlp_ratio);
  args.read("ssd_expansion", c.ssd_expansion);
  args.read("d_state", c.d_state, 1, 1 << 12);
  args.read("ssd_positve_dA", c.ssd_positve_dA);
  args.read("simple_downsample", c.simple_downsample);
  args.read("simple_patch_embed", c.simple_patch_embed);
  read_attn_types(args, c);
  int groups = 1;
  args.read("ssd_ngroups", groups, -1);
  if (groups != 1) wrong_argument("ssd_ngroups", "1", std::to_string(groups));
  bool duality = true;
  args.read("linear_attn_duality", duality);
  if (!duality) wrong_argument("linear_attn_duality", "true", "false");
  // The stem has a fixed stride of 4; attention has no bias of queries, keys and values.
  args.ignore({"patch_size", "qkv_bias", "ssd_chunk_size", "bidirection", "drop_rate",
               "drop_path_rate", "use_checkpoint"});
  args.finish("vssd");
  if (c.num_heads.size() < c.stages()) {
    wrong_argument("num_heads", "one for each of " + std::to_string(c.stages()) + " stages",
                   std::to_string(c.num_heads.size()));
  }
  require_multiple("vssd: img_size", {c.multiple(), c.multiple()}, c.img_size);
  return c;
}

// Images to the first map, at a quarter of their size.
class VssdStem {
 public:
  VssdStem(const Params& p, const VssdConfig& c)
      : path_(p.path()),
        conv1_(
            conv_norm(p / "conv1", c.in_chans, c.simple_patch_embed ? c.embed_dim : c.embed_dim / 2,
                      c.simple_patch_embed ? 4 : 3,
                      c.simple_patch_embed ? Conv2dSpec::square(4, 0) : Conv2dSpec::square(2, 1))) {
    if (c.simple_patch_embed) {
      norm_.emplace(p / "norm", c.embed_dim, kNormEps);
      return;
    }
    const int half = c.embed_dim / 2;
    const Conv2dSpec same = Conv2dSpec::square(1, 1);
    conv2_.push_back(conv_norm(p / "conv2" / 0, half, half, 3, same));
    conv2_.push_back(conv_norm(p / "conv2" / 1, half, half, 3, same));
    conv3_.push_back(
        conv_norm(p / "conv3" / 0, half, 4 * c.embed_dim, 3, Conv2dSpec::square(2, 1)));
    conv3_.push_back(conv_norm(p / "conv3" / 1, 4 * c.embed_dim, c.embed_dim, 1, {}));
  }

  MapF forward(CMapF image, Context& ctx) const {
    const Epilogue relu{.act = Activation::Kind::relu};
    if (norm_) {
      const MapF y = conv1_.output_map(image, ctx);
      conv1_.forward(image, y, ctx, relu);
      norm_->forward(y, y, ctx);
      ctx.tap(path_, y);
      return y;
    }
    const int h = conv1_.out_h(image.h), w = conv1_.out_w(image.w);
    const CMapF wide(nullptr, image.n, conv3_[0].out_h(h), conv3_[0].out_w(w), 0);
    const MapF y = conv3_[1].output_map(wide, ctx);
    const Workspace::Scope scope(ctx.workspace());
    const MapF a = conv1_.output_map(image, ctx);
    const MapF b = ctx.workspace().map_like(a), sum = ctx.workspace().map_like(a);
    conv1_.forward(image, a, ctx, relu);
    conv2_[0].forward(a, b, ctx, relu);
    conv2_[1].forward(b, sum, ctx, {.residual = a});
    const MapF expanded = conv3_[0].output_map(sum, ctx);
    conv3_[0].forward(sum, expanded, ctx, relu);
    conv3_[1].forward(expanded, y, ctx);
    ctx.tap(path_, y);
    return y;
  }

 private:
  static nn::Conv2d conv_norm(const Params& p, int in, int out, int kernel,
                              const Conv2dSpec& spec) {
    return nn::Conv2d(p / "conv", {p / "norm", kNormEps}, in, out, kernel, spec);
  }

  std::string path_;
  nn::Conv2d conv1_;
  std::vector<nn::Conv2d> conv2_, conv3_;
  std::optional<nn::LayerNorm> norm_;
};

// Half the size, twice the channels.
class VssdDownsample {
 public:
  VssdDownsample(const Params& p, const VssdConfig& c, int stage) : path_(p.path()) {
    const int in = c.dim(stage), out = c.dim(stage + 1);
    const Params conv = p / "conv";
    if (c.simple_downsample) {
      reduce_.emplace(conv / 0 / "conv", in, out, 3, Conv2dSpec::square(2, 1));
      norm_.emplace(p / "norm", out, kNormEps);
      return;
    }
    const int wide = 4 * out;
    expand_.emplace(conv / 0 / "conv", in, wide, true, nn::LinearForm::conv1x1);
    reduce_.emplace(conv / 1 / "conv", wide, wide, 3, Conv2dSpec::square(2, 1, wide));
    project_.emplace(conv / 2 / "conv", nn::FoldedBatchNorm{conv / 2 / "norm", kNormEps}, wide, out,
                     1, Conv2dSpec{}, true);
  }

  MapF forward(CMapF x, Context& ctx) const {
    const Epilogue relu{.act = Activation::Kind::relu};
    if (norm_) {
      const MapF y = reduce_->output_map(x, ctx);
      reduce_->forward(x, y, ctx, relu);
      norm_->forward(y, y, ctx);
      ctx.tap(path_, y);
      return y;
    }
    const CMapF small(nullptr, x.n, reduce_->out_h(x.h), reduce_->out_w(x.w), 0);
    const MapF y = project_->output_map(small, ctx);
    const Workspace::Scope scope(ctx.workspace());
    const MapF wide = ctx.workspace().map(x.n, x.h, x.w, expand_->out());
    const MapF reduced = reduce_->output_map(wide, ctx);
    expand_->forward(x, wide, ctx, relu);
    reduce_->forward(wide, reduced, ctx, relu);
    project_->forward(reduced, y, ctx);
    ctx.tap(path_, y);
    return y;
  }

 private:
  std::string path_;
  std::optional<nn::Linear> expand_;
  std::optional<nn::Conv2d> reduce_, project_;
  std::optional<nn::LayerNorm> norm_;
};

std::unique_ptr<const nn::Mixer> make_mixer(const Params& p, const VssdConfig& c, int stage) {
  const int dim = c.dim(stage), heads = c.num_heads[stage];
  if (c.attention[static_cast<std::size_t>(stage)]) {
    using Attention = nn::SelfAttention<nn::SoftmaxMixing>;
    return std::make_unique<Attention>(p, dim, false, nn::SoftmaxMixing(p, dim, heads),
                                       nn::SelfAttentionNames{"to_qkv", "to_out"});
  }
  nn::StateSpaceOptions o;
  o.inner = width("ssd_expansion", c.ssd_expansion * dim);
  o.heads = heads;
  o.state = c.d_state;
  o.norm_eps = kNormEps;
  o.negative = !c.ssd_positve_dA;
  return std::make_unique<nn::StateSpaceDuality>(p, dim, o);
}

// x += cpe1(x); x += mixer(norm1(x)); x += cpe2(x); x += mlp(norm2(x)).
class VssdBlock {
 public:
  VssdBlock(const Params& p, const VssdConfig& c, int stage)
      : path_(p.path()),
        cpe1_(p / "cpe1", c.dim(stage)),
        norm1_(p / "norm1", c.dim(stage), kNormEps),
        mixer_(make_mixer(p / "attn", c, stage)),
        cpe2_(p / "cpe2", c.dim(stage)),
        norm2_(p / "norm2", c.dim(stage), kNormEps),
        mlp_(p / "mlp", c.dim(stage), width("mlp_ratio", c.mlp_ratio * c.dim(stage))) {}

  // x (n, h, w, dim), in place.
  void forward(MapF x, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF placed = ctx.workspace().map_like(x), normed = ctx.workspace().map_like(x);
    cpe1_.forward(x, placed, ctx);
    norm1_.forward(placed, normed, ctx);
    mixer_->forward(normed, placed, ctx, {.residual = placed});
    cpe2_.forward(placed, x, ctx);
    norm2_.forward(x, normed, ctx);
    mlp_.forward(normed, x, ctx, {.residual = x});
    ctx.tap(path_, x);
  }

 private:
  std::string path_;
  nn::ConditionalPosition cpe1_;
  nn::LayerNorm norm1_;
  std::unique_ptr<const nn::Mixer> mixer_;
  nn::ConditionalPosition cpe2_;
  nn::LayerNorm norm2_;
  nn::Mlp mlp_;
};

class Vssd final : public Backbone {
 public:
  Vssd(const Params& p, const VssdConfig& c) : config_(c), stem_(p / "patch_embed", c) {
    for (int i = 0; i < c.stages(); ++i) {
      const Params layer = p / "layers" / i;
      Stage& s = stages_.emplace_back();
      s.blocks.reserve(static_cast<std::size_t>(c.depths[i]));
      for (int j = 0; j < c.depths[i]; ++j) s.blocks.emplace_back(layer / "blocks" / j, c, i);
      if (i + 1 < c.stages()) s.downsample.emplace(layer / "downsample", c, i);
      feature_info_.push_back({c.dim(i), 4 << i, layer.path("blocks")});
    }
    const int channels = c.dim(c.stages() - 1);
    norm_.emplace(p / "norm", channels, kNormEps);
    head_.emplace(p, channels,
                  nn::HeadOptions{.classes = c.num_classes, .norm = false, .fc = "head"});
  }

  std::span<const FeatureInfo> feature_info() const override { return feature_info_; }
  int num_features() const override { return norm_->channels(); }
  int num_classes() const override { return head_->classes(); }
  Size2d input_size() const override { return config_.img_size; }
  void check_size(Size2d size) const override {
    require_multiple("vssd", {config_.multiple(), config_.multiple()}, size);
  }

  MapF forward_features(CMapF image, Context& ctx, const FeatureSink* sink) const override {
    MapF x = stem_.forward(image, ctx);
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      for (const VssdBlock& block : stages_[i].blocks) block.forward(x, ctx);
      if (sink != nullptr) (*sink)(static_cast<int>(i), x);
      if (stages_[i].downsample) x = stages_[i].downsample->forward(x, ctx);
    }
    norm_->forward(x, x, ctx);
    ctx.tap("norm", x);
    return x;
  }

  void forward_head(CMapF features, bool pre_logits, MapF y, Context& ctx) const override {
    head_->forward(features, pre_logits, y, ctx);
  }

 private:
  struct Stage {
    std::vector<VssdBlock> blocks;
    std::optional<VssdDownsample> downsample;
  };

  VssdConfig config_;
  VssdStem stem_;
  std::vector<Stage> stages_;
  std::vector<FeatureInfo> feature_info_;
  std::optional<nn::LayerNorm> norm_;
  std::optional<nn::ClassifierHead> head_;
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

constexpr VssdVariant kVariants[] = {
    {"vssd_micro", vssd(48, {2, 2, 8, 4}, {2, 4, 8, 16}, 48)},
    {"vssd_tiny", vssd(64, {2, 4, 8, 4}, {2, 4, 8, 16}, 64)},
    {"vssd_small", vssd(64, {3, 4, 21, 5}, {2, 4, 8, 16}, 64)},
    {"vssd_base", vssd(96, {3, 4, 21, 5}, {3, 6, 12, 24}, 64)},
};
constexpr auto kModels = model_table(kVariants);

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  const VssdConfig given = variant < 0 ? VssdConfig{} : kVariants[variant].config;
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
