// SPDX-License-Identifier: Apache-2.0
//
// MambaOut (arXiv:2405.07992): gated convolutional blocks, as timm has them
// (timm/models/mambaout.py), under timm's names.
//
// Checkpoints: timm's, and the authors' (yuweihao/MambaOut). Any image size.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fovea/nn/activation.h"
#include "fovea/nn/conv2d.h"
#include "fovea/nn/head.h"
#include "fovea/nn/linear.h"
#include "fovea/nn/norm.h"
#include "models/families.h"
#include "models/family_tools.h"

namespace fovea::models {
namespace {

constexpr float kEps = 1e-6f;  // of every norm

struct MambaOutConfig {
  List<int> depths = {3, 3, 9, 3};
  List<int> dims = {96, 192, 384, 576};
  double expansion_ratio = 8.0 / 3.0;
  double conv_ratio = 1.0;
  int kernel_size = 7;
  Activation act = Activation::Kind::gelu;
  bool stem_mid_norm = true;
  bool norm_first = false;   // downsample is "conv_nf": the norm comes before the convolution
  bool layer_scale = false;  // ls_init_value is not None
  bool default_head = true;  // with a norm after the hidden layer
  int in_chans = 3;
  int num_classes = 1000;
};

MambaOutConfig configured(MambaOutConfig c, const ModelArgs& args) {
  read_stages(args, "depths", c.depths, "dims", c.dims);
  if (c.dims[0] < 2) wrong_argument("dims", "at least 2 channels", std::to_string(c.dims[0]));
  args.read("expansion_ratio", c.expansion_ratio);
  args.read("conv_ratio", c.conv_ratio);
  if (!(c.expansion_ratio > 0 && c.expansion_ratio <= 64)) {
    wrong_argument("expansion_ratio", "a number from 0 to 64", std::to_string(c.expansion_ratio));
  }
  if (!(c.conv_ratio > 0 && c.conv_ratio <= c.expansion_ratio)) {
    wrong_argument("conv_ratio", "a number from 0 to expansion_ratio",
                   std::to_string(c.conv_ratio));
  }
  for (const int dim : c.dims) {
    if (static_cast<int>(c.conv_ratio * dim) == 0) {
      wrong_argument("conv_ratio", "at least one channel of " + std::to_string(dim),
                     std::to_string(c.conv_ratio));
    }
  }
  args.read("kernel_size", c.kernel_size, 1, 127);
  require_odd("kernel_size", c.kernel_size);
  if (std::string name; args.has("act_layer")) {
    args.read("act_layer", name);
    c.act = nn::activation(name);
  }
  args.read("stem_mid_norm", c.stem_mid_norm);
  if (std::string kind; args.has("downsample")) {
    args.read("downsample", kind);
    if (kind != "conv" && kind != "conv_nf") wrong_argument("downsample", "conv or conv_nf", kind);
    c.norm_first = kind == "conv_nf";
  }
  args.read_presence("ls_init_value", c.layer_scale);
  if (std::string head; args.has("head_fn")) {
    args.read("head_fn", head);
    c.default_head = head == "default";
  }
  args.read("in_chans", c.in_chans, 1);
  args.read("num_classes", c.num_classes, 0, 1 << 20);
  read_global_pool(args);
  args.ignore({"drop_rate", "drop_path_rate"});
  args.finish("mambaout");
  return c;
}

const Conv2dSpec kHalving = Conv2dSpec::square(2, 1);  // of a 3x3 kernel

// Two 3x3 convolutions of stride 2, a norm after each.
class Stem {
 public:
  Stem(const Params& p, const MambaOutConfig& c)
      : path_(p.path()),
        conv1_(p / "conv1", c.in_chans, c.dims[0] / 2, 3, kHalving),
        conv2_(p / "conv2", c.dims[0] / 2, c.dims[0], 3, kHalving),
        norm2_(p / "norm2", c.dims[0], kEps),
        act_(c.act),
        backend_(&p.backend()) {
    if (c.stem_mid_norm) norm1_.emplace(p / "norm1", c.dims[0] / 2, kEps);
  }

  int out_size(int in) const { return conv2_.out_h(conv1_.out_h(in)); }

  MapF forward(CMapF image, Context& ctx) const {
    const MapF middle = conv1_.output_map(image, ctx);
    Epilogue activation;
    activation.act = act_;
    if (norm1_) {
      conv1_.forward(image, middle, ctx);
      norm1_->forward(middle, middle, ctx);
      backend_->apply(middle, activation, middle, ctx);
    } else {
      conv1_.forward(image, middle, ctx, activation);
    }
    const MapF y = conv2_.output_map(middle, ctx);
    conv2_.forward(middle, y, ctx);
    norm2_.forward(y, y, ctx);
    ctx.tap(path_, y);
    return y;
  }

 private:
  std::string path_;
  nn::Conv2d conv1_, conv2_;
  std::optional<nn::LayerNorm> norm1_;
  nn::LayerNorm norm2_;
  Activation act_;
  const Backend* backend_;
};

class Downsample {
 public:
  Downsample(const Params& p, int in, int out, bool norm_first)
      : path_(p.path()),
        norm_first_(norm_first),
        conv_(p / "conv", in, out, 3, kHalving),
        norm_(p / "norm", norm_first ? in : out, kEps) {}

  int out_size(int in) const { return conv_.out_h(in); }

  // Overwrites x with its norm where that comes first.
  MapF forward(MapF x, Context& ctx) const {
    if (norm_first_) norm_.forward(x, x, ctx);
    const MapF y = conv_.output_map(x, ctx);
    conv_.forward(x, y, ctx);
    if (!norm_first_) norm_.forward(y, y, ctx);
    ctx.tap(path_, y);
    return y;
  }

 private:
  std::string path_;
  bool norm_first_;
  nn::Conv2d conv_;
  nn::LayerNorm norm_;
};

// x += ls * fc2(act(g) * [i, dwconv(c)]) with [g, i, c] = fc1(norm(x)): a gated CNN
// (arXiv:1612.08083) whose convolution sees the last channels only.
class GatedConvBlock {
 public:
  GatedConvBlock(const Params& p, int dim, const MambaOutConfig& c)
      : GatedConvBlock(p, dim, static_cast<int>(c.expansion_ratio * dim),
                       static_cast<int>(c.conv_ratio * dim), c) {}

  // x (n, h, w, dim), in place.
  void forward(MapF x, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF t = ctx.workspace().map_like(x);
    norm_.forward(x, t, ctx);
    const MapF gate = ctx.workspace().map(x.n, x.h, x.w, hidden_);
    Epilogue activation;
    activation.act = act_;
    to_gate_.forward(t, gate, ctx, activation);
    const MapF value = ctx.workspace().map(x.n, x.h, x.w, hidden_);
    to_value_.forward(t, value, ctx);

    const MapF convolved = ctx.workspace().map(x.n, x.h, x.w, conv_channels_);
    const int kept = hidden_ - conv_channels_;
    conv_.forward(value.channels(kept, conv_channels_), convolved, ctx);
    const MapF last = gate.channels(kept, conv_channels_);
    backend_->multiply(last, convolved, last, ctx);
    if (kept > 0) {
      const MapF first = gate.channels(0, kept);
      backend_->multiply(first, value.channels(0, kept), first, ctx);
    }
    Epilogue epilogue;
    epilogue.scale = scale_.data();
    epilogue.residual = x;
    fc2_.forward(gate, x, ctx, epilogue);
    ctx.tap(path_, x);
  }

 private:
  GatedConvBlock(const Params& p, int dim, int hidden, int conv_channels, const MambaOutConfig& c)
      : GatedConvBlock(p, dim, hidden, conv_channels, c, {p / "fc1", dim, 2 * hidden}) {}

  // The two halves of fc1 are layers of their own, so that the gate's activation is in its store.
  GatedConvBlock(const Params& p, int dim, int hidden, int conv_channels, const MambaOutConfig& c,
                 const nn::SplitLinear& fc1)
      : path_(p.path()),
        backend_(&p.backend()),
        hidden_(hidden),
        conv_channels_(conv_channels),
        act_(c.act),
        norm_(p / "norm", dim, kEps),
        to_gate_(fc1.outputs(p, 0, hidden)),
        to_value_(fc1.outputs(p, hidden, hidden)),
        conv_(p / "conv", conv_channels, conv_channels, c.kernel_size,
              Conv2dSpec::square(1, c.kernel_size / 2, conv_channels)),
        fc2_(p / "fc2", hidden, dim) {
    if (c.layer_scale) scale_ = (p / "ls").floats("gamma", {dim});
  }

  std::string path_;
  const Backend* backend_;
  int hidden_, conv_channels_;
  Activation act_;
  nn::LayerNorm norm_;
  nn::Linear to_gate_, to_value_;
  nn::Conv2d conv_;
  nn::Linear fc2_;
  FloatBuffer scale_;
};

struct Stage {
  Stage(const Params& p, int in, int index, const MambaOutConfig& c) : path(p.path()) {
    const int dim = c.dims[index];
    if (index > 0) downsample.emplace(p / "downsample", in, dim, c.norm_first);
    blocks.reserve(static_cast<std::size_t>(c.depths[index]));
    for (int i = 0; i < c.depths[index]; ++i) blocks.emplace_back(p / "blocks" / i, dim, c);
  }

  MapF forward(MapF x, Context& ctx) const {
    if (downsample) x = downsample->forward(x, ctx);
    for (const GatedConvBlock& block : blocks) block.forward(x, ctx);
    ctx.tap(path, x);
    return x;
  }

  std::string path;
  std::optional<Downsample> downsample;
  std::vector<GatedConvBlock> blocks;
};

class MambaOut final : public Backbone {
 public:
  MambaOut(const Params& p, const MambaOutConfig& c, Size2d input_size)
      : stem_(p / "stem", c), input_size_(input_size) {
    int width = c.dims[0], stride = 4;
    for (int i = 0; i < c.dims.size(); ++i) {
      const Params stage = p / "stages" / i;
      stages_.emplace_back(stage, width, i, c);
      width = c.dims[i];
      if (i > 0) stride *= 2;
      feature_info_.push_back({width, stride, stage.path()});
    }
    head_.emplace(p / "head", width,
                  nn::HeadOptions{.classes = c.num_classes,
                                  .norm_eps = kEps,
                                  .hidden = 4 * width,
                                  .hidden_norm = c.default_head});
    smallest_ = smallest_edge([this](int edge) {
      int size = stem_.out_size(edge);
      for (const Stage& s : stages_) size = s.downsample ? s.downsample->out_size(size) : size;
      return size;
    });
  }

  std::span<const FeatureInfo> feature_info() const override { return feature_info_; }
  int num_features() const override { return feature_info_.back().channels; }
  int pooled_features() const override { return head_->features(); }
  int num_classes() const override { return head_->classes(); }
  Size2d input_size() const override { return input_size_; }
  void check_size(Size2d size) const override {
    require_size("mambaout", {smallest_, smallest_}, size);
  }

  MapF forward_features(CMapF image, Context& ctx, const FeatureSink* sink) const override {
    MapF x = stem_.forward(image, ctx);
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      x = stages_[i].forward(x, ctx);
      if (sink != nullptr) (*sink)(static_cast<int>(i), x);
    }
    return x;
  }

  void forward_head(CMapF features, bool pre_logits, MapF y, Context& ctx) const override {
    head_->forward(features, pre_logits, y, ctx);
  }

 private:
  Stem stem_;
  Size2d input_size_;
  std::vector<Stage> stages_;
  std::vector<FeatureInfo> feature_info_;
  std::optional<nn::ClassifierHead> head_;
  int smallest_ = 0;
};

struct Variant {
  std::string_view name;
  MambaOutConfig config;
  PreprocessConfig preprocess = {.crop_pct = 1.0};
};

// timm's own experiments share what is not among their sizes.
constexpr MambaOutConfig rw(const List<int>& depths, const List<int>& dims, double expansion_ratio,
                            double conv_ratio, Activation act) {
  return {.depths = depths,
          .dims = dims,
          .expansion_ratio = expansion_ratio,
          .conv_ratio = conv_ratio,
          .act = act,
          .stem_mid_norm = false,
          .norm_first = true,
          .layer_scale = true,
          .default_head = false};
}

constexpr Activation kGelu = Activation::Kind::gelu, kSilu = Activation::Kind::silu;
constexpr List<int> kDims48 = {48, 96, 192, 288}, kDims96 = {96, 192, 384, 576},
                    kDims128 = {128, 256, 512, 768};
constexpr PreprocessConfig kCrop95 = {.crop_pct = 0.95};

constexpr Variant kVariants[] = {
    {"mambaout_femto", {.dims = kDims48}},
    {"mambaout_kobe", {.depths = {3, 3, 15, 3}, .dims = kDims48}},
    {"mambaout_tiny", {}},
    {"mambaout_small", {.depths = {3, 4, 27, 3}}},
    {"mambaout_base", {.depths = {3, 4, 27, 3}, .dims = kDims128}},
    {"mambaout_small_rw", rw({3, 4, 27, 3}, kDims96, 8.0 / 3.0, 1.0, kGelu)},
    {"mambaout_base_short_rw", rw({3, 3, 25, 3}, kDims128, 3.0, 1.25, kGelu), kCrop95},
    {"mambaout_base_tall_rw", rw({3, 4, 30, 3}, kDims128, 2.5, 1.25, kGelu), kCrop95},
    {"mambaout_base_wide_rw", rw({3, 4, 27, 3}, kDims128, 3.0, 1.5, kSilu), kCrop95},
    {"mambaout_base_plus_rw", rw({3, 4, 30, 3}, kDims128, 3.0, 1.5, kSilu)},
    {"test_mambaout",
     rw({1, 1, 3, 1}, {16, 32, 48, 64}, 3.0, 1.0, kSilu),
     {.height = 160, .width = 160, .crop_pct = 1.0}},
};
constexpr auto kModels = model_table(kVariants);

// The authors' names. Their head.norm is the one after the hidden layer.
constexpr RenameRule kRenames[] = {
    {"downsample_layers.0.*", "stem.*"},
    {"downsample_layers.#.*", "stages.#.downsample.*"},
    {"stages.#.#.*", "stages.#.blocks.#.*"},
    {"norm.*", "head.norm.*"},
    {"head.fc1.*", "head.pre_logits.fc.*"},
    {"head.norm.*", "head.pre_logits.norm.*"},
    {"head.fc2.*", "head.fc.*"},
};

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  Variant v;
  if (variant >= 0) v = kVariants[variant];
  return std::make_unique<MambaOut>(p, configured(v.config, args),
                                    Size2d{v.preprocess.height, v.preprocess.width});
}

std::string rename(const std::string& name) { return rename_by_table(kRenames, name); }

}  // namespace

const ModelFamily kMambaOut = {
    .name = "mambaout",
    .description = "MambaOut (arXiv:2405.07992), after timm",
    .models = kModels,
    .make = make,
    .rename = rename,
    .canonical_tensor = "stem.conv1.weight",
};

}  // namespace fovea::models
