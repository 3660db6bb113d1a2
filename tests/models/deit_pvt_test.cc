// SPDX-License-Identifier: Apache-2.0
// Networks on the plans of DeiT and PVT: what they are told, which images they take.
#include <gtest/gtest.h>

#include <algorithm>

#include "fovea/io/hub_folder.h"
#include "models/families.h"
#include "tests/expect_error.h"
#include "tests/models/specs.h"
#include "tests/nn/blocks.h"

namespace fovea {
namespace {

using test::ListedSource;
using test::refuses;
using test::spec_of;
using test::TestMap;

const std::string kTinyDeit =
    R"({"img_size": 56, "patch_size": 4, "embed_dim": 8, "depth": 2, "num_heads": 2,
        "num_classes": 3})";
const std::string kTinyPvt =
    R"({"img_size": 64, "patch_size": 4, "embed_dims": [8, 8, 12, 16], "num_heads": [1, 2, 2, 2],
        "mlp_ratios": [1, 2, 1, 1], "depths": [1, 0, 1, 1], "num_classes": 3})";

BuiltModel built(const ModelSpec& spec) {
  const auto backend = make_backend("native");
  return build_model(spec, test::generated_weights(list_parameters(spec)), *backend);
}

bool takes(const BuiltModel& model, Size2d size) {
  try {
    model.backbone->check_size(size);
    return true;
  } catch (const Error&) {
    return false;
  }
}

TEST(AgentDeit, RefusesWhatTheReferenceCannotBuild) {
  const auto check = [](const std::string& more, const char* message) {
    refuses(models::kAgentDeit, kTinyDeit, more, message);
  };
  check(R"(, "agent_num": [9, 9])", "argument agent_num: wanted four numbers, found 2");
  check(R"(, "agent_num": [9, 8, 9, 9], "depth": 4)", "8 agents; wanted a square number of them");
  check(R"(, "depth": 13)", "argument agent_layer: wanted at most 12 blocks with agents, found 13");
  check(R"(, "distilled": true)", "argument distilled: wanted false");
  check(R"(, "representation_size": 64)", "argument representation_size: wanted none");
  check(R"(, "img_size": [56, 28])", "argument img_size: wanted a square of square patches");
  check(R"(, "img_size": 3)", "argument img_size: wanted at least one patch, found 3 x 3");
  check(R"(, "num_heads": 3)", "8 channels do not divide into 3 heads");
  check(R"(, "agent_number": 9)", "agent_number");
}

TEST(AgentDeit, HasAsManyAgentsAsItsDepthSays) {
  const ModelSpec spec = spec_of(models::kAgentDeit, kTinyDeit,
                                 R"(, "depth": 13, "agent_num": [1, 4, 9, 16],
                                     "agent_layer": 12)");
  std::vector<std::int64_t> agents;
  for (const ParamLog::Entry& e : list_parameters(spec)) {
    if (e.name.ends_with("an_bias")) agents.push_back(e.shape[1]);
  }
  EXPECT_EQ(agents, (std::vector<std::int64_t>{1, 1, 4, 4, 9, 9, 9, 9, 9, 9, 16, 16}));
}

TEST(AgentDeit, TakesImagesOfTheSizeItIsBuiltFor) {
  const BuiltModel model = built(spec_of(models::kAgentDeit, kTinyDeit, ""));
  model.backbone->check_size({56, 56});
  expect_error(
      [&] {
        model.backbone->check_size({64, 64});
      },
      Error::Kind::argument, "agent_deit: wanted an image of 56 x 56 pixels");
}

TEST(AgentPvt, RefusesWhatTheReferenceCannotBuild) {
  const auto check = [](const std::string& more, const char* message) {
    refuses(models::kAgentPvt, kTinyPvt, more, message);
  };
  check(R"(, "attn_type": "AAAC")", "argument attn_type: wanted four letters A or B");
  check(R"(, "attn_type": "AAA")", "argument attn_type: wanted four letters A or B");
  check(R"(, "agent_sr_ratios": "1101")", "wanted four digits from 1 to 9");
  check(R"(, "agent_num": [9, 9, 9])", "argument agent_num: wanted four numbers, found 3");
  check(R"(, "num_stages": 3)", "argument num_stages: wanted 4");
  check(R"(, "num_heads": [1])", "argument num_heads: wanted a value for each of 4 stages");
  check(R"(, "norm_layer": "BatchNorm")", "wanted LayerNorm or LayerNorm eps <number>");
  check(R"(, "norm_layer": "LayerNorm eps 1e-6x")", "wanted LayerNorm or LayerNorm eps <number>");
  // 72 / 4 / 2 = 9, which does not divide by 2.
  check(R"(, "img_size": 72, "agent_sr_ratios": "1211")", "argument img_size");
  check(R"(, "img_size": 16)", "argument img_size");
}

TEST(AgentPvt, TakesOtherSizesWhereNoStageHasTables) {
  const BuiltModel fixed = built(spec_of(models::kAgentPvt, kTinyPvt, ""));
  EXPECT_TRUE(takes(fixed, {64, 64}));
  EXPECT_TRUE(takes(fixed, {32, 128}));  // as many positions in every stage
  EXPECT_FALSE(takes(fixed, {96, 96}));
  const BuiltModel any = built(spec_of(models::kAgentPvt, kTinyPvt, R"(, "attn_type": "BBBB")"));
  EXPECT_TRUE(takes(any, {64, 64}));
  EXPECT_TRUE(takes(any, {96, 160}));
  EXPECT_FALSE(takes(any, {31, 160}));  // the last map has no row
  // The second stage's map has the area of the first stage's built one, so that its positions are
  // taken as they are and do not fit.
  EXPECT_FALSE(takes(any, {128, 128}));
}

TEST(Slab, KnowsTheHostFromTheArguments) {
  const auto has = [](const ModelSpec& spec, std::string_view name) {
    const std::vector<ParamLog::Entry> all = list_parameters(spec);
    return std::any_of(all.begin(), all.end(), [&](const auto& e) { return e.name == name; });
  };
  const std::string linear = R"(, "norm_layer": "LinearNorm")",
                    plain = R"(, "norm_layer": "RepBN")";
  EXPECT_TRUE(has(spec_of(models::kSlab, kTinyPvt, linear), "block1.0.attn.positional_encoding"));
  EXPECT_TRUE(has(spec_of(models::kSlab, kTinyDeit, linear), "blocks.0.attn.positional_encoding"));
  EXPECT_FALSE(has(spec_of(models::kSlab, kTinyDeit, plain), "blocks.0.attn.positional_encoding"));
  EXPECT_TRUE(has(spec_of(models::kSlab, kTinyDeit, plain), "blocks.0.norm1.alpha"));
}

// The two DeiT forms have the same arguments.
TEST(Slab, KnowsTheAttentionOfDeitFromTheCheckpoint) {
  const ModelSpec linear = spec_of(models::kSlab, kTinyDeit, R"(, "norm_layer": "LinearNorm")");
  const auto backend = make_backend("native");
  ListedSource source, without = test::generated_weights(list_parameters(linear));
  for (const std::string& name : without.names()) {
    const bool mixing = name.find("positional_encoding") != std::string::npos ||
                        name.find(".dwc.") != std::string::npos;
    if (!mixing && name != "pos_embed") source.add(name, without.load(name));
  }
  source.add("pos_embed", test::random_tensor({1, 197, 8}, 1));
  source.add("norm.total_step", test::random_tensor({1}, 1));
  source.add("norm.norm2.bn.num_batches_tracked", test::random_tensor({1}, 1));
  const BuiltModel model = build_model(linear, source, *backend);
  Context ctx(1);
  const TestMap image(1, 56, 56, 3, 0, 1), y(1, 1, 1, 3, 0);
  const Workspace::Scope scope(ctx.workspace());
  EXPECT_EQ(model.backbone->forward_features(image, ctx, nullptr).w, 197);
}

TEST(Slab, RefusesWhatTheReferenceCannotBuild) {
  const auto deit = [](const std::string& more, const char* message) {
    refuses(models::kSlab, kTinyDeit, more, message);
  };
  const auto pvt = [](const std::string& more, const char* message) {
    refuses(models::kSlab, kTinyPvt, more, message);
  };
  const std::string linear = R"(, "norm_layer": "LinearNorm")";
  deit("", "argument norm_layer: wanted RepBN or LinearNorm, found \"\"");
  deit(R"(, "norm_layer": "LayerNorm")", "wanted RepBN or LinearNorm, found \"LayerNorm\"");
  deit(linear + R"(, "distilled": true)", "argument distilled: wanted false");
  pvt(linear + R"(, "attn_type": "LLLA")", "argument attn_type: wanted four letters L or S");
  pvt(linear + R"(, "kernel_size": 4)", "argument kernel_size: wanted an odd number, found 4");
  pvt(linear + R"(, "la_sr_ratios": "842")", "wanted four digits from 1 to 9");
  ModelSpec small = find_models("slab_deit_t").at(0);
  small.args = parse_model_args(R"({"img_size": 256})");
  expect_error([&] { list_parameters(small); }, Error::Kind::argument,
               "argument img_size: wanted 196 patches");
}

}  // namespace
}  // namespace fovea
