// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fovea/models/backbone.h"
#include "fovea/nn/conv2d.h"
#include "fovea/nn/cross_stripes.h"
#include "fovea/nn/head.h"
#include "fovea/nn/norm.h"
#include "models/attention_types.h"

// What networks on the plan of CSWin (arXiv:2107.00652) have in common, whatever mixes their
// tokens.
namespace fovea::models {

struct CswinConfig {
  int img_size = 224;
  int in_chans = 3;
  int num_classes = 1000;
  int embed_dim = 96;
  List<int> depth = {2, 2, 6, 2};
  List<int> split_size = {1, 2, 7, 7};     // widths of stripes with softmax attention
  List<int> la_split_size = {1, 2, 7, 7};  // with the family's own attention
  List<int> num_heads = {2, 4, 8, 16};
  double mlp_ratio = 4.0;
  bool qkv_bias = true;
  float qk_scale = 0.0f;  // of softmax attention; 0: 1 / sqrt(channels of a head)

  AttentionTypes types = {};  // set from the arguments, not by a variant

  static constexpr int kStages = 4;
  static constexpr float kNormEps = 1e-5f;

  int dim(int stage) const { return embed_dim << stage; }
  // The side of a stage's map, as the reference's blocks count it.
  int side(int stage) const { return img_size / (4 << stage); }
};

inline void require_cswin_stages(std::string_view name, int size) {
  if (size != CswinConfig::kStages) {
    wrong_argument(name, "a value for each of 4 stages", std::to_string(size) + " values");
  }
}

// "la_split_size": numbers with hyphens between them.
inline void read_la_split_size(const ModelArgs& args, List<int>& sizes) {
  if (!args.has("la_split_size")) return;
  std::string text;
  args.read("la_split_size", text);
  sizes.clear();
  const char* at = text.data();
  const char* const end = at + text.size();
  for (int i = 0; i < CswinConfig::kStages; ++i) {
    int size = 0;
    const auto [stop, error] = std::from_chars(at, end, size);
    const bool last = i + 1 == CswinConfig::kStages;
    if (error != std::errc() || size < 1 || (last ? stop != end : stop == end || *stop != '-')) {
      wrong_argument("la_split_size", "four numbers with hyphens between them", "\"" + text + "\"");
    }
    sizes.push_back(size);
    at = last ? stop : stop + 1;
  }
}

inline void check_cswin_config(const CswinConfig& c) {
  require_cswin_stages("depth", c.depth.size());
  require_cswin_stages("split_size", c.split_size.size());
  require_cswin_stages("num_heads", c.num_heads.size());
  // Merging rounds up where blocks round down; a stage without blocks takes what comes.
  int side = c.side(0);
  bool right = side > 0;
  for (int i = 0; i < CswinConfig::kStages && right; ++i) {
    right = c.depth[i] == 0 || side == c.side(i);
    side = conv_out_size(side, 3, 2, 1);
  }
  if (!right) {
    wrong_argument("img_size", "maps of even edges before the merging into a stage with blocks",
                   std::to_string(c.img_size));
  }
}

// The arguments that both have; `types` is what "attn_type" is by default. The size of patches is
// fixed, whatever "patch_size" says, as in the reference.
inline void read_cswin_args(const ModelArgs& args, CswinConfig& c, char linear, char softmax,
                            const std::string& types) {
  args.read("img_size", c.img_size, 1, 1 << 14);
  args.read("in_chans", c.in_chans, 1);
  args.read("num_classes", c.num_classes, 0, 1 << 20);
  args.read("embed_dim", c.embed_dim, 1);
  args.read("depth", c.depth, 0, 1024);
  args.read("split_size", c.split_size, 1);
  read_la_split_size(args, c.la_split_size);
  args.read("num_heads", c.num_heads, 1);
  args.read("mlp_ratio", c.mlp_ratio);
  args.read("qkv_bias", c.qkv_bias);
  args.read("qk_scale", c.qk_scale);
  c.types = read_attention_types(args, linear, softmax, types, CswinConfig::kStages);
  args.ignore({"patch_size", "drop_rate", "attn_drop_rate", "drop_path_rate", "hybrid_backbone",
               "use_chk"});
}

// The width of an MLP's hidden layer, truncated as the reference does it.
inline int cswin_hidden_width(const CswinConfig& c, int stage) {
  const double width = c.dim(stage) * c.mlp_ratio;
  if (!(width >= 1 && width <= 1 << 24)) {
    wrong_argument("mlp_ratio", "hidden widths from 1 to 2^24", std::to_string(width));
  }
  return static_cast<int>(width);
}

// The mixing of a block, whose parameters `block` has: one branch over the whole map in the last
// stage and where stripes are as wide as the map, else vertical and horizontal stripes of `split`
// positions with half of the channels and heads each. make_mixing(Params, channels, heads, h, w)
// mixes maps of that size.
template <class MakeMixing>
auto cswin_stripes(const Params& block, const CswinConfig& c, int stage, int split,
                   const MakeMixing& make_mixing) {
  using Mixing = decltype(make_mixing(block, 1, 1, 1, 1));
  const int side = c.side(stage), dim = c.dim(stage), heads = c.num_heads[stage];
  const bool whole = split == side || stage + 1 == CswinConfig::kStages;
  std::vector<nn::WindowedMixing<Mixing>> branches;
  const auto add = [&](int channels, int branch_heads, int h, int w) {
    const Params p = block / "attns" / static_cast<int>(branches.size());
    branches.emplace_back(p, nn::WindowDivision{side, side, h, w},
                          make_mixing(p, channels, branch_heads, h, w));
  };
  if (whole) {
    add(dim, heads, side, side);
  } else {
    if (dim % 2 != 0) wrong_argument("embed_dim", "an even number", std::to_string(c.embed_dim));
    add(dim / 2, heads / 2, side, split);
    add(dim / 2, heads / 2, split, side);
  }
  return nn::CrossStripes<Mixing>(std::move(branches));
}

// That of blocks with softmax attention.
inline auto cswin_softmax(const Params& block, const CswinConfig& c, int stage) {
  return cswin_stripes(block, c, stage, c.split_size[stage],
                       [&c](const Params& branch, int channels, int heads, int, int) {
                         return nn::LepeMixing(
                             branch, channels,
                             nn::SoftmaxMixing(branch, channels, heads, c.qk_scale));
                       });
}

// A convolution that makes a smaller map, and a norm unless that has been folded.
struct CswinMerging {
  nn::Conv2d conv;
  std::optional<nn::LayerNorm> norm;

  MapF forward(CMapF x, Context& ctx) const {
    const MapF y = conv.output_map(x, ctx);
    conv.forward(x, y, ctx);
    if (norm) norm->forward(y, y, ctx);
    return y;
  }
};

struct CswinConv {
  int in, out, kernel, stride, pad;
};

// Block has forward(x, ctx) for maps (n, h, w, c) in place, Norm forward(x, y, ctx).
template <class Block, class Norm>
class CswinNetwork final : public Backbone {
 public:
  // make_merging(Params of the convolution, of the norm, CswinConv) makes CswinMerging;
  // make_block(Params, stage, index in the stage).
  template <class MakeMerging, class MakeBlock>
  CswinNetwork(const Params& p, std::string_view family, const CswinConfig& c, Norm norm,
               const MakeMerging& make_merging, const MakeBlock& make_block)
      : family_(family),
        config_(c),
        norm_(std::move(norm)),
        head_(p, c.dim(CswinConfig::kStages - 1),
              {.classes = c.num_classes, .norm = false, .fc = "head"}) {
    for (int i = 0; i < CswinConfig::kStages; ++i) {
      const Params merging = i == 0 ? p / "stage1_conv_embed" : p / ("merge" + std::to_string(i));
      Stage& stage = stages_.emplace_back(Stage{
          merging.path(),
          i == 0 ? make_merging(merging / 0, merging / 2, CswinConv{c.in_chans, c.dim(0), 7, 4, 2})
                 : make_merging(merging / "conv", merging / "norm",
                                CswinConv{c.dim(i - 1), c.dim(i), 3, 2, 1}),
          {},
          {}});
      const Params blocks = p / ("stage" + std::to_string(i + 1));
      stage.blocks.reserve(static_cast<std::size_t>(c.depth[i]));
      for (int j = 0; j < c.depth[i]; ++j) {
        stage.blocks.push_back(make_block(blocks / j, i, j));
        stage.block_paths.push_back((blocks / j).path());
      }
      feature_info_.push_back({c.dim(i), 4 << i, blocks.path()});
    }
  }

  std::span<const FeatureInfo> feature_info() const override { return feature_info_; }
  int num_features() const override { return feature_info_.back().channels; }
  int num_classes() const override { return head_.classes(); }

  // The reference cannot take images of some sizes that it can be built for: the next that it
  // takes.
  Size2d input_size() const override {
    const int size = config_.img_size;
    return takes(size) ? Size2d{size, size} : Size2d{4 * config_.side(0), 4 * config_.side(0)};
  }

  void check_size(Size2d size) const override {
    if (!takes(size.h) || !takes(size.w)) require_built_size(family_, input_size(), size);
  }

  MapF forward_features(CMapF image, Context& ctx, const FeatureSink* sink) const override {
    MapF x;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const Stage& stage = stages_[i];
      x = stage.merging.forward(i == 0 ? image : x, ctx);
      ctx.tap(stage.merging_path, x);
      for (std::size_t j = 0; j < stage.blocks.size(); ++j) {
        stage.blocks[j].forward(x, ctx);
        ctx.tap(stage.block_paths[j], x);
      }
      if (sink != nullptr) (*sink)(static_cast<int>(i), x);
    }
    const MapF y = ctx.workspace().map_like(x);
    norm_.forward(x, y, ctx);
    ctx.tap("norm", y);
    return y;
  }

  void forward_head(CMapF features, bool pre_logits, MapF y, Context& ctx) const override {
    head_.forward(features, pre_logits, y, ctx);
  }

 private:
  // Whether the first convolution makes a map of the built size of it.
  bool takes(int edge) const { return (edge + 1) / 4 == config_.side(0); }

  struct Stage {
    std::string merging_path;
    CswinMerging merging;
    std::vector<Block> blocks;
    std::vector<std::string> block_paths;
  };

  std::string_view family_;
  CswinConfig config_;
  std::vector<Stage> stages_;
  std::vector<FeatureInfo> feature_info_;
  Norm norm_;
  nn::ClassifierHead head_;
};

}  // namespace fovea::models
