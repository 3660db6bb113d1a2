// SPDX-License-Identifier: Apache-2.0
//
// Agent-PVT (arXiv:2312.08874), after the authors' code (LeapLabTHU/Agent-Attention,
// agent_transformer/models/agent_pvt.py), under their names, for their checkpoints.
//
// The bias tables hold for one size of images, argument "img_size"; where all stages have softmax
// attention ("attn_type" BBBB) positions are resized and any size goes, as in the reference. The
// norms of patches and of reduced maps have torch's epsilon, whatever "norm_layer" says of the
// others.
//
// Deviations: `num_stages` other than 4 is refused.
#include <memory>
#include <string>

#include "fovea/nn/agent_attention.h"
#include "fovea/nn/metaformer_block.h"
#include "fovea/nn/reduced_attention.h"
#include "models/agent_input.h"
#include "models/families.h"
#include "models/norm_epsilon.h"
#include "models/pvt_network.h"

namespace fovea::models {
namespace {

struct AgentPvtVariant {
  std::string_view name;
  PvtConfig config;
  PreprocessConfig preprocess;
};

constexpr AgentPvtVariant agent_pvt(std::string_view name, int size, const List<int>& depths) {
  AgentPvtVariant v;
  v.name = name;
  v.config.img_size = size;
  v.config.patch_size = 4;
  v.config.embed_dims = {64, 128, 320, 512};
  v.config.num_heads = {1, 2, 5, 8};
  v.config.mlp_ratios = {8, 8, 4, 4};
  v.config.qkv_bias = true;
  v.config.norm_eps = 1e-6f;
  v.config.depths = depths;
  v.preprocess = agent_input(size);
  return v;
}

constexpr AgentPvtVariant kVariants[] = {
    agent_pvt("agent_pvt_t", 224, {2, 2, 2, 2}),  agent_pvt("agent_pvt_s", 224, {3, 4, 6, 3}),
    agent_pvt("agent_pvt_m", 224, {3, 4, 18, 3}), agent_pvt("agent_pvt_m_256", 256, {3, 4, 18, 3}),
    agent_pvt("agent_pvt_l", 224, {3, 8, 27, 3}),
};
constexpr auto kModels = model_table(kVariants);

struct AgentPvtConfig : PvtConfig {
  List<int> agent_num = {9, 16, 49, 49};
};

AgentPvtConfig configured(const PvtConfig& variant, const ModelArgs& args) {
  AgentPvtConfig c{variant};
  read_pvt_args(args, c);
  args.read("agent_num", c.agent_num, 1, 1 << 12);
  read_norm_epsilon(args, c.norm_eps);
  check_pvt_lists(c);
  read_pvt_attention(args, c, 'A', 'B', "agent_sr_ratios", "AAAA", "1111");
  args.finish("agent_pvt");
  if (c.agent_num.size() != PvtConfig::kStages) {
    wrong_argument("agent_num", "four numbers", std::to_string(c.agent_num.size()));
  }
  c.side = {c.img_size / c.patch_size};
  for (int i = 1; i < PvtConfig::kStages; ++i) {
    c.side.push_back(c.img_size / (c.patch_size << (i - 1)) / 2);
  }
  check_pvt_size(c);
  return c;
}

std::unique_ptr<const nn::Mixer> make_mixer(const Params& p, const AgentPvtConfig& c, int stage) {
  const int dim = c.embed_dims[stage], heads = c.num_heads[stage], reduction = c.reduction[stage];
  nn::ReducedProjections parts =
      nn::reduced_projections(p, dim, reduction, kTorchNormEps, c.qkv_bias);
  if (!c.fixed[stage]) {
    return std::make_unique<nn::ReducedAttention<nn::SoftmaxMixing>>(
        p, std::move(parts), nn::SoftmaxMixing(p, dim, heads, c.qk_scale));
  }
  const nn::AgentOptions options = {.heads = heads,
                                    .agents = c.agent_num[stage],
                                    .h = c.side[stage],
                                    .w = c.side[stage],
                                    .reduction = reduction};
  return std::make_unique<nn::ReducedAttention<nn::AgentMixing>>(p, std::move(parts),
                                                                 nn::AgentMixing(p, dim, options));
}

// The norms of patches have torch's epsilon.
PvtPatches make_patches(const Params& p, int in, int out, int patch) {
  return {nn::Conv2d(p / "proj", in, out, patch, Conv2dSpec::square(patch, 0)),
          nn::LayerNorm(p / "norm", out, kTorchNormEps)};
}

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  const AgentPvtConfig c = configured(variant < 0 ? PvtConfig() : kVariants[variant].config, args);
  return std::make_unique<PvtNetwork<nn::MetaFormerBlock>>(
      p, "agent_pvt", c, make_patches, [&](const Params& block, int stage) {
        nn::MetaFormerOptions options;
        options.norm.eps = c.norm_eps;
        options.mlp_hidden = pvt_hidden_width(c, stage);
        options.mlp_form = nn::LinearForm::matrix;
        return nn::MetaFormerBlock(block, c.embed_dims[stage], options,
                                   make_mixer(block / "attn", c, stage));
      });
}

}  // namespace

const ModelFamily kAgentPvt = {
    .name = "agent_pvt",
    .description = "Agent-PVT (arXiv:2312.08874), after the authors",
    .models = kModels,
    .make = make,
    .takes_img_size = true,
};

}  // namespace fovea::models
