// SPDX-License-Identifier: Apache-2.0
//
// Agent-CSWin (arXiv:2312.08874), after the authors' code (LeapLabTHU/Agent-Attention,
// agent_transformer/models/agent_cswin.py), under their names, for their checkpoints.
//
// Blocks with agents have stripes as wide as "la_split_size" says, in the published networks the
// whole map. "norm_layer" says nothing of the norms after convolutions, as in the reference.
#include <memory>

#include "fovea/nn/agent_attention.h"
#include "fovea/nn/metaformer_block.h"
#include "models/agent_input.h"
#include "models/cswin_network.h"
#include "models/families.h"
#include "models/norm_epsilon.h"

namespace fovea::models {
namespace {

// What the table of a variant needs; CswinConfig has words, which no constant can have.
struct AgentCswinVariant {
  std::string_view name;
  int embed_dim;
  List<int> depth, num_heads;
  PreprocessConfig preprocess;
  struct {
    int num_classes = 1000;
  } config = {};
};

constexpr List<int> kDepthT = {2, 4, 18, 1}, kDepthS = {3, 6, 29, 2};
constexpr List<int> kHeads2 = {2, 4, 8, 16}, kHeads4 = {4, 8, 16, 32};

constexpr AgentCswinVariant kVariants[] = {
    {"agent_cswin_t", 64, kDepthT, kHeads2, agent_input(224)},
    {"agent_cswin_s", 64, kDepthS, kHeads2, agent_input(224)},
    {"agent_cswin_b", 96, kDepthS, kHeads4, agent_input(224)},
    {"agent_cswin_b_384", 96, kDepthS, kHeads4, agent_input(384)},
};
constexpr auto kModels = model_table(kVariants);

struct AgentCswinConfig : CswinConfig {
  List<int> agent_num = {9, 16, 49, 49};
  float norm_eps = kNormEps;  // of blocks, and of the last norm
};

AgentCswinConfig configured(int variant, const ModelArgs& args) {
  AgentCswinConfig c;
  if (variant >= 0) {
    const AgentCswinVariant& v = kVariants[variant];
    const int size = v.preprocess.height;
    c.img_size = size;
    c.embed_dim = v.embed_dim;
    c.depth = v.depth;
    c.num_heads = v.num_heads;
    c.split_size = {1, 2, size / 32, size / 32};
    c.la_split_size = {size / 4, size / 8, size / 16, size / 32};
  }
  read_cswin_args(args, c, 'A', 'B', variant < 0 ? "AAAA" : "AABB");
  args.read("agent_num", c.agent_num, 1, 1 << 12);
  read_norm_epsilon(args, c.norm_eps);
  args.finish("agent_cswin");
  check_cswin_config(c);
  require_cswin_stages("agent_num", c.agent_num.size());
  return c;
}

template <class Stripes>
std::unique_ptr<const nn::Mixer> mixer(const Params& p, const AgentCswinConfig& c, int dim,
                                       Stripes stripes) {
  return std::make_unique<nn::SelfAttention<Stripes>>(p, dim, c.qkv_bias, std::move(stripes));
}

std::unique_ptr<const nn::Mixer> make_mixer(const Params& p, const AgentCswinConfig& c, int stage,
                                            int index) {
  const int dim = c.dim(stage);
  if (!c.types.is_linear(stage, index)) return mixer(p, c, dim, cswin_softmax(p, c, stage));
  const auto agents = [&](const Params& branch, int channels, int heads, int h, int w) {
    const nn::AgentOptions options = {
        .heads = heads, .agents = c.agent_num[stage], .h = h, .w = w, .conv = "get_v"};
    return nn::AgentMixing(branch, channels, options);
  };
  return mixer(p, c, dim, cswin_stripes(p, c, stage, c.la_split_size[stage], agents));
}

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  const AgentCswinConfig c = configured(variant, args);
  return std::make_unique<CswinNetwork<nn::MetaFormerBlock, nn::LayerNorm>>(
      p, "agent_cswin", c, nn::LayerNorm(p / "norm", c.dim(CswinConfig::kStages - 1), c.norm_eps),
      [](const Params& conv, const Params& norm, const CswinConv& o) {
        return CswinMerging{
            nn::Conv2d(conv, o.in, o.out, o.kernel, Conv2dSpec::square(o.stride, o.pad)),
            nn::LayerNorm(norm, o.out, CswinConfig::kNormEps)};
      },
      [&](const Params& block, int stage, int index) {
        nn::MetaFormerOptions options;
        options.norm.eps = c.norm_eps;
        options.mlp_hidden = cswin_hidden_width(c, stage);
        options.mlp_form = nn::LinearForm::matrix;
        return nn::MetaFormerBlock(block, c.dim(stage), options,
                                   make_mixer(block, c, stage, index));
      });
}

}  // namespace

const ModelFamily kAgentCswin = {
    .name = "agent_cswin",
    .description = "Agent-CSWin (arXiv:2312.08874), after the authors",
    .models = kModels,
    .make = make,
    .takes_img_size = true,
};

}  // namespace fovea::models
