// SPDX-License-Identifier: Apache-2.0
// Networks on the plans of Swin and CSWin with other attention: what they are told, what they bind.
#include <gtest/gtest.h>

#include <algorithm>

#include "fovea/io/hub_folder.h"
#include "models/families.h"
#include "tests/expect_error.h"
#include "tests/models/specs.h"
#include "tests/nn/blocks.h"

namespace fovea {
namespace {

using test::refuses;
using test::spec_of;

const std::string kTinySwin =
    R"({"img_size": 64, "embed_dim": 8, "depths": [3, 2], "num_heads": [1, 2], "window_size": 16,
        "mlp_ratio": 2, "num_classes": 3})";
const std::string kTinyCswin =
    R"({"img_size": 64, "embed_dim": 8, "depth": [2, 1, 1, 1], "split_size": [1, 2, 2, 2],
        "la_split_size": "16-4-4-2", "num_heads": [2, 2, 2, 2], "mlp_ratio": 2, "num_classes": 3})";
const std::string kAgents2 = R"(, "agent_num": [4, 4])",
                  kAgents4 = R"(, "agent_num": [4, 4, 4, 4])",
                  kNorm = R"(, "norm_layer": "LinearNorm")";

// Whether each block of the two first stages has a parameter, as "110 01".
std::string with(const ModelSpec& spec, const std::string& stages, const std::string& blocks,
                 const std::string& name, const std::vector<int>& depths) {
  const std::vector<ParamLog::Entry> all = list_parameters(spec);
  std::string found;
  for (std::size_t i = 0; i < depths.size(); ++i) {
    if (i > 0) found += ' ';
    for (int j = 0; j < depths[i]; ++j) {
      const std::string stage = stages + std::to_string(i + (blocks.empty() ? 1 : 0));
      const std::string wanted = stage + blocks + "." + std::to_string(j) + "." + name;
      const bool has =
          std::any_of(all.begin(), all.end(), [&](const auto& e) { return e.name == wanted; });
      found += has ? '1' : '0';
    }
  }
  return found;
}

TEST(AgentSwin, HasAgentsWhereTheTypesSay) {
  const auto agents = [](const std::string& types, const std::string& window) {
    return with(spec_of(models::kAgentSwin, kTinySwin,
                        kAgents2 + R"(, "img_size": 56, "window_size": )" + window +
                            R"(, "attn_type": ")" + types + "\""),
                "layers.", ".blocks", "attn.an_bias", {3, 2});
  };
  EXPECT_EQ(agents("AB", "14"), "111 00");
  EXPECT_EQ(agents("BA", "14"), "000 11");
  EXPECT_EQ(agents("MB2", "14"), "110 00");
  EXPECT_EQ(agents("MM1", "14"), "100 10");
  EXPECT_EQ(agents("BBBB", "14"), "000 00");  // what follows the stages' letters has no effect
}

TEST(AgentSwin, RefusesWhatTheReferenceCannotBuild) {
  const auto check = [](const std::string& more, const char* message) {
    refuses(models::kAgentSwin, kTinySwin, more, message);
  };
  check(R"(, "attn_type": "AC", "agent_num": [4, 4])",
        "argument attn_type: wanted 2 letters A, B or M");
  check(R"(, "attn_type": "A")", "argument attn_type: wanted 2 letters A, B or M");
  check(R"(, "attn_type": "MA")", "and a number where there is an M, found \"MA\"");
  check(R"(, "attn_type": "MA1x")", "and a number where there is an M, found \"MA1x\"");
  check(R"(, "agent_num": [4], "attn_type": "AA")", "argument agent_num: wanted a value for each");
  check(R"(, "num_heads": [1])", "argument num_heads: wanted a value for each of 2 stages");
  check(R"(, "agent_num": [4, 5], "attn_type": "AA")", "wanted a square number of them");
  check(R"(, "attn_type": "BB")", "argument img_size: wanted maps that windows of 7");
  check(R"(, "img_size": 36, "attn_type": "AA", "agent_num": [4, 4])",
        "wanted maps of even edges before every merging, found 36 x 36");
  check(R"(, "agents": 9, "attn_type": "AA", "agent_num": [4, 4])", "agents");
}

TEST(AgentSwin, TakesImagesOfTheSizeItIsBuiltFor) {
  const ModelSpec spec =
      spec_of(models::kAgentSwin, kTinySwin, kAgents2 + R"(, "attn_type": "AA")");
  const auto backend = make_backend("native");
  const BuiltModel model =
      build_model(spec, test::generated_weights(list_parameters(spec)), *backend);
  model.backbone->check_size({64, 64});
  expect_error(
      [&] {
        model.backbone->check_size({96, 64});
      },
      Error::Kind::argument, "agent_swin: wanted an image of 64 x 64 pixels");
}

TEST(AgentCswin, HasAgentsWhereTheTypesSay) {
  const auto agents = [](const std::string& types) {
    return with(
        spec_of(models::kAgentCswin, kTinyCswin, kAgents4 + R"(, "attn_type": ")" + types + "\""),
        "stage", "", "attns.0.an_bias", {2, 1});
  };
  EXPECT_EQ(agents("ABAA"), "11 0");
  EXPECT_EQ(agents("MABB1"), "10 1");
}

TEST(AgentCswin, RefusesWhatTheReferenceCannotBuild) {
  const auto check = [](const std::string& more, const char* message) {
    refuses(models::kAgentCswin, kTinyCswin, kAgents4 + more, message);
  };
  check(R"(, "la_split_size": "16-4-4")", "argument la_split_size: wanted four numbers with");
  check(R"(, "la_split_size": "16-4-4-2-1")", "argument la_split_size: wanted four numbers with");
  check(R"(, "la_split_size": "16-4-x-2")", "argument la_split_size: wanted four numbers with");
  check(R"(, "depth": [1, 1, 1])", "argument depth: wanted a value for each of 4 stages");
  refuses(models::kAgentCswin, kTinyCswin, R"(, "agent_num": [4])",
          "argument agent_num: wanted a value for each of 4 stages");
  check(R"(, "img_size": 72)", "argument img_size: wanted maps of even edges");
  check(R"(, "img_size": 3, "depth": [0, 0, 0, 0])", "argument img_size: wanted maps");
  check(R"(, "norm_layer": "BatchNorm")", "argument norm_layer: wanted LayerNorm or LayerNorm eps");
  check(R"(, "la_split_size": "5-4-4-2")", "windows of 16 x 5 positions do not divide a map");
  check(R"(, "num_heads": [1, 2, 2, 2], "la_split_size": "8-4-4-2")",
        "4 channels do not divide into 0 heads");
  check(R"(, "embed_dim": 7, "la_split_size": "8-4-4-2")", "argument embed_dim: wanted an even");
}

// The stem makes the same map of them.
TEST(AgentCswin, TakesImagesAFewPixelsOff) {
  for (const char* built_for : {"64", "67"}) {
    const auto backend = make_backend("native");
    const ModelSpec spec =
        spec_of(models::kAgentCswin, kTinyCswin, kAgents4 + R"(, "img_size": )" + built_for);
    const BuiltModel model = build_shape_only(spec, *backend);
    const Backbone& net = *model.backbone;
    for (const int edge : {63, 64, 65, 66}) EXPECT_NO_THROW(net.check_size({edge, 66}));
    EXPECT_NO_THROW(net.check_size(net.input_size()));
    expect_error(
        [&] {
          net.check_size({67, 64});
        },
        Error::Kind::argument, "agent_cswin: wanted an image of 64 x 64 pixels");
    expect_error([&] { net.check_size({64, 62}); }, Error::Kind::argument, "found 64 x 62");
  }
}

TEST(Slab, KnowsTheHostsOfWindowsFromTheArguments) {
  const ModelSpec swin =
      spec_of(models::kSlab, kTinySwin, kNorm + R"(, "attn_type": "MS1", "window_size": 14,
                                                      "img_size": 56)");
  EXPECT_EQ(with(swin, "layers.", ".blocks", "attn.positional_encoding", {3, 2}), "100 00");
  EXPECT_EQ(with(swin, "layers.", ".blocks", "norm1.norm2.alpha", {3, 2}), "111 11");
  const ModelSpec plain = spec_of(models::kSlab, kTinySwin, R"(, "norm_layer": "RepBN")");
  EXPECT_EQ(with(plain, "layers.", ".blocks", "attn.positional_encoding", {3, 2}), "000 00");
  EXPECT_EQ(with(plain, "layers.", ".blocks", "norm1.alpha", {3, 2}), "111 11");
  const ModelSpec folded = spec_of(models::kSlab, kTinySwin, R"(, "folded": true)");
  EXPECT_EQ(with(folded, "layers.", ".blocks", "norm1.alpha", {3, 2}), "000 00");
  EXPECT_EQ(with(folded, "layers.", ".blocks", "attn.qkv.bias", {3, 2}), "111 11");
  const ModelSpec cswin = spec_of(models::kSlab, kTinyCswin, R"(, "attn_type": "SLSS")");
  EXPECT_EQ(with(cswin, "stage", "", "attns.0.positional_encoding", {2, 1}), "00 1");
}

// A checkpoint whose norms the authors have folded needs no argument that says so.
TEST(Slab, KnowsFoldedNormsFromTheCheckpoint) {
  const ModelSpec folded =
      spec_of(models::kSlab, kTinySwin, R"(, "norm_layer": "RepBN", "folded": true)");
  const ModelSpec plain = spec_of(models::kSlab, kTinySwin, R"(, "norm_layer": "RepBN")");
  const auto backend = make_backend("native");
  const BuiltModel model =
      build_model(plain, test::generated_weights(list_parameters(folded)), *backend);
  EXPECT_EQ(model.backbone->num_classes(), 3);
}

TEST(Slab, RefusesWhatTheHostsOfWindowsCannotBuild) {
  refuses(models::kSlab, kTinySwin, "", "argument norm_layer: wanted RepBN or LinearNorm");
  refuses(models::kSlab, kTinySwin, kNorm + R"(, "attn_type": "LA")",
          "argument attn_type: wanted 2 letters L, S or M");
  refuses(models::kSlab, kTinySwin, kNorm + R"(, "kernel_size": 4)",
          "argument kernel_size: wanted an odd number, found 4");
  refuses(models::kSlab, kTinyCswin, R"(, "kernel_size": 2)",
          "argument kernel_size: wanted an odd number, found 2");
  refuses(models::kSlab, kTinyCswin, R"(, "norm_layer": "LayerNorm")",
          "argument norm_layer: wanted RepBN or LinearNorm");
}

}  // namespace
}  // namespace fovea
