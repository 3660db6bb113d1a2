// SPDX-License-Identifier: Apache-2.0
//
// Agent-Swin (arXiv:2312.08874), after the authors' code (LeapLabTHU/Agent-Attention,
// agent_transformer/models/agent_swin.py), under their names, for their checkpoints.
//
// Blocks with agents have windows of "window_size" positions, in the published networks the whole
// map; the others have windows of an eighth of that, 7 at least. Where windows with agents are
// smaller than the map they are shifted as Swin's are, but tokens that the shift brings together
// are not kept apart, as in the reference. Merging and norms have torch's epsilon.
#include <algorithm>
#include <memory>

#include "fovea/nn/agent_attention.h"
#include "fovea/nn/metaformer_block.h"
#include "models/agent_input.h"
#include "models/families.h"
#include "models/norm_epsilon.h"
#include "models/swin_host.h"

namespace fovea::models {
namespace {

struct AgentSwinVariant {
  std::string_view name;
  SwinConfig config;
  std::string_view attn_type;
  PreprocessConfig preprocess;
};

constexpr SwinConfig agent_swin(int size, int embed_dim, int third_depth,
                                const List<int>& num_heads) {
  SwinConfig c;
  c.img_size = {size, size};
  c.embed_dim = embed_dim;
  c.depths = {2, 2, third_depth, 2};
  c.num_heads = num_heads;
  c.window_size = {size / 4};
  return c;
}

constexpr List<int> kHeads3 = {3, 6, 12, 24}, kHeads4 = {4, 8, 16, 32};

constexpr AgentSwinVariant kVariants[] = {
    {"agent_swin_t", agent_swin(224, 96, 6, kHeads3), "AAAB", agent_input(224)},
    {"agent_swin_s", agent_swin(224, 96, 18, kHeads3), "AABB", agent_input(224)},
    {"agent_swin_s_288", agent_swin(288, 96, 18, kHeads3), "AABB", agent_whole_input(288)},
    {"agent_swin_b", agent_swin(224, 128, 18, kHeads4), "AAMB2", agent_input(224)},
    {"agent_swin_b_384", agent_swin(384, 128, 18, kHeads4), "AAMB2", agent_whole_input(384)},
};
constexpr auto kModels = model_table(kVariants);

struct AgentSwinConfig : SwinHostConfig {
  List<int> agent_num = {9, 16, 49, 49};
};

AgentSwinConfig configured(int variant, const ModelArgs& args) {
  AgentSwinConfig c;
  std::string types = "BBBB";
  if (variant >= 0) {
    static_cast<SwinConfig&>(c) = kVariants[variant].config;
    c.plain_head = true;
    types = kVariants[variant].attn_type;
  }
  read_swin_host_args(args, c);
  args.read("agent_num", c.agent_num, 1, 1 << 12);
  read_norm_epsilon(args, c.norm_eps);
  c.types = read_attention_types(args, 'A', 'B', types, c.stages());
  args.finish("agent_swin");
  check_swin_host_config(c);
  if (c.agent_num.size() < c.stages()) {
    wrong_argument("agent_num", "a value for each of " + std::to_string(c.stages()) + " stages",
                   std::to_string(c.agent_num.size()));
  }
  return c;
}

std::unique_ptr<const nn::Mixer> make_mixer(const Params& p, const AgentSwinConfig& c, int stage,
                                            int index) {
  const int dim = c.dim(stage), size = c.window_size[0];
  const bool agents = c.types.is_linear(stage, index);
  const nn::WindowOptions o =
      swin_host_window(c, stage, index, agents ? size : std::max(7, size / 8));
  if (!agents) return std::make_unique<nn::WindowAttention>(p, dim, o);
  using Mixing = nn::WindowedMixing<nn::AgentMixing>;
  const nn::AgentOptions options = {
      .heads = o.heads, .agents = c.agent_num[stage], .h = o.window_h, .w = o.window_w};
  return std::make_unique<nn::SelfAttention<Mixing>>(
      p, dim, c.qkv_bias, Mixing(p, swin_division(c, stage, o), nn::AgentMixing(p, dim, options)));
}

using AgentSwin = SwinNetwork<nn::MetaFormerBlock, nn::PatchMerging>;

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  const AgentSwinConfig c = configured(variant, args);
  return std::make_unique<AgentSwin>(p, "agent_swin", c, AgentSwin::layer_norm_parts(p, c),
                                     [&](const Params& block, int stage, int index) {
                                       nn::MetaFormerOptions options;
                                       options.norm.eps = c.norm_eps;
                                       options.mlp_hidden = swin_hidden_width(c, stage);
                                       options.mlp_form = nn::LinearForm::matrix;
                                       return nn::MetaFormerBlock(
                                           block, c.dim(stage), options,
                                           make_mixer(block / "attn", c, stage, index));
                                     });
}

// Buffers that are derived.
constexpr RenameRule kRenames[] = {
    {"layers.#.blocks.#.attn_mask", ""},
    {"layers.#.blocks.#.attn.relative_position_index", ""},
};

std::string rename(const std::string& name) { return rename_by_table(kRenames, name); }

}  // namespace

const ModelFamily kAgentSwin = {
    .name = "agent_swin",
    .description = "Agent-Swin (arXiv:2312.08874), after the authors",
    .models = kModels,
    .make = make,
    .rename = rename,
    .takes_img_size = true,
};

}  // namespace fovea::models
