// SPDX-License-Identifier: Apache-2.0
//
// Checkpoints under their authors' names: ConvNeXt, MambaOut, MetaFormer.
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "fovea/core/param_sources.h"
#include "fovea/io/hub_folder.h"
#include "fovea/models/registry.h"

namespace fovea {
namespace {

using Names = std::vector<std::pair<std::string, std::string>>;  // (authors', ours)

void expect_renamed(std::string_view family, const Names& names) {
  const ModelFamily& f = find_family(family);
  ASSERT_NE(f.rename, nullptr);
  for (const auto& [authors, ours] : names) EXPECT_EQ(f.rename(authors), ours);
}

ModelSpec small(std::string_view name, const char* args) {
  ModelSpec spec = find_models(name).at(0);
  spec.args = parse_model_args(args);
  return spec;
}

// Replaces the first of the prefixes on the right by the one on its left.
std::string authors_name(const Names& prefixes, const std::string& ours) {
  for (const auto& [to, from] : prefixes) {
    if (ours.starts_with(from)) return to + ours.substr(from.size());
  }
  return ours;
}

// Every parameter of the network under the authors' names loads, and loads once only.
void expect_loads(const ModelSpec& spec, const Names& prefixes,
                  Shape (*reshape)(const std::string&, Shape)) {
  GeneratedSource authors, ours;
  std::int64_t numbers = 0;
  for (const ParamLog::Entry& e : list_parameters(spec)) {
    const std::string name = authors_name(prefixes, e.name);
    authors.add(name, reshape(name, e.shape), -0.1, 0.1);
    ours.add(e.name, e.shape, -0.1, 0.1);
    numbers += numel(e.shape);
  }
  const auto backend = make_backend("reference");
  EXPECT_EQ(build_model(spec, authors, *backend).parameters, numbers);
  EXPECT_EQ(build_model(spec, ours, *backend).parameters, numbers);
}

Shape as_it_is(const std::string&, Shape shape) { return shape; }

constexpr const char* kTwoStages = R"({"depths": [1, 1], "dims": [8, 16], "num_classes": 3})";

TEST(ConvNeXtNames, OfTheAuthorsBecomeOurs) {
  expect_renamed("convnext", {{"downsample_layers.0.1.bias", "stem.1.bias"},
                              {"downsample_layers.3.0.weight", "stages.3.downsample.0.weight"},
                              {"stages.2.11.dwconv.weight", "stages.2.blocks.11.conv_dw.weight"},
                              {"stages.2.11.norm.weight", "stages.2.blocks.11.norm.weight"},
                              {"stages.2.11.pwconv1.bias", "stages.2.blocks.11.mlp.fc1.bias"},
                              {"stages.2.11.pwconv2.bias", "stages.2.blocks.11.mlp.fc2.bias"},
                              {"stages.2.11.grn.gamma", "stages.2.blocks.11.mlp.grn.weight"},
                              {"stages.2.11.grn.beta", "stages.2.blocks.11.mlp.grn.bias"},
                              {"stages.2.11.gamma", "stages.2.blocks.11.gamma"},
                              {"norm.weight", "head.norm.weight"},
                              {"head.weight", "head.fc.weight"}});
}

TEST(ConvNeXtNames, OfOursStay) {
  const ModelFamily& family = find_family("convnext");
  for (const char* name : {"convnext_tiny_hnf", "convnextv2_atto", "convnext_large_mlp"}) {
    for (const ParamLog::Entry& e : list_parameters(find_models(name).at(0))) {
      EXPECT_EQ(family.rename(e.name), e.name);
    }
  }
}

TEST(ConvNeXtNames, AV2CheckpointOfTheAuthorsLoadsWithItsFourDimensionalResponseNorm) {
  expect_loads(small("convnextv2_tiny", kTwoStages),
               {{"downsample_layers.0.", "stem."},
                {"downsample_layers.1.", "stages.1.downsample."},
                {"stages.0.0.grn.gamma", "stages.0.blocks.0.mlp.grn.weight"},
                {"stages.0.0.grn.beta", "stages.0.blocks.0.mlp.grn.bias"},
                {"stages.1.0.grn.gamma", "stages.1.blocks.0.mlp.grn.weight"},
                {"stages.1.0.grn.beta", "stages.1.blocks.0.mlp.grn.bias"},
                {"stages.0.0.pwconv", "stages.0.blocks.0.mlp.fc"},
                {"stages.1.0.pwconv", "stages.1.blocks.0.mlp.fc"},
                {"stages.0.0.dwconv.", "stages.0.blocks.0.conv_dw."},
                {"stages.1.0.dwconv.", "stages.1.blocks.0.conv_dw."},
                {"stages.0.0.", "stages.0.blocks.0."},
                {"stages.1.0.", "stages.1.blocks.0."},
                {"norm.", "head.norm."},
                {"head.", "head.fc."}},
               [](const std::string& name, Shape shape) {
                 return name.find(".grn.") != std::string::npos ? Shape{1, 1, 1, shape[0]} : shape;
               });
}

TEST(MambaOutNames, TheTwoMeaningsOfHeadNormAreToldApart) {
  expect_loads(small("mambaout_femto", kTwoStages),
               {{"downsample_layers.0.", "stem."},
                {"downsample_layers.1.", "stages.1.downsample."},
                {"stages.0.0.", "stages.0.blocks.0."},
                {"stages.1.0.", "stages.1.blocks.0."},
                {"norm.", "head.norm."},
                {"head.fc1.", "head.pre_logits.fc."},
                {"head.norm.", "head.pre_logits.norm."},
                {"head.fc2.", "head.fc."}},
               as_it_is);
}

TEST(MetaFormerNames, OfAnMlpHeadBecomeOurs) {
  expect_loads(small("caformer_s18", R"({"depths": [1, 1, 1], "dims": [8, 16, 32]})"),
               {{"downsample_layers.0.conv.", "stem.conv."},
                {"downsample_layers.0.post_norm.", "stem.norm."},
                {"downsample_layers.1.conv.", "stages.1.downsample.conv."},
                {"downsample_layers.1.pre_norm.", "stages.1.downsample.norm."},
                {"downsample_layers.2.conv.", "stages.2.downsample.conv."},
                {"downsample_layers.2.pre_norm.", "stages.2.downsample.norm."},
                {"stages.0.0.", "stages.0.blocks.0."},
                {"stages.1.0.", "stages.1.blocks.0."},
                {"stages.2.0.", "stages.2.blocks.0."},
                {"norm.", "head.norm."},
                {"head.", "head.fc."}},
               as_it_is);
}

TEST(PoolFormerNames, TellTimmsNetworkFromTheAuthors) {
  const std::vector<ModelSpec> candidates = find_models("poolformer_s12");
  ASSERT_EQ(candidates.size(), 2u);
  for (const ModelSpec& spec : candidates) {
    GeneratedSource source;
    for (const ParamLog::Entry& e : list_parameters(spec)) source.add(e.name, e.shape, -0.1, 0.1);
    EXPECT_EQ(best_fit(candidates, source).family->name, spec.family->name);
  }
}

}  // namespace
}  // namespace fovea
