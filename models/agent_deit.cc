// SPDX-License-Identifier: Apache-2.0
//
// Agent-DeiT (arXiv:2312.08874), after the authors' code (LeapLabTHU/Agent-Attention,
// agent_transformer/models/agent_deit.py), under their names, for their checkpoints.
//
// The bias tables hold for one size of images, argument "img_size". The number of agents follows
// the depth: the four of "agent_num" are those of blocks 0-1, 2-3, 4-9 and 10-11, so that no more
// than twelve blocks can have agents; from "agent_layer" on blocks have softmax attention.
//
// Deviations: `representation_size` is refused; so is `distilled`, which fails in the reference.
#include <algorithm>
#include <memory>

#include "fovea/nn/agent_attention.h"
#include "fovea/nn/metaformer_block.h"
#include "models/agent_input.h"
#include "models/deit_network.h"
#include "models/families.h"
#include "models/norm_epsilon.h"

namespace fovea::models {
namespace {

constexpr int kAgentBlocks = 12;

struct AgentDeitConfig : VitConfig {
  List<int> agent_num = {49, 49, 49, 49};
  int agent_layer = -1;  // blocks with agents; all when it is not positive
};

struct AgentDeitVariant {
  std::string_view name;
  AgentDeitConfig config;
  PreprocessConfig preprocess;
};

constexpr AgentDeitVariant agent_deit(std::string_view name, int size, int dim, int heads,
                                      int agents = 49, int agent_layer = -1) {
  AgentDeitVariant v;
  v.name = name;
  v.config.embed_dim = dim;
  v.config.num_heads = heads;
  v.config.agent_num = {agents, agents, agents, agents};
  v.config.agent_layer = agent_layer;
  v.preprocess = agent_input(size);
  return v;
}

constexpr AgentDeitVariant kVariants[] = {
    agent_deit("agent_deit_t", 224, 192, 3),
    agent_deit("agent_deit_s", 224, 384, 6),
    agent_deit("agent_deit_b", 224, 768, 12, 81, 4),
    agent_deit("agent_deit_s_448", 448, 384, 6),
};
constexpr auto kModels = model_table(kVariants);

AgentDeitConfig configured(AgentDeitConfig c, const ModelArgs& args) {
  read_deit_args(args, c);
  args.read("agent_num", c.agent_num, 1);
  int agent_layer = c.agent_layer;
  args.read("agent_layer", agent_layer, -1, 1024);
  if (bool distilled = false; args.has("distilled")) {
    args.read("distilled", distilled);
    if (distilled) wrong_argument("distilled", "false, agents know one token only", "true");
  }
  read_norm_epsilon(args, c.norm_eps);
  args.finish("agent_deit");
  check_deit_config(c);
  if (c.img_size.h != c.img_size.w || c.patch_size.h != c.patch_size.w) {
    wrong_argument("img_size", "a square of square patches", size_string(c.img_size));
  }
  if (c.agent_num.size() != 4) {
    wrong_argument("agent_num", "four numbers", std::to_string(c.agent_num.size()));
  }
  c.agent_layer = agent_layer > 0 ? std::min(agent_layer, c.depth) : c.depth;
  if (c.agent_layer > kAgentBlocks) {
    wrong_argument("agent_layer", "at most 12 blocks with agents", std::to_string(c.agent_layer));
  }
  return c;
}

// The stage of block i, as far as the number of agents goes.
int agent_stage(int i) { return i < 4 ? i / 2 : i < 10 ? 2 : 3; }

nn::MetaFormerBlock make_block(const Params& p, const AgentDeitConfig& c, int i) {
  std::unique_ptr<const nn::Mixer> mixer;
  const Params attn = p / "attn";
  if (i < c.agent_layer) {
    const int side = c.img_size.h / c.patch_size.h;
    const nn::AgentOptions options = {.heads = c.num_heads,
                                      .agents = c.agent_num[agent_stage(i)],
                                      .h = side,
                                      .w = side,
                                      .class_token = true};
    mixer = std::make_unique<nn::AgentAttention>(attn, c.embed_dim, c.qkv_bias,
                                                 nn::AgentMixing(attn, c.embed_dim, options));
  } else {
    mixer = std::make_unique<nn::Attention>(
        attn, c.embed_dim, nn::AttentionOptions{.heads = c.num_heads, .qkv_bias = c.qkv_bias});
  }
  nn::MetaFormerOptions options;
  options.norm.eps = c.norm_eps;
  options.mlp_hidden = vit_hidden_width(c);
  options.mlp_form = nn::LinearForm::matrix;
  return nn::MetaFormerBlock(p, c.embed_dim, options, std::move(mixer));
}

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  AgentDeitConfig c;
  if (variant >= 0) {
    const AgentDeitVariant& v = kVariants[variant];
    c = v.config;
    c.img_size = {v.preprocess.height, v.preprocess.width};
  }
  c = configured(c, args);
  return std::make_unique<DeitNetwork<nn::MetaFormerBlock, nn::LayerNorm>>(
      p, "agent_deit", c, nn::LayerNorm(p / "norm", c.embed_dim, c.norm_eps),
      [&](const Params& block, int i) { return make_block(block, c, i); });
}

}  // namespace

const ModelFamily kAgentDeit = {
    .name = "agent_deit",
    .description = "Agent-DeiT (arXiv:2312.08874), after the authors",
    .models = kModels,
    .make = make,
    .takes_img_size = true,
};

}  // namespace fovea::models
