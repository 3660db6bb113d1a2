// SPDX-License-Identifier: Apache-2.0
#include "fovea/models/registry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "fovea/core/param_sources.h"
#include "fovea/core/wildcard.h"
#include "fovea/io/hub_folder.h"
#include "tests/expect_error.h"

namespace fovea {
namespace {

using testing::AllOf;
using testing::HasSubstr;

ModelSpec tiny_vit() {
  ModelSpec spec = find_models("vit_tiny_patch16_224").at(0);
  spec.args = parse_model_args(
      R"({"img_size": 16, "patch_size": 8, "embed_dim": 8, "depth": 1, "num_heads": 2,
          "num_classes": 3})");
  return spec;
}

GeneratedSource weights_of(const ModelSpec& spec) {
  GeneratedSource source;
  for (const ParamLog::Entry& e : list_parameters(spec)) source.add(e.name, e.shape, -0.1, 0.1);
  return source;
}

std::string build_message(const ModelSpec& spec, const ParamSource& source) {
  try {
    build_model(spec, source, *make_backend("reference"));
  } catch (const Error& e) {
    EXPECT_EQ(e.kind(), Error::Kind::file);
    return e.what();
  }
  ADD_FAILURE() << "no error";
  return "";
}

TEST(Registry, NamesAreUniqueWithinAFamily) {
  for (const ModelFamily* family : model_families()) {
    std::set<std::string_view> names;
    for (const ModelInfo& info : family->models) {
      EXPECT_TRUE(names.insert(info.name).second) << info.name;
    }
    EXPECT_FALSE(names.empty()) << family->name;
  }
}

TEST(Registry, EveryNetworkCanBeListedAndWalkedWithoutWeights) {
  const auto backend = make_backend("reference");
  for (const NamedModel& model : list_models()) {
    const BuiltModel built = build_shape_only({model.family, model.info, {}}, *backend);
    EXPECT_GT(built.parameters, 100'000) << model.info->name;
    Context ctx(1);
    ctx.set_dry_run(true);
    const Size2d size = built.backbone->input_size();
    std::size_t levels = 0;
    built.backbone->features(
        MapF(nullptr, 1, size.h, size.w, 3),
        [&](int level, CMapF map) {
          ASSERT_LT(static_cast<std::size_t>(level), built.backbone->feature_info().size());
          const FeatureInfo& info = built.backbone->feature_info()[static_cast<std::size_t>(level)];
          EXPECT_EQ(map.c, info.channels) << model.info->name << " level " << level;
          EXPECT_LT(std::abs(map.h * info.reduction - size.h), info.reduction) << model.info->name;
          ++levels;
        },
        ctx);
    EXPECT_EQ(levels, built.backbone->feature_info().size()) << model.info->name;
    EXPECT_GT(ctx.macs(), 10'000'000) << model.info->name;
  }
}

TEST(Registry, AnUnknownNameSuggestsTheNearest) {
  expect_error([] { find_models("swin_tiny_patch4_windw7_224"); }, Error::Kind::argument,
               "unknown architecture \"swin_tiny_patch4_windw7_224\"; the nearest names are "
               "swin_tiny_patch4_window7_224");
}

TEST(Registry, TheBeginningOfANameCountsForASuggestion) {
  expect_error([] { find_models("swn_tiny"); }, Error::Kind::argument,
               "the nearest names are swin_tiny_patch4_window7_224");
}

TEST(Registry, ATagAfterTheNameIsAccepted) {
  EXPECT_EQ(find_models("swin_tiny_patch4_window7_224.ms_in1k").at(0).info->name,
            "swin_tiny_patch4_window7_224");
}

TEST(Registry, TheAuthorsPoolFormerIsASecondCandidate) {
  const std::vector<ModelSpec> candidates = find_models("poolformer_s12");
  ASSERT_EQ(candidates.size(), 2u);
  EXPECT_EQ(candidates[0].family->name, "metaformer");
  EXPECT_EQ(candidates[1].family->name, "poolformer");
}

// The names of torchvision are no longer than a file's own: written out from its modules.
TEST(Registry, TorchvisionsNamesAreToldFromTimms) {
  const std::vector<ModelSpec> candidates = find_models("convnext_tiny");
  ASSERT_EQ(candidates.size(), 2u);
  GeneratedSource theirs;
  for (const char* name :
       {"features.0.0.weight", "features.0.1.weight", "features.1.0.block.0.bias",
        "features.1.0.layer_scale", "features.2.1.weight", "classifier.2.bias"}) {
    theirs.add(name, {1}, 0, 1);
  }
  EXPECT_EQ(best_fit(candidates, theirs).family->name, "convnext_torchvision");
  EXPECT_EQ(best_fit(candidates, weights_of(candidates[0])).family->name, "convnext");
}

TEST(Registry, TheTensorNamesDecideBetweenCandidates) {
  const std::vector<ModelSpec> candidates = find_models("poolformer_s12");
  for (const ModelSpec& spec : candidates) {
    EXPECT_EQ(best_fit(candidates, weights_of(spec)).family, spec.family);
  }
}

TEST(Registry, UnknownFamiliesNameTheKnownOnes) {
  expect_error([] { find_family("swim"); }, Error::Kind::argument,
               "unknown family \"swim\"; the known ones are vit, swin");
}

TEST(Registry, ACompleteCheckpointBuilds) {
  const ModelSpec spec = tiny_vit();
  const BuiltModel built = build_model(spec, weights_of(spec), *make_backend("reference"));
  EXPECT_EQ(built.backbone->num_classes(), 3);
  EXPECT_GT(built.packed_bytes, 0u);
}

TEST(Registry, EverythingWrongWithACheckpointStandsInOneMessage) {
  const ModelSpec spec = tiny_vit();
  GeneratedSource source;
  for (const ParamLog::Entry& e : list_parameters(spec)) {
    if (e.name == "norm.weight" || e.name == "blocks.0.mlp.fc1.bias") continue;
    source.add(e.name, e.name == "head.weight" ? Shape{1000, 8} : e.shape, 0, 1);
  }
  source.add("head_dist.weight", {3, 8}, 0, 1);
  EXPECT_THAT(
      build_message(spec, source),
      AllOf(HasSubstr("does not fit vit_tiny_patch16_224 (4 tensors):"),
            HasSubstr("missing norm.weight [8]"), HasSubstr("missing blocks.0.mlp.fc1.bias [32]"),
            HasSubstr("head.weight: wanted [3, 8], found [1000, 8]"),
            HasSubstr("superfluous head_dist.weight [3, 8]")));
}

TEST(Registry, BuffersThatTheCallerNamesAreAccepted) {
  const ModelSpec spec = tiny_vit();
  GeneratedSource source = weights_of(spec);
  source.add("some.buffer", {2}, 0, 1);
  const std::vector<std::string> accept{"some.buffer"};
  EXPECT_NO_THROW(build_model(spec, source, *make_backend("reference"), accept));
  EXPECT_THAT(build_message(spec, source), HasSubstr("superfluous some.buffer [2]"));
}

TEST(Registry, WhatPyTorchCountsForBatchNormsIsNotATensorOfTheNetwork) {
  const ModelSpec spec = tiny_vit();
  GeneratedSource source = weights_of(spec);
  source.add("blocks.0.norm1.num_batches_tracked", {}, 0, 1);
  EXPECT_NO_THROW(build_model(spec, source, *make_backend("reference")));
}

TEST(Wildcard, StarsAndQuestionMarks) {
  EXPECT_TRUE(matches_wildcard("*", ""));
  EXPECT_TRUE(matches_wildcard("swin*224", "swin_tiny_224"));
  EXPECT_TRUE(matches_wildcard("s?in*", "swin"));
  EXPECT_FALSE(matches_wildcard("swin", "swinv2"));
  EXPECT_FALSE(matches_wildcard("?", ""));
  EXPECT_TRUE(matches_wildcard("*a*b*c*", "xxaxxbxxcxx"));
  EXPECT_FALSE(matches_wildcard("*a*b*c*", "xxaxxcxxbxx"));
}

}  // namespace
}  // namespace fovea
