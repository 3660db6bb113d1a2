// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/models/backbone.h"
#include "fovea/nn/conv2d.h"
#include "fovea/nn/head.h"
#include "fovea/nn/norm.h"
#include "models/family_tools.h"

// What networks on the plan of PVT (arXiv:2102.12122) have in common, whatever mixes their tokens.
namespace fovea::models {

struct PvtConfig {
  int img_size = 224;
  int patch_size = 16;
  int in_chans = 3;
  int num_classes = 1000;
  List<int> embed_dims = {64, 128, 256, 512};
  List<int> num_heads = {1, 2, 4, 8};
  List<double> mlp_ratios = {4, 4, 4, 4};
  bool qkv_bias = false;
  float qk_scale = 0.0f;  // of softmax attention; 0: 1 / sqrt(channels of a head)
  List<int> depths = {3, 4, 6, 3};
  List<int> sr_ratios = {8, 4, 2, 1};  // of stages with softmax attention
  float norm_eps = 1e-5f;              // of the blocks

  // Of a stage, from the arguments of the family: how much keys and values are reduced, and
  // whether its attention has tables for the positions that a map of the built size has.
  List<int> reduction = {1, 1, 1, 1};
  List<bool> fixed = {true, true, true, true};
  // The side of a stage's map for which the positions are made.
  List<int> side = {};

  static constexpr int kStages = 4;
};

inline void read_pvt_args(const ModelArgs& args, PvtConfig& c) {
  args.read("img_size", c.img_size, 1, 1 << 14);
  args.read("patch_size", c.patch_size, 1, 1024);
  args.read("in_chans", c.in_chans, 1);
  args.read("num_classes", c.num_classes, 0, 1 << 20);
  args.read("embed_dims", c.embed_dims, 1);
  args.read("num_heads", c.num_heads, 1);
  args.read("mlp_ratios", c.mlp_ratios);
  args.read("qkv_bias", c.qkv_bias);
  args.read("qk_scale", c.qk_scale);
  args.read("depths", c.depths, 0, 1024);
  args.read("sr_ratios", c.sr_ratios, 1, 1024);
  int stages = PvtConfig::kStages;
  args.read("num_stages", stages);
  if (stages != PvtConfig::kStages) {
    wrong_argument("num_stages", "4, whose last width the head has", std::to_string(stages));
  }
  args.ignore({"drop_rate", "attn_drop_rate", "drop_path_rate"});
}

// The letter of every stage in `attn_type`, where `linear` stands for the family's own attention
// and `softmax` for PVT's, and the digits of the argument that says how much the former reduces.
inline void read_pvt_attention(const ModelArgs& args, PvtConfig& c, char linear, char softmax,
                               std::string_view ratios_name, std::string types,
                               std::string ratios) {
  args.read("attn_type", types);
  args.read(ratios_name, ratios);
  const auto count = static_cast<std::size_t>(PvtConfig::kStages);
  if (types.size() != count || types.find_first_not_of({linear, softmax}) != std::string::npos) {
    wrong_argument("attn_type", std::string("four letters ") + linear + " or " + softmax,
                   "\"" + types + "\"");
  }
  if (ratios.size() != count || ratios.find_first_not_of("123456789") != std::string::npos) {
    wrong_argument(ratios_name, "four digits from 1 to 9", "\"" + ratios + "\"");
  }
  c.reduction.clear();
  c.fixed.clear();
  for (int i = 0; i < PvtConfig::kStages; ++i) {
    const auto at = static_cast<std::size_t>(i);
    c.fixed.push_back(types[at] == linear);
    c.reduction.push_back(c.fixed[i] ? ratios[at] - '0' : c.sr_ratios[i]);
  }
}

// Whether a stage takes maps of this size.
inline bool pvt_stage_takes(const PvtConfig& c, int stage, Size2d map) {
  const int reduction = c.reduction[stage], side = c.side[stage];
  const int keys = (map.h / reduction) * (map.w / reduction);
  if (keys == 0) return false;
  if (c.fixed[stage]) {
    return map.h * map.w == side * side && keys == (side / reduction) * (side / reduction) &&
           keys == side * side / (reduction * reduction);
  }
  // Positions are not resized where the reference takes the map for the first stage's.
  return map.h * map.w != c.side[0] * c.side[0] || map.h * map.w == side * side;
}

inline bool pvt_takes(const PvtConfig& c, Size2d image) {
  for (int i = 0; i < PvtConfig::kStages; ++i) {
    const int patch = i == 0 ? c.patch_size : 2;
    image = {image.h / patch, image.w / patch};
    if (!pvt_stage_takes(c, i, image)) return false;
  }
  return true;
}

// Whether the lists have a value for every stage.
inline void check_pvt_lists(const PvtConfig& c) {
  const auto require = [](std::string_view name, int size) {
    if (size != PvtConfig::kStages) {
      wrong_argument(name, "a value for each of 4 stages", std::to_string(size) + " values");
    }
  };
  require("embed_dims", c.embed_dims.size());
  require("num_heads", c.num_heads.size());
  require("mlp_ratios", c.mlp_ratios.size());
  require("depths", c.depths.size());
  require("sr_ratios", c.sr_ratios.size());
}

// Whether the network takes the images that it is built for; the reference would fail.
inline void check_pvt_size(const PvtConfig& c) {
  if (pvt_takes(c, {c.img_size, c.img_size})) return;
  wrong_argument("img_size", "maps that divide as patch_size and the reductions want it",
                 std::to_string(c.img_size));
}

// The width of an MLP's hidden layer, truncated as the reference does it.
inline int pvt_hidden_width(const PvtConfig& c, int stage) {
  const double width = c.embed_dims[stage] * c.mlp_ratios[stage];
  if (!(width >= 1 && width <= 1 << 24)) {
    wrong_argument("mlp_ratios", "hidden widths from 1 to 2^24", std::to_string(width));
  }
  return static_cast<int>(width);
}

// What makes patches of a map.
struct PvtPatches {
  nn::Conv2d proj;
  std::optional<nn::LayerNorm> norm;
};

// Patches of a map with their positions. make_patches(Params, in, out, patch) makes PvtPatches.
class PvtEmbedding {
 public:
  template <class MakePatches>
  PvtEmbedding(const Params& p, const PvtConfig& c, int stage, const MakePatches& make_patches)
      : backend_(&p.backend()),
        side_(c.side[stage]),
        first_area_(c.side[0] * c.side[0]),
        module_("patch_embed" + std::to_string(stage + 1)),
        patches_(make_patches(p / module_, stage == 0 ? c.in_chans : c.embed_dims[stage - 1],
                              c.embed_dims[stage], stage == 0 ? c.patch_size : 2)),
        positions_(p.floats("pos_embed" + std::to_string(stage + 1),
                            {1, side_ * side_, c.embed_dims[stage]})) {}

  // In the workspace.
  MapF forward(CMapF image, Context& ctx) const {
    const MapF x = patches_.proj.output_map(image, ctx);
    patches_.proj.forward(image, x, ctx);
    if (patches_.norm) patches_.norm->forward(x, x, ctx);
    ctx.tap(module_, x);
    const Workspace::Scope scope(ctx.workspace());
    const CMapF positions = positions_for(x, ctx);
    for (int i = 0; i < x.n; ++i) {
      backend_->apply(x.image(i), {.residual = positions}, x.image(i), ctx);
    }
    return x;
  }

 private:
  CMapF positions_for(CMapF x, Context& ctx) const {
    const CMapF built(positions_.data(), 1, side_, side_, x.c);
    // The reference takes an equal area for the first stage's map, whatever its shape.
    if (x.h * x.w == first_area_) return built.reshaped(1, x.h, x.w);
    if (x.h == side_ && x.w == side_) return built;
    const MapF resized = ctx.workspace().map(1, x.h, x.w, x.c);
    backend_->resize2d(built, Interpolation::bilinear, resized, ctx);
    return resized;
  }

  const Backend* backend_;
  int side_, first_area_;  // of the map that the positions are made for; of the first stage's
  std::string module_;
  PvtPatches patches_;
  FloatBuffer positions_;
};

// Block has forward(x, ctx) for maps (n, h, w, c) in place. There is no norm after the last one.
template <class Block>
class PvtNetwork final : public Backbone {
 public:
  // make_block(Params, stage); make_patches as PvtEmbedding has it.
  template <class MakePatches, class MakeBlock>
  PvtNetwork(const Params& p, std::string_view family, const PvtConfig& c,
             const MakePatches& make_patches, const MakeBlock& make_block)
      : family_(family),
        config_(c),
        head_(p, c.embed_dims[PvtConfig::kStages - 1],
              {.classes = c.num_classes, .norm = false, .fc = "head"}) {
    int reduction = c.patch_size;
    for (int i = 0; i < PvtConfig::kStages; ++i) {
      Stage& stage = stages_.emplace_back(PvtEmbedding(p, c, i, make_patches));
      const Params blocks = p / ("block" + std::to_string(i + 1));
      stage.blocks.reserve(static_cast<std::size_t>(c.depths[i]));
      for (int j = 0; j < c.depths[i]; ++j) {
        stage.blocks.push_back(make_block(blocks / j, i));
        stage.block_paths.push_back((blocks / j).path());
      }
      feature_info_.push_back({c.embed_dims[i], reduction, blocks.path()});
      reduction *= 2;
    }
  }

  std::span<const FeatureInfo> feature_info() const override { return feature_info_; }
  int num_features() const override { return feature_info_.back().channels; }
  int num_classes() const override { return head_.classes(); }
  Size2d input_size() const override { return {config_.img_size, config_.img_size}; }
  void check_size(Size2d size) const override {
    if (!pvt_takes(config_, size)) require_built_size(family_, input_size(), size);
  }

  MapF forward_features(CMapF image, Context& ctx, const FeatureSink* sink) const override {
    MapF x;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      x = stages_[i].embedding.forward(i == 0 ? image : x, ctx);
      for (std::size_t j = 0; j < stages_[i].blocks.size(); ++j) {
        stages_[i].blocks[j].forward(x, ctx);
        ctx.tap(stages_[i].block_paths[j], x);
      }
      if (sink != nullptr) (*sink)(static_cast<int>(i), x);
    }
    return x;
  }

  void forward_head(CMapF features, bool pre_logits, MapF y, Context& ctx) const override {
    head_.forward(features, pre_logits, y, ctx);
  }

 private:
  struct Stage {
    explicit Stage(PvtEmbedding e) : embedding(std::move(e)) {}
    PvtEmbedding embedding;
    std::vector<Block> blocks;
    std::vector<std::string> block_paths;
  };

  std::string_view family_;
  PvtConfig config_;
  std::vector<Stage> stages_;
  std::vector<FeatureInfo> feature_info_;
  nn::ClassifierHead head_;
};

}  // namespace fovea::models
