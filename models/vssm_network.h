// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "fovea/models/backbone.h"
#include "fovea/nn/conv2d.h"
#include "fovea/nn/head.h"
#include "fovea/nn/norm.h"
#include "fovea/nn/patch_merging.h"
#include "fovea/nn/position_embedding.h"
#include "models/family_tools.h"

// VMamba's pyramid (arXiv:2401.10166), whatever its blocks are: patch_embed, layers.#.blocks.#,
// layers.#.downsample, classifier.
namespace fovea::models {

inline constexpr float kVssmNormEps = 1e-5f;

struct VssmLayout {
  int patch_size = 4;
  int in_chans = 3;
  int num_classes = 1000;
  List<int> depths = {2, 2, 9, 2};
  List<int> dims = {96, 192, 384, 768};
  bool patch_norm = true;
  int patchembed = 1;      // 1: one convolution; 2: two overlapping ones
  int downsample = 2;      // 1: patch merging; 2: convolution 2x2; 3: convolution 3x3
  int position_grid = 0;   // side of the grid of learned positions; 0: there are none
  bool even_maps = false;  // maps must be even where they are halved
  bool residuals = false;  // the residual branches of Res-VMamba

  int stages() const { return depths.size(); }
  int stem_stride() const { return patchembed == 1 ? patch_size : patch_size / 2; }
  int reduction() const { return patchembed == 1 ? patch_size : stem_stride() * stem_stride(); }

  int stem_size(int edge) const {
    const int stride = stem_stride();
    if (patchembed == 1) return conv_out_size(edge, patch_size, stride, 0);
    return conv_out_size(conv_out_size(edge, stride + 1, stride, 1), stride + 1, stride, 1);
  }
  int halved(int edge) const {
    if (downsample == 1) return (edge + 1) / 2;
    return downsample == 2 ? edge / 2 : conv_out_size(edge, 3, 2, 1);
  }
};

// The arguments that all have: how the pyramid looks.
inline void read_vssm_layout(const ModelArgs& args, VssmLayout& l) {
  args.read("patch_size", l.patch_size, 2, 1024);
  args.read("in_chans", l.in_chans, 1);
  args.read("num_classes", l.num_classes, 0, 1 << 20);
  args.read("depths", l.depths, 0, 1024);
  args.read("dims", l.dims, 1);
  if (l.dims.size() == 1) {
    for (int i = 1; i < l.stages(); ++i) {
      if (l.dims[i - 1] > 1 << 23) wrong_argument("dims", "at most 2^24 channels", "more");
      l.dims.push_back(2 * l.dims[i - 1]);
    }
  }
  if (l.dims.size() < l.stages()) {
    wrong_argument("dims",
                   "one number or one for each of " + std::to_string(l.stages()) + " stages",
                   std::to_string(l.dims.size()) + " values");
  }
  args.read("patch_norm", l.patch_norm);
  args.ignore({"drop_path_rate", "use_checkpoint"});
}

// One of `names` by its place.
inline int read_choice(const ModelArgs& args, std::string_view name,
                       std::initializer_list<std::string_view> names, int otherwise) {
  std::string text;
  args.read(name, text);
  if (text.empty()) return otherwise;
  std::string known;
  int i = 0;
  for (const std::string_view n : names) {
    if (n == text) return i;
    known += (i++ == 0 ? "" : ", ") + std::string(n);
  }
  wrong_argument(name, "one of " + known, "\"" + text + "\"");
}

inline void read_vssm_versions(const ModelArgs& args, VssmLayout& l) {
  l.patchembed = 1 + read_choice(args, "patchembed_version", {"v1", "v2"}, l.patchembed - 1);
  l.downsample = 1 + read_choice(args, "downsample_version", {"v1", "v2", "v3"}, l.downsample - 1);
}

// Images to the first map.
class VssmStem {
 public:
  VssmStem(const Params& p, const VssmLayout& l) : path_(p.path()), backend_(&p.backend()) {
    const int stride = l.stem_stride(), dim = l.dims[0];
    if (l.patchembed == 1) {
      conv_.emplace(p / 0, l.in_chans, dim, stride, Conv2dSpec::square(stride, 0));
      if (l.patch_norm) norm_.emplace(p / 2, dim, kVssmNormEps);
      return;
    }
    const Conv2dSpec spec = Conv2dSpec::square(stride, 1);
    first_.emplace(p / 0, l.in_chans, dim / 2, stride + 1, spec);
    if (l.patch_norm) first_norm_.emplace(p / 2, dim / 2, kVssmNormEps);
    conv_.emplace(p / 5, dim / 2, dim, stride + 1, spec);
    if (l.patch_norm) norm_.emplace(p / 7, dim, kVssmNormEps);
  }

  MapF forward(CMapF image, Context& ctx) const {
    if (!first_) return finish(image, conv_->output_map(image, ctx), ctx);
    const CMapF between(nullptr, image.n, first_->out_h(image.h), first_->out_w(image.w), 0);
    const MapF y = conv_->output_map(between, ctx);
    const Workspace::Scope scope(ctx.workspace());
    const MapF x = first_->output_map(image, ctx);
    const Activation gelu = Activation::Kind::gelu;
    first_->forward(image, x, ctx, {.act = first_norm_ ? Activation() : gelu});
    if (first_norm_) {
      first_norm_->forward(x, x, ctx);
      backend_->apply(x, {.act = gelu}, x, ctx);
    }
    return finish(x, y, ctx);
  }

 private:
  MapF finish(CMapF x, MapF y, Context& ctx) const {
    conv_->forward(x, y, ctx);
    if (norm_) norm_->forward(y, y, ctx);
    ctx.tap(path_, y);
    return y;
  }

  std::string path_;
  const Backend* backend_;
  std::optional<nn::Conv2d> first_, conv_;
  std::optional<nn::LayerNorm> first_norm_, norm_;
};

// Between two stages: a patch merging, or a convolution and a norm.
class VssmDownsample {
 public:
  VssmDownsample(const Params& p, const VssmLayout& l, int stage) : path_(p.path()) {
    const int in = l.dims[stage], out = l.dims[stage + 1];
    if (l.downsample == 1) {
      merging_.emplace(p, in, out, kVssmNormEps);
      return;
    }
    const bool wide = l.downsample == 3;
    conv_.emplace(p / 1, in, out, wide ? 3 : 2, Conv2dSpec::square(2, wide ? 1 : 0));
    norm_.emplace(p / 3, out, kVssmNormEps);
  }

  MapF forward(CMapF x, Context& ctx) const {
    if (merging_) return merging_->forward(x, ctx);
    const MapF y = conv_->output_map(x, ctx);
    conv_->forward(x, y, ctx);
    norm_->forward(y, y, ctx);
    ctx.tap(path_, y);
    return y;
  }

 private:
  std::string path_;
  std::optional<nn::PatchMerging> merging_;
  std::optional<nn::Conv2d> conv_;
  std::optional<nn::LayerNorm> norm_;
};

// Learned positions, added to the first map. Checkpoints of another grid are resized at load.
class VssmPositions {
 public:
  VssmPositions(const Params& p, const VssmLayout& l) : backend_(&p.backend()) {
    const int c = l.dims[0];
    int h = l.position_grid, w = h;
    if (const auto shape = p.shape("pos_embed"); shape && shape->size() == 4) {
      if ((*shape)[1] == c && (*shape)[2] > 0 && (*shape)[3] > 0 && (*shape)[2] <= 1 << 14 &&
          (*shape)[3] <= 1 << 14) {
        h = static_cast<int>((*shape)[2]);
        w = static_cast<int>((*shape)[3]);
      }
    }
    const Tensor tensor = p.get("pos_embed", {1, c, h, w});
    if (!tensor.has_data()) return;
    const FloatBuffer planes = tensor.to_floats();
    table_ = FloatBuffer(planes.size());
    const std::size_t area = planes.size() / static_cast<std::size_t>(c);
    for (std::size_t i = 0; i < planes.size(); ++i) {
      table_[i % area * static_cast<std::size_t>(c) + i / area] = planes[i];
    }
    if (h != l.position_grid || w != l.position_grid) {
      table_ = nn::resize_grid(table_.data(), h, w, c, l.position_grid, l.position_grid, false);
    }
  }

  void add(MapF x, Context& ctx) const {
    const CMapF table(table_.data(), 1, x.h, x.w, x.c);
    for (int i = 0; i < x.n; ++i) {
      backend_->apply(x.image(i), {.residual = table}, x.image(i), ctx);
    }
  }

 private:
  const Backend* backend_;
  FloatBuffer table_;  // (grid * grid, c); empty where there are shapes only
};

// A side branch of Res-VMamba (arXiv:2402.15761): conv1x1(2x2 maxima of a stage's input), added to
// the stage's output. The released code draws the convolutions at random in every forward and
// saves them in no checkpoint: where a checkpoint lacks "res_convs.#", the branch adds nothing.
class VssmResidual {
 public:
  VssmResidual(const Params& p, int in, int out) : backend_(&p.backend()) {
    if (p.has("weight")) conv_.emplace(p, in, out, true, nn::LinearForm::conv1x1);
  }

  // The maxima of a stage's input, before its blocks overwrite it.
  MapF pool(CMapF x, Context& ctx) const {
    if (!conv_) return {};
    const MapF pooled = ctx.workspace().map(x.n, x.h / 2, x.w / 2, x.c);
    backend_->pool2d(x, Pool2dSpec::square(Pool2dSpec::Kind::max, 2, 2, 0), pooled, ctx);
    return pooled;
  }
  void add(CMapF pooled, MapF y, Context& ctx) const {
    if (conv_) conv_->forward(pooled, y, ctx, {.residual = y});
  }

 private:
  const Backend* backend_;
  std::optional<nn::Linear> conv_;
};

// Blocks have forward(x, ctx) in place and come from make_block(params, stage).
template <class Block>
class VssmNetwork final : public Backbone {
 public:
  template <class MakeBlock>
  VssmNetwork(const Params& p, std::string_view family, const VssmLayout& l, Size2d input,
              const MakeBlock& make_block)
      : family_(family), layout_(l), input_(input), stem_(p / "patch_embed", l) {
    if (l.position_grid > 0) positions_.emplace(p, l);
    for (int i = 0; i < l.stages(); ++i) {
      const Params layer = p / "layers" / i;
      Stage& s = stages_.emplace_back();
      s.path = layer.path("blocks");
      s.blocks.reserve(static_cast<std::size_t>(l.depths[i]));
      for (int j = 0; j < l.depths[i]; ++j) {
        s.blocks.push_back(make_block(layer / "blocks" / j, i));
      }
      const bool last = i + 1 == l.stages();
      if (!last) s.downsample.emplace(layer / "downsample", l, i);
      if (l.residuals && i < 3) {
        s.residual.emplace(p / "res_convs" / i, l.dims[i], l.dims[i + 1]);
      }
      const int level = l.residuals && !last ? i + 1 : i;
      feature_info_.push_back(
          {l.dims[level], l.reduction() << level, l.residuals ? layer.path() : s.path});
    }
    const int width = l.dims[l.stages() - 1];
    norm_.emplace(p / "classifier" / "norm", width, kVssmNormEps);
    head_.emplace(p / "classifier", width,
                  nn::HeadOptions{.classes = l.num_classes, .norm = false, .fc = "head"});
  }

  std::span<const FeatureInfo> feature_info() const override { return feature_info_; }
  int num_features() const override { return norm_->channels(); }
  int num_classes() const override { return head_->classes(); }
  Size2d input_size() const override { return input_; }

  void check_size(Size2d size) const override {
    const int edge = smallest_edge([&](int e) {
      e = layout_.stem_size(e);
      for (int i = 1; i < layout_.stages(); ++i)
        e = layout_.residuals && e < 2 ? 0 : layout_.halved(e);
      return e;
    });
    require_size(family_, {edge, edge}, size);
    const Size2d first = {layout_.stem_size(size.h), layout_.stem_size(size.w)};
    const int grid = layout_.position_grid;
    if (grid > 0 && !(first == Size2d{grid, grid})) {
      refuse(size, "of " + std::to_string(grid) + " x " + std::to_string(grid) +
                       " patches, for which it has positions (argument imgsize)");
    }
    // A side branch rounds halves down, a merging rounds them up.
    const int sides = layout_.residuals && layout_.downsample != 2 ? 3 : 0;
    const int even = layout_.even_maps ? layout_.stages() - 1 : sides;
    int h = first.h, w = first.w;
    for (int i = 0; i < even; ++i) {
      if (h % 2 != 0 || w % 2 != 0) refuse(size, "whose maps are even wherever they are halved");
      h /= 2;
      w /= 2;
    }
  }

  MapF forward_features(CMapF image, Context& ctx, const FeatureSink* sink) const override {
    MapF x = stem_.forward(image, ctx);
    if (positions_) positions_->add(x, ctx);
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const Stage& s = stages_[i];
      const MapF pooled = s.residual ? s.residual->pool(x, ctx) : MapF();
      for (const Block& block : s.blocks) block.forward(x, ctx);
      ctx.tap(s.path, x);
      if (sink != nullptr && !layout_.residuals) (*sink)(static_cast<int>(i), x);
      if (s.downsample) x = s.downsample->forward(x, ctx);
      if (s.residual) s.residual->add(pooled, x, ctx);
      if (sink != nullptr && layout_.residuals) (*sink)(static_cast<int>(i), x);
    }
    norm_->forward(x, x, ctx);
    ctx.tap("classifier.norm", x);
    return x;
  }

  void forward_head(CMapF features, bool pre_logits, MapF y, Context& ctx) const override {
    head_->forward(features, pre_logits, y, ctx);
  }

 private:
  struct Stage {
    std::string path;
    std::vector<Block> blocks;
    std::optional<VssmDownsample> downsample;
    std::optional<VssmResidual> residual;
  };

  [[noreturn]] void refuse(Size2d size, const std::string& wanted) const {
    throw Error(Error::Kind::argument, std::string(family_) + ": wanted an image " + wanted +
                                           ", found " + size_string(size) + " pixels");
  }

  std::string_view family_;
  VssmLayout layout_;
  Size2d input_;
  VssmStem stem_;
  std::optional<VssmPositions> positions_;
  std::vector<Stage> stages_;
  std::vector<FeatureInfo> feature_info_;
  std::optional<nn::LayerNorm> norm_;
  std::optional<nn::ClassifierHead> head_;
};

}  // namespace fovea::models
