// SPDX-License-Identifier: Apache-2.0
//
// RAVLT (RALA: rank-augmented linear attention, arXiv:2411.07635) as its authors published it
// (qhfan/RALA, classfication/RALA.py), under their names in lower case. Takes images of any size.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fovea/nn/conditional_position.h"
#include "fovea/nn/conv_ffn.h"
#include "fovea/nn/norm.h"
#include "fovea/nn/rank_augmented_attention.h"
#include "models/families.h"
#include "models/family_tools.h"

namespace fovea::models {
namespace {

constexpr float kNormEps = 1e-6f, kBatchNormEps = 1e-5f;

struct RavltConfig {
  int in_chans = 3;
  int num_classes = 1000;
  List<int> embed_dims = {96, 192, 384, 768};
  List<int> depths = {2, 2, 6, 2};
  List<int> num_heads = {3, 6, 12, 24};
  List<double> mlp_ratios = {3.0, 3.0, 3.0, 3.0};
  int projection = 1024;
  List<bool> layerscales = {false, false, false, false};

  int stages() const { return depths.size(); }
};

// Which blocks of a stage are linear; by default those of the first two stages.
using Forms = std::vector<std::vector<nn::GatedAttentionForm>>;

Forms read_forms(const ModelArgs& args, const RavltConfig& c) {
  std::vector<std::vector<std::string>> flags;
  args.read("flagss", flags);
  Forms forms;
  for (int i = 0; i < c.stages(); ++i) {
    const auto stage = static_cast<std::size_t>(i);
    const auto depth = static_cast<std::size_t>(c.depths[i]);
    if (flags.empty()) {
      forms.emplace_back(depth,
                         i < 2 ? nn::GatedAttentionForm::linear : nn::GatedAttentionForm::softmax);
      continue;
    }
    if (flags.size() <= stage || flags[stage].size() < depth) {
      wrong_argument("flagss", "a list for each stage with \"l\" or \"v\" for each block",
                     "fewer for stage " + std::to_string(i));
    }
    std::vector<nn::GatedAttentionForm>& form = forms.emplace_back();
    for (std::size_t j = 0; j < depth; ++j) {
      const std::string& flag = flags[stage][j];
      if (flag != "l" && flag != "v") wrong_argument("flagss", "\"l\" or \"v\"", flag);
      form.push_back(flag == "l" ? nn::GatedAttentionForm::linear
                                 : nn::GatedAttentionForm::softmax);
    }
  }
  return forms;
}

RavltConfig configured(RavltConfig c, const ModelArgs& args) {
  args.read("in_chans", c.in_chans, 1);
  args.read("num_classes", c.num_classes, 0, 1 << 20);
  read_stages(args, "depths", c.depths, "embed_dims", c.embed_dims);
  args.read("num_heads", c.num_heads, 1);
  args.read("mlp_ratios", c.mlp_ratios);
  args.read("projection", c.projection, 1);
  args.read("layerscales", c.layerscales);
  args.ignore({"layer_init_values", "drop_path_rate"});
  const auto one_each = [&](std::string_view name, int size) {
    if (size >= c.stages()) return;
    wrong_argument(name, "one for each of " + std::to_string(c.stages()) + " stages",
                   std::to_string(size));
  };
  one_each("num_heads", c.num_heads.size());
  one_each("mlp_ratios", c.mlp_ratios.size());
  one_each("layerscales", c.layerscales.size());
  if (c.embed_dims[0] < 2) wrong_argument("embed_dims", "at least 2 channels", "1");
  return c;
}

int ffn_width(const RavltConfig& c, int stage) {
  const double width = c.mlp_ratios[stage] * c.embed_dims[stage];
  if (width >= 1 && width <= 1 << 24) return static_cast<int>(width);
  wrong_argument("mlp_ratios", "hidden widths from 1 to 2^24", std::to_string(width));
}

// Four convolutions with batch norms, two of them with stride 2.
class RavltStem {
 public:
  RavltStem(const Params& p, const RavltConfig& c) : path_(p.path()) {
    const int half = c.embed_dims[0] / 2;
    const int in[] = {c.in_chans, half, half, half}, out[] = {half, half, half, c.embed_dims[0]};
    convs_.reserve(4);
    for (int i = 0; i < 4; ++i) {
      const int stride = i == 0 || i == 3 ? 2 : 1;
      convs_.emplace_back(p / (3 * i), nn::FoldedBatchNorm{p / (3 * i + 1), kBatchNormEps}, in[i],
                          out[i], 3, Conv2dSpec::square(stride, 1), true);
    }
  }

  MapF forward(CMapF image, Context& ctx) const {
    const int h = convs_[0].out_h(image.h), w = convs_[0].out_w(image.w);
    const MapF y = convs_[3].output_map(CMapF(nullptr, image.n, h, w, 0), ctx);
    const Workspace::Scope scope(ctx.workspace());
    const MapF a = convs_[0].output_map(image, ctx), b = ctx.workspace().map_like(a);
    const Epilogue gelu{.act = Activation::Kind::gelu};
    convs_[0].forward(image, a, ctx, gelu);
    convs_[1].forward(a, b, ctx, gelu);
    convs_[2].forward(b, a, ctx, gelu);
    convs_[3].forward(a, y, ctx);
    ctx.tap(path_, y);
    return y;
  }

 private:
  std::string path_;
  std::vector<nn::Conv2d> convs_;
};

// x += pos(x); x += gamma_1 attn(norm1(x)); x += gamma_2 ffn(norm2(x)).
class RavltBlock {
 public:
  RavltBlock(const Params& p, const RavltConfig& c, int stage, nn::GatedAttentionForm form)
      : path_(p.path()),
        position_(p / "pos", c.embed_dims[stage]),
        norm1_(p / "norm1" / "norm", c.embed_dims[stage], kNormEps),
        attention_(p / "attn", c.embed_dims[stage], c.num_heads[stage], form),
        norm2_(p / "norm2" / "norm", c.embed_dims[stage], kNormEps),
        ffn_(p / "ffn", c.embed_dims[stage], ffn_width(c, stage), {.act_first = true}) {
    if (!c.layerscales[stage]) return;
    const int dim = c.embed_dims[stage];
    gamma1_ = p.floats("gamma_1", {1, dim, 1, 1});
    gamma2_ = p.floats("gamma_2", {1, dim, 1, 1});
  }

  // x (n, h, w, dim), in place.
  void forward(MapF x, const RotarySpec& rotary, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF placed = ctx.workspace().map_like(x), normed = ctx.workspace().map_like(x);
    position_.forward(x, placed, ctx);
    norm1_.forward(placed, normed, ctx);
    attention_.forward(normed, x, rotary, ctx, {.scale = gamma1_.data(), .residual = placed});
    norm2_.forward(x, normed, ctx);
    ffn_.forward(normed, x, ctx, {.scale = gamma2_.data(), .residual = x});
    ctx.tap(path_, x);
  }

 private:
  std::string path_;
  nn::ConditionalPosition position_;
  nn::LayerNorm norm1_;
  nn::RankAugmentedAttention attention_;
  nn::LayerNorm norm2_;
  nn::ConvFfn ffn_;
  FloatBuffer gamma1_, gamma2_;  // (dim), or empty
};

class Ravlt final : public Backbone {
 public:
  Ravlt(const Params& p, const RavltConfig& c, const Forms& forms)
      : stem_(p / "patch_embed" / "proj", c),
        proj_(p / "proj", nn::FoldedBatchNorm{p / "norm", kBatchNormEps},
              c.embed_dims[c.stages() - 1], c.projection, 1, Conv2dSpec{}, true),
        backend_(&p.backend()),
        pooled_(c.projection) {
    for (int i = 0; i < c.stages(); ++i) {
      const Params layer = p / "layers" / i;
      const int dim = c.embed_dims[i];
      if (dim % c.num_heads[i] != 0) {
        wrong_argument("num_heads", "a divisor of " + std::to_string(dim),
                       std::to_string(c.num_heads[i]));
      }
      Stage& s = stages_.emplace_back(nn::AxialRotary(dim / c.num_heads[i]));
      s.blocks.reserve(static_cast<std::size_t>(c.depths[i]));
      for (int j = 0; j < c.depths[i]; ++j) {
        s.blocks.emplace_back(layer / "blocks" / j, c, i,
                              forms[static_cast<std::size_t>(i)][static_cast<std::size_t>(j)]);
      }
      if (i + 1 < c.stages()) {
        const Params down = layer / "downsample";
        s.downsample.emplace(down / "reduction", nn::FoldedBatchNorm{down / "norm", kBatchNormEps},
                             dim, c.embed_dims[i + 1], 3, Conv2dSpec::square(2, 1), true);
      }
      feature_info_.push_back({dim, 4 << i, layer.path("blocks")});
    }
    if (c.num_classes > 0) {
      head_.emplace(p / "head", c.projection, c.num_classes, true, nn::LinearForm::conv1x1);
    }
  }

  std::span<const FeatureInfo> feature_info() const override { return feature_info_; }
  int num_features() const override { return feature_info_.back().channels; }
  int pooled_features() const override { return pooled_; }
  int num_classes() const override { return head_ ? head_->out() : 0; }
  Size2d input_size() const override { return {224, 224}; }
  void check_size(Size2d size) const override { require_size("ravlt", {1, 1}, size); }

  MapF forward_features(CMapF image, Context& ctx, const FeatureSink* sink) const override {
    MapF x = stem_.forward(image, ctx);
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const Stage& s = stages_[i];
      {
        const Workspace::Scope scope(ctx.workspace());
        const RotarySpec rotary = s.rotary.tables(x.h, x.w, ctx);
        for (const RavltBlock& block : s.blocks) block.forward(x, rotary, ctx);
      }
      if (sink != nullptr) (*sink)(static_cast<int>(i), x);
      if (!s.downsample) continue;
      const MapF y = s.downsample->output_map(x, ctx);
      s.downsample->forward(x, y, ctx);
      x = y;
    }
    return x;
  }

  // silu(batch_norm(proj)) of every pixel, their mean, the classifier.
  void forward_head(CMapF features, bool pre_logits, MapF y, Context& ctx) const override {
    const Workspace::Scope scope(ctx.workspace());
    const MapF projected = proj_.output_map(features, ctx);
    proj_.forward(features, projected, ctx, {.act = Activation::Kind::silu});
    if (pre_logits || !head_) return backend_->global_average(projected, y, ctx);
    const MapF pooled = ctx.workspace().map(features.n, 1, 1, pooled_);
    backend_->global_average(projected, pooled, ctx);
    head_->forward(pooled, y, ctx);
  }

 private:
  struct Stage {
    explicit Stage(nn::AxialRotary r) : rotary(std::move(r)) {}
    nn::AxialRotary rotary;
    std::vector<RavltBlock> blocks;
    std::optional<nn::Conv2d> downsample;
  };

  RavltStem stem_;
  std::vector<Stage> stages_;
  std::vector<FeatureInfo> feature_info_;
  nn::Conv2d proj_;
  const Backend* backend_;
  int pooled_;
  std::optional<nn::Linear> head_;
};

constexpr RavltConfig ravlt(const List<int>& dims, const List<int>& depths,
                            const List<int>& heads) {
  RavltConfig c;
  c.embed_dims = dims;
  c.depths = depths;
  c.num_heads = heads;
  c.mlp_ratios = {3.5, 3.5, 3.5, 3.5};
  c.layerscales = {true, true, true, true};
  return c;
}

struct RavltVariant {
  std::string_view name;
  RavltConfig config;
  PreprocessConfig preprocess = {};  // the shorter edge to 256, 224 cut out, bicubic
};

constexpr RavltVariant kVariants[] = {
    {"ravlt_t", ravlt({64, 128, 256, 512}, {2, 2, 6, 2}, {1, 2, 4, 8})},
    {"ravlt_s", ravlt({64, 128, 320, 512}, {3, 5, 9, 3}, {1, 2, 5, 8})},
    {"ravlt_b", ravlt({96, 192, 384, 512}, {4, 6, 12, 6}, {1, 2, 6, 8})},
    {"ravlt_l", ravlt({96, 192, 448, 640}, {4, 7, 19, 8}, {1, 2, 7, 10})},
};
constexpr auto kModels = model_table(kVariants);

// Derived: the frequencies of the rotations.
constexpr RenameRule kRenames[] = {{"layers.#.RoPE.angle", ""}};

std::string rename(const std::string& name) { return rename_by_table(kRenames, name); }

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  const RavltConfig c = configured(variant < 0 ? RavltConfig{} : kVariants[variant].config, args);
  const Forms forms = read_forms(args, c);
  args.finish("ravlt");
  return std::make_unique<Ravlt>(p, c, forms);
}

}  // namespace

const ModelFamily kRavlt = {
    .name = "ravlt",
    .description = "RAVLT (rank-augmented linear attention, arXiv:2411.07635), after the authors",
    .models = kModels,
    .make = make,
    .rename = rename,
};

}  // namespace fovea::models
