// SPDX-License-Identifier: Apache-2.0
//
// PlainMamba (arXiv:2403.17695) after the authors' mmcls/plain_mamba_dev
// (ChenhongyiYang/PlainMamba), under the names of their classifier: backbone.#, head.fc.
//
// Checkpoints: the authors'. Takes images of any size: maps are padded with zeros at the bottom and
// right to whole patches, and positions are resized in every forward of another size.
//
// Oddities of the released code, which its checkpoints depend on: a scan takes only u along its
// serpentine, its step, b and c come in raster order; the bias of the step counts twice; a layer
// with `dw` passes its sum through convolution, batch norm and GELU without a residual.
//
// Deviations: `arch` is the variant's name here; out_indices (other layers) are not read.
#include <optional>
#include <vector>

#include "fovea/models/backbone.h"
#include "fovea/nn/head.h"
#include "fovea/nn/learned_positions.h"
#include "fovea/nn/norm.h"
#include "fovea/nn/selective_scan.h"
#include "models/families.h"
#include "models/family_tools.h"

namespace fovea::models {
namespace {

constexpr int kStemWidth = 64;
constexpr float kLayerNormEps = 1e-5f;

struct PlainMambaConfig {
  Size2d img_size = {224, 224};
  int in_channels = 3;
  int num_classes = 1000;
  int patch_size = 16;
  int embed_dims = 192;
  int num_layers = 20;
  int num_convs_patch_embed = 1;
  bool with_pos_embed = true;
  bool final_norm = true;
  float norm_eps = 1e-6f;  // of the final norm
  List<int> layers_with_dwconv;
  bool use_rms_norm = false;
  int d_state = 16;
  double expand = 2;
  int dt_rank = 0;  // 0: channels / 16, rounded up
  int conv_size = 7;
  bool conv_bias = true;
  bool bias = true;
  bool layer_scale = false;

  int patch() const { return patch_size / 2; }  // of the map that the stem has halved
  int grid(int halved) const { return (halved + patch() - 1) / patch(); }
};

PlainMambaConfig configured(PlainMambaConfig c, const ModelArgs& args) {
  args.read("img_size", c.img_size);
  args.read("in_channels", c.in_channels, 1);
  args.read("num_classes", c.num_classes, 0, 1 << 20);
  args.read("patch_size", c.patch_size, 2, 1024);
  if (c.patch_size % 2 != 0) {
    wrong_argument("patch_size", "an even number", std::to_string(c.patch_size));
  }
  args.read("embed_dims", c.embed_dims, 1);
  args.read("num_layers", c.num_layers, 1, 1024);
  args.read("num_convs_patch_embed", c.num_convs_patch_embed, 0, 64);
  args.read("with_pos_embed", c.with_pos_embed);
  if (c.with_pos_embed && (c.img_size.h < 2 || c.img_size.w < 2)) {
    wrong_argument("img_size", "at least 2 x 2, for positions of at least one patch",
                   size_string(c.img_size));
  }
  args.read("final_norm", c.final_norm);
  args.read("norm_cfg.eps", c.norm_eps);
  std::string norm = "LN", mode = "bicubic";
  args.read("norm_cfg.type", norm);
  if (norm != "LN") wrong_argument("norm_cfg.type", "LN", norm);
  args.read("interpolate_mode", mode);
  if (mode != "bicubic") wrong_argument("interpolate_mode", "bicubic", mode);
  args.read("layer_cfgs.use_rms_norm", c.use_rms_norm);
  const std::string mamba = "layer_cfgs.mamba_cfg.";
  args.read(mamba + "d_state", c.d_state, 1, 1 << 12);
  args.read(mamba + "expand", c.expand);
  if (!(c.expand > 0 && c.expand <= 64)) {
    wrong_argument(mamba + "expand", "a number from 0 to 64", std::to_string(c.expand));
  }
  read_or_auto(args, mamba + "dt_rank", c.dt_rank);
  args.read(mamba + "conv_size", c.conv_size, 1, 31);
  require_odd(mamba + "conv_size", c.conv_size);
  args.read(mamba + "conv_bias", c.conv_bias);
  args.read(mamba + "bias", c.bias);
  args.read_presence(mamba + "init_layer_scale", c.layer_scale);
  for (const char* const name : {"dt_min", "dt_max", "dt_init", "dt_scale", "dt_init_floor"}) {
    args.ignore({mamba + name});
  }
  args.ignore({mamba + "default_hw_shape", "drop_rate", "drop_path_rate", "init_cfg", "test_cfg",
               "convert_syncbn", "freeze_patch_embed"});
  return c;
}

nn::SelectiveScanOptions scan_options(const PlainMambaConfig& c) {
  nn::SelectiveScanOptions o;
  const double inner = c.expand * c.embed_dims;
  if (!(inner >= 1 && inner <= 1 << 24)) {
    wrong_argument("layer_cfgs.mamba_cfg.expand", "a width from 1 to 2^24", std::to_string(inner));
  }
  o.inner = static_cast<int>(inner);
  o.state = c.d_state;
  o.rank = c.dt_rank;
  o.bias = c.bias;
  o.kernel = c.conv_size;
  o.conv_bias = c.conv_bias;
  o.sequences = nn::snake_walks();
  o.shared = true;
  o.quirks = {.by_step = true, .direction_b = true, .dt_bias_twice = true};
  o.norm = nn::ScanNormKind::none;
  return o;
}

// x += mamba(norm(x)); x = gelu(bn(dw(x))) where there is a dw.
class PlainMambaLayer {
 public:
  PlainMambaLayer(const Params& p, const PlainMambaConfig& c, bool dw)
      : path_(p.path()),
        backend_(&p.backend()),
        mamba_(p / "mamba", c.embed_dims, scan_options(c)) {
    const int dim = c.embed_dims;
    if (c.use_rms_norm) {
      rms_norm_.emplace(p / "norm", dim, kLayerNormEps);
    } else {
      norm_.emplace(p / "norm", dim, kLayerNormEps);
    }
    if (c.layer_scale) gamma_ = (p / "mamba").floats("gamma", {dim});
    if (dw) {
      dw_.emplace(p / "dw" / 0, nn::FoldedBatchNorm{p / "dw" / 1}, dim, dim, 3,
                  Conv2dSpec::square(1, 1, dim));
    }
  }

  // x (n, h, w, embed_dims), in place.
  void forward(MapF x, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF t = ctx.workspace().map_like(x);
    if (norm_) {
      norm_->forward(x, t, ctx);
    } else {
      rms_norm_->forward(x, t, ctx);
    }
    mamba_.forward(t, x, ctx, {.scale = gamma_.data(), .residual = x});
    if (dw_) {
      dw_->forward(x, t, ctx, {.act = Activation::Kind::gelu});
      backend_->apply(t, {}, x, ctx);
    }
    ctx.tap(path_, x);
  }

 private:
  std::string path_;
  const Backend* backend_;
  std::optional<nn::LayerNorm> norm_;
  std::optional<nn::RmsNorm> rms_norm_;
  nn::SelectiveScan2d mamba_;
  FloatBuffer gamma_;  // (embed_dims), or empty
  std::optional<nn::Conv2d> dw_;
};

// A 7x7 convolution with stride 2, some of 3x3, and one for each half of a patch.
class PlainMambaStem {
 public:
  PlainMambaStem(const Params& p, const PlainMambaConfig& c)
      : backend_(&p.backend()),
        stem_(p / "stem" / 0, nn::FoldedBatchNorm{p / "stem" / 1}, c.in_channels, kStemWidth, 7,
              Conv2dSpec::square(2, 3)),
        projection_(p / "projection", kStemWidth, c.embed_dims, c.patch(),
                    Conv2dSpec::square(c.patch(), 0)),
        patch_(c.patch()) {
    for (int i = 0; i < c.num_convs_patch_embed; ++i) {
      convs_.emplace_back(p / "convs" / (3 * i), nn::FoldedBatchNorm{p / "convs" / (3 * i + 1)},
                          kStemWidth, kStemWidth, 3, Conv2dSpec::square(1, 1));
    }
  }

  // (n, h, w, in_channels) -> (n, rows of patches, columns of patches, embed_dims), in the
  // workspace.
  MapF forward(CMapF image, Context& ctx) const {
    const int h = stem_.out_h(image.h), w = stem_.out_w(image.w);
    const int padded_h = (h + patch_ - 1) / patch_ * patch_;
    const int padded_w = (w + patch_ - 1) / patch_ * patch_;
    const MapF y =
        projection_.output_map(CMapF(nullptr, image.n, padded_h, padded_w, kStemWidth), ctx);
    const Workspace::Scope scope(ctx.workspace());
    const Epilogue relu = {.act = Activation::Kind::relu};
    MapF x = ctx.workspace().map(image.n, h, w, kStemWidth);
    MapF other = ctx.workspace().map_like(x);
    stem_.forward(image, x, ctx, relu);
    for (const nn::Conv2d& conv : convs_) {
      conv.forward(x, other, ctx, relu);
      std::swap(x, other);
    }
    projection_.forward(padded(x, padded_h, padded_w, ctx), y, ctx);
    return y;
  }

 private:
  MapF padded(MapF x, int h, int w, Context& ctx) const {
    if (x.h == h && x.w == w) return x;
    const MapF y = ctx.workspace().map(x.n, h, w, x.c);
    const auto count = static_cast<std::size_t>(h) * static_cast<std::size_t>(w);
    int* const index = static_cast<int*>(ctx.workspace().bytes(count, sizeof(int)));
    for (int i = 0; i < h && !ctx.dry_run(); ++i) {
      for (int j = 0; j < w; ++j) index[i * w + j] = i < x.h && j < x.w ? i * x.w + j : -1;
    }
    backend_->gather(x, index, y, ctx);
    return y;
  }

  const Backend* backend_;
  nn::Conv2d stem_;
  std::vector<nn::Conv2d> convs_;
  nn::Conv2d projection_;
  int patch_;
};

class PlainMamba final : public Backbone {
 public:
  PlainMamba(const Params& root, const PlainMambaConfig& c, const std::vector<int>& with_dw)
      : config_(c),
        backend_(&root.backend()),
        stem_(root / "backbone" / "patch_embed", c),
        head_(root / "head", c.embed_dims,
              nn::HeadOptions{.classes = c.num_classes, .norm = false}) {
    const Params p = root / "backbone";
    if (c.with_pos_embed) {
      positions_.emplace(p, "pos_embed", c.grid(c.img_size.h / 2), c.grid(c.img_size.w / 2),
                         c.embed_dims);
    }
    layers_.reserve(static_cast<std::size_t>(c.num_layers));
    for (int i = 0; i < c.num_layers; ++i) {
      const bool dw = std::find(with_dw.begin(), with_dw.end(), i) != with_dw.end();
      layers_.emplace_back(p / "layers" / i, c, dw);
    }
    if (c.final_norm) norm_.emplace(p / "ln1", c.embed_dims, c.norm_eps);
    feature_info_[0] = {c.embed_dims, c.patch_size, p.path("layers")};
  }

  std::span<const FeatureInfo> feature_info() const override { return feature_info_; }
  int num_features() const override { return config_.embed_dims; }
  int num_classes() const override { return head_.classes(); }
  Size2d input_size() const override { return config_.img_size; }
  void check_size(Size2d size) const override { require_size("plainmamba", {1, 1}, size); }

  MapF forward_features(CMapF image, Context& ctx, const FeatureSink* sink) const override {
    const MapF x = stem_.forward(image, ctx);
    if (positions_) positions_->add(x, ctx);
    for (const PlainMambaLayer& layer : layers_) layer.forward(x, ctx);
    if (norm_) norm_->forward(x, x, ctx);
    ctx.tap("backbone.ln1", x);
    if (sink != nullptr) (*sink)(0, x);
    return x;
  }

  void forward_head(CMapF features, bool pre_logits, MapF y, Context& ctx) const override {
    head_.forward(features, pre_logits, y, ctx);
  }

 private:
  PlainMambaConfig config_;
  const Backend* backend_;
  PlainMambaStem stem_;
  std::optional<nn::LearnedPositions> positions_;
  std::vector<PlainMambaLayer> layers_;
  std::optional<nn::LayerNorm> norm_;
  nn::ClassifierHead head_;
  FeatureInfo feature_info_[1];
};

constexpr PlainMambaConfig plainmamba(int dim, int layers, int convs, const List<int>& with_dw) {
  PlainMambaConfig c;
  c.embed_dims = dim;
  c.num_layers = layers;
  c.num_convs_patch_embed = convs;
  c.layers_with_dwconv = with_dw;
  return c;
}

struct PlainMambaVariant {
  std::string_view name;
  PlainMambaConfig config;
  PreprocessConfig preprocess = {};  // the shorter edge to 256, 224 cut out, bicubic
};

constexpr PlainMambaVariant kVariants[] = {
    {"plainmamba_l1", plainmamba(192, 24, 1, {0})},
    {"plainmamba_l2", plainmamba(384, 24, 2, {})},
    {"plainmamba_l3", plainmamba(448, 36, 2, {})},
};
constexpr auto kModels = model_table(kVariants);

// The constructor's defaults: its layers have biases in their convolutions only.
constexpr PlainMambaConfig defaults() {
  PlainMambaConfig c;
  c.bias = false;
  return c;
}

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  const PlainMambaConfig given = variant < 0 ? defaults() : kVariants[variant].config;
  const PlainMambaConfig c = configured(given, args);
  std::vector<int> with_dw(c.layers_with_dwconv.begin(), c.layers_with_dwconv.end());
  args.read("layers_with_dwconv", with_dw, 0, 1 << 10);
  args.finish("plainmamba");
  return std::make_unique<PlainMamba>(p, c, with_dw);
}

}  // namespace

const ModelFamily kPlainMamba = {
    .name = "plainmamba",
    .description = "PlainMamba (arXiv:2403.17695), after the authors' code",
    .models = kModels,
    .make = make,
};

}  // namespace fovea::models
