// SPDX-License-Identifier: Apache-2.0
//
// ConvNeXt (arXiv:2201.03545) and ConvNeXt V2 (arXiv:2301.00808), as timm has them
// (timm/models/convnext.py), under timm's names.
//
// Checkpoints: timm's, the authors' (facebookresearch/ConvNeXt and ConvNeXt-V2), those of
// transformers and torchvision.
// Any image size. Deviation: the variants with norms other than LayerNorm (convnext_*_rms) are not
// here.
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fovea/nn/activation.h"
#include "fovea/nn/conv2d.h"
#include "fovea/nn/head.h"
#include "fovea/nn/mlp.h"
#include "models/convnext_names.h"
#include "models/convnext_variants.h"
#include "models/families.h"
#include "models/family_tools.h"

namespace fovea::models {
namespace {

StemType stem_type(const std::string& name) {
  if (name == "patch") return StemType::patch;
  if (name == "overlap") return StemType::overlap;
  if (name == "overlap_tiered") return StemType::overlap_tiered;
  if (name == "overlap_act") return StemType::overlap_act;
  wrong_argument("stem_type", "patch, overlap, overlap_tiered or overlap_act", name);
}

ConvNeXtConfig configured(ConvNeXtConfig c, const ModelArgs& args) {
  read_stages(args, "depths", c.depths, "dims", c.dims);
  args.read("kernel_sizes", c.kernel_sizes, 1, 127);
  require_per_stage("kernel_sizes", c.kernel_sizes, c.dims.size());
  for (const int k : c.kernel_sizes) require_odd("kernel_sizes", k);
  if (std::string name; args.has("stem_type")) {
    args.read("stem_type", name);
    c.stem_type = stem_type(name);
  }
  args.read_presence("ls_init_value", c.layer_scale);
  args.read("conv_mlp", c.conv_mlp);
  args.read("use_grn", c.use_grn);
  args.read("head_norm_first", c.head_norm_first);
  args.read("head_hidden_size", c.head_hidden_size);
  args.read("norm_eps", c.norm_eps);
  if (args.has("head_norm_eps")) {
    float eps = 0;
    args.read("head_norm_eps", eps);
    c.head_norm_eps = eps;
  }
  if (std::string name; args.has("act_layer")) {
    args.read("act_layer", name);
    c.act = nn::activation(name);
  }
  args.read("patch_size", c.patch_size, 1, 1024);
  args.read("output_stride", c.output_stride, 8, 32);
  if (c.output_stride != 8 && c.output_stride != 16 && c.output_stride != 32) {
    wrong_argument("output_stride", "8, 16 or 32", std::to_string(c.output_stride));
  }
  args.read("conv_bias", c.conv_bias);
  args.read("in_chans", c.in_chans, 1);
  args.read("num_classes", c.num_classes, 0, 1 << 20);
  read_global_pool(args);
  std::string norm = "layernorm";
  args.read("norm_layer", norm);
  if (norm != "layernorm" && norm != "layernorm2d") {
    wrong_argument("norm_layer", "layernorm or layernorm2d", norm);
  }
  if (c.head_norm_first && c.head_hidden_size > 0) {
    wrong_argument("head_hidden_size", "none with head_norm_first",
                   std::to_string(c.head_hidden_size));
  }
  args.ignore({"head_init_scale", "drop_rate", "drop_path_rate"});
  args.finish("convnext");
  return c;
}

// Half of v, a multiple of 8 and at least nine tenths of it: the width between tiered convolutions.
int tier_width(int v) {
  const int half = v / 2;
  const int rounded = std::max(8, (half + 4) / 8 * 8);
  return rounded * 10 < half * 9 ? rounded + 8 : rounded;
}

// Either patches, or two overlapping 3x3 convolutions of stride 2 each; then a norm.
class Stem {
 public:
  Stem(const Params& p, const ConvNeXtConfig& c)
      : path_(p.path()),
        act_(c.stem_type == StemType::overlap_act ? c.act : Activation()),
        stride_(c.stem_type == StemType::patch ? c.patch_size : 4) {
    const int width = c.dims[0];
    if (c.stem_type == StemType::patch) {
      last_.emplace(p / 0, c.in_chans, width, c.patch_size, Conv2dSpec::square(c.patch_size, 0),
                    c.conv_bias);
      norm_.emplace(p / 1, width, c.norm_eps);
      return;
    }
    // Of the modules of the reference's sequence, an activation takes a number too.
    const int second = c.stem_type == StemType::overlap_act ? 2 : 1;
    const int middle = c.stem_type == StemType::overlap_tiered ? tier_width(width) : width;
    const Conv2dSpec spec = Conv2dSpec::square(2, 1);
    first_.emplace(p / 0, c.in_chans, middle, 3, spec, c.conv_bias);
    last_.emplace(p / second, middle, width, 3, spec, c.conv_bias);
    norm_.emplace(p / (second + 1), width, c.norm_eps);
  }

  int stride() const { return stride_; }
  int out_size(int in) const { return last_->out_h(first_ ? first_->out_h(in) : in); }

  MapF forward(CMapF image, Context& ctx) const {
    CMapF x = image;
    if (first_) {
      Epilogue epilogue;
      epilogue.act = act_;
      const MapF y = first_->output_map(x, ctx);
      first_->forward(x, y, ctx, epilogue);
      x = y;
    }
    const MapF y = last_->output_map(x, ctx);
    last_->forward(x, y, ctx);
    norm_->forward(y, y, ctx);
    ctx.tap(path_, y);
    return y;
  }

 private:
  std::string path_;
  Activation act_;
  int stride_;
  std::optional<nn::Conv2d> first_, last_;
  std::optional<nn::LayerNorm> norm_;
};

// x += gamma * mlp(norm(dwconv(x))); V2 has a global response norm in the MLP.
class ConvNeXtBlock {
 public:
  ConvNeXtBlock(const Params& p, int dim, int kernel, int dilation, const ConvNeXtConfig& c)
      : path_(p.path()),
        conv_dw_(p / "conv_dw", dim, dim, kernel, depthwise(dim, kernel, dilation), c.conv_bias),
        norm_(p / "norm", dim, c.norm_eps),
        act_(c.act) {
    const Params mlp = p / "mlp";
    const nn::LinearForm form = c.conv_mlp ? nn::LinearForm::conv1x1 : nn::LinearForm::matrix;
    if (c.use_grn) {
      fc1_.emplace(mlp / "fc1", dim, 4 * dim, true, form);
      grn_.emplace(mlp / "grn", 4 * dim);
      fc2_.emplace(mlp / "fc2", 4 * dim, dim, true, form);
    } else {
      mlp_.emplace(mlp, dim, 4 * dim, c.act, true, form);
    }
    if (c.layer_scale) gamma_ = p.floats("gamma", {dim});
  }

  // x (n, h, w, dim), in place.
  void forward(MapF x, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF t = ctx.workspace().map_like(x);
    conv_dw_.forward(x, t, ctx);
    norm_.forward(t, t, ctx);
    Epilogue epilogue;
    epilogue.scale = gamma_.data();
    epilogue.residual = x;
    if (mlp_) {
      mlp_->forward(t, x, ctx, epilogue);
    } else {
      const MapF hidden = ctx.workspace().map(x.n, x.h, x.w, fc1_->out());
      Epilogue first;
      first.act = act_;
      fc1_->forward(t, hidden, ctx, first);
      grn_->forward(hidden, hidden, ctx);
      fc2_->forward(hidden, x, ctx, epilogue);
    }
    ctx.tap(path_, x);
  }

 private:
  static Conv2dSpec depthwise(int dim, int kernel, int dilation) {
    const int pad = dilation * (kernel - 1) / 2;
    return {1, 1, pad, pad, dilation, dilation, dim};
  }

  std::string path_;
  nn::Conv2d conv_dw_;
  nn::LayerNorm norm_;
  Activation act_;
  std::optional<nn::Mlp> mlp_;
  std::optional<nn::Linear> fc1_, fc2_;
  std::optional<nn::GlobalResponseNorm> grn_;
  FloatBuffer gamma_;
};

// How a stage begins: with stride 2, or, once the output stride is reached, with dilation.
struct StageGeometry {
  int stride = 1;
  int dilation = 1;        // of the downsampling convolution
  int block_dilation = 1;  // of the blocks

  bool dense_kernel() const { return stride > 1 || dilation != block_dilation; }
};

// Norm, then a convolution: 2x2, or 1x1 where only the width changes.
class Downsample {
 public:
  Downsample(const Params& p, int in, int out, const StageGeometry& g, const ConvNeXtConfig& c)
      : path_(p.path()),
        // A dilated stage keeps its size: the reference pads the 2x2 window, one more at the end
        // than at the beginning when the sum is odd. Padding is symmetric here, and the surplus
        // first line and column are cut off afterwards.
        crop_(g.dense_kernel() && g.stride == 1 && g.dilation == 1),
        norm_(p / 0, in, c.norm_eps),
        conv_(p / 1, in, out, g.dense_kernel() ? 2 : 1, spec(g), c.conv_bias),
        backend_(&p.backend()) {}

  int out_size(int in) const { return conv_.out_h(in) - (crop_ ? 1 : 0); }

  // Overwrites x with its norm.
  MapF forward(MapF x, Context& ctx) const {
    norm_.forward(x, x, ctx);
    MapF y = conv_.output_map(x, ctx);
    conv_.forward(x, y, ctx);
    if (crop_) y = cropped(y, ctx);
    ctx.tap(path_, y);
    return y;
  }

 private:
  static Conv2dSpec spec(const StageGeometry& g) {
    const int pad = g.dense_kernel() && g.stride == 1 ? (g.dilation + 1) / 2 : 0;
    return {g.stride, g.stride, pad, pad, g.dilation, g.dilation, 1};
  }

  MapF cropped(CMapF x, Context& ctx) const {
    const MapF y = ctx.workspace().map(x.n, x.h - 1, x.w - 1, x.c);
    for (int n = 0; n < y.n; ++n) {
      for (int h = 0; h < y.h; ++h) {
        const CMapF from(x.pixel(n, h + 1, 1), 1, 1, y.w, x.c, x.ld);
        backend_->apply(from, {}, MapF(y.pixel(n, h, 0), 1, 1, y.w, y.c, y.ld), ctx);
      }
    }
    return y;
  }

  std::string path_;
  bool crop_;
  nn::LayerNorm norm_;
  nn::Conv2d conv_;
  const Backend* backend_;
};

class ConvNeXtStage {
 public:
  ConvNeXtStage(const Params& p, int in, int index, const StageGeometry& g, const ConvNeXtConfig& c)
      : path_(p.path()) {
    const int dim = c.dims[index];
    if (in != dim || g.dense_kernel()) downsample_.emplace(p / "downsample", in, dim, g, c);
    const int depth = c.depths[index];
    blocks_.reserve(static_cast<std::size_t>(depth));
    for (int i = 0; i < depth; ++i) {
      blocks_.emplace_back(p / "blocks" / i, dim, per_stage(c.kernel_sizes, index),
                           g.block_dilation, c);
    }
  }

  int out_size(int in) const { return downsample_ ? downsample_->out_size(in) : in; }

  MapF forward(MapF x, Context& ctx) const {
    if (downsample_) x = downsample_->forward(x, ctx);
    for (const ConvNeXtBlock& block : blocks_) block.forward(x, ctx);
    ctx.tap(path_, x);
    return x;
  }

 private:
  std::string path_;
  std::optional<Downsample> downsample_;
  std::vector<ConvNeXtBlock> blocks_;
};

class ConvNeXt final : public Backbone {
 public:
  ConvNeXt(const Params& p, const ConvNeXtConfig& c, Size2d input_size)
      : stem_(p / "stem", c), input_size_(input_size) {
    int width = c.dims[0], stride = stem_.stride(), dilation = 1;
    for (int i = 0; i < c.dims.size(); ++i) {
      StageGeometry g;
      g.stride = stride == 2 || i > 0 ? 2 : 1;
      if (g.stride > 1 && stride >= c.output_stride) {
        dilation *= g.stride;
        g.stride = 1;
      }
      stride *= g.stride;
      g.dilation = dilation <= 2 ? 1 : 2;
      g.block_dilation = dilation;
      const Params stage = p / "stages" / i;
      stages_.emplace_back(stage, width, i, g, c);
      width = c.dims[i];
      feature_info_.push_back({width, stride, stage.path()});
    }
    if (c.head_norm_first) norm_pre_.emplace(p / "norm_pre", width, c.norm_eps);
    head_.emplace(p / "head", width,
                  nn::HeadOptions{.classes = c.num_classes,
                                  .norm = !c.head_norm_first,
                                  .norm_eps = c.head_norm_eps.value_or(c.norm_eps),
                                  .hidden = c.head_hidden_size});
    smallest_ = smallest_edge([this](int edge) {
      int size = stem_.out_size(edge);
      for (const ConvNeXtStage& stage : stages_) size = size > 0 ? stage.out_size(size) : 0;
      return size;
    });
  }

  std::span<const FeatureInfo> feature_info() const override { return feature_info_; }
  int num_features() const override { return feature_info_.back().channels; }
  int pooled_features() const override { return head_->features(); }
  int num_classes() const override { return head_->classes(); }
  Size2d input_size() const override { return input_size_; }
  void check_size(Size2d size) const override {
    require_size("convnext", {smallest_, smallest_}, size);
  }

  MapF forward_features(CMapF image, Context& ctx, const FeatureSink* sink) const override {
    MapF x = stem_.forward(image, ctx);
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      x = stages_[i].forward(x, ctx);
      if (sink != nullptr) (*sink)(static_cast<int>(i), x);
    }
    if (norm_pre_) norm_pre_->forward(x, x, ctx);
    return x;
  }

  void forward_head(CMapF features, bool pre_logits, MapF y, Context& ctx) const override {
    head_->forward(features, pre_logits, y, ctx);
  }

 private:
  Stem stem_;
  Size2d input_size_;
  std::vector<ConvNeXtStage> stages_;
  std::vector<FeatureInfo> feature_info_;
  std::optional<nn::LayerNorm> norm_pre_;
  std::optional<nn::ClassifierHead> head_;
  int smallest_ = 0;
};

constexpr auto kModels = model_table(convnext::kVariants);
constexpr auto kTorchvisionModels = model_table(convnext::kTorchvision);

std::unique_ptr<Backbone> make(const Params& p, const convnext::Variant& v, const ModelArgs& args) {
  return std::make_unique<ConvNeXt>(p, configured(v.config, args),
                                    Size2d{v.preprocess.height, v.preprocess.width});
}

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  return make(p, variant >= 0 ? convnext::kVariants[variant] : convnext::Variant(), args);
}

std::unique_ptr<Backbone> make_torchvision(const Params& p, int variant, const ModelArgs& args) {
  return make(p, variant >= 0 ? convnext::kTorchvision[variant] : convnext::Variant(), args);
}

std::string rename(const std::string& name) {
  return rename_by_table(convnext::kRenames, without_prefix(name, {"convnext.", "convnextv2."}));
}

std::string rename_torchvision(const std::string& name) {
  return rename_by_table(convnext::kTorchvisionBlock,
                         rename_by_table(convnext::kTorchvisionRenames, name));
}

}  // namespace

const ModelFamily kConvNeXt = {
    .name = "convnext",
    .description = "ConvNeXt (arXiv:2201.03545) and ConvNeXt V2 (arXiv:2301.00808), after timm",
    .models = kModels,
    .make = make,
    .rename = rename,
};

const ModelFamily kConvNeXtTorchvision = {
    .name = "convnext_torchvision",
    .description = "ConvNeXt (arXiv:2201.03545), the checkpoints of torchvision",
    .models = kTorchvisionModels,
    .make = make_torchvision,
    .rename = rename_torchvision,
};

}  // namespace fovea::models
