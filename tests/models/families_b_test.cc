// SPDX-License-Identifier: Apache-2.0
//
// ConvNeXt, MambaOut, MetaFormer, PoolFormer: arguments, sizes, heads. What the networks compute is
// the oracles' concern.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "fovea/core/generator.h"
#include "fovea/core/param_sources.h"
#include "fovea/io/hub_folder.h"
#include "fovea/models/registry.h"
#include "tests/expect_error.h"
#include "tests/models/specs.h"

namespace fovea {
namespace {

using test::expect_refused;
using test::parameter_names;

ModelSpec spec_of(std::string_view family, std::string_view name, const std::string& args) {
  const ModelFamily& f = find_family(family);
  const auto info = std::find_if(f.models.begin(), f.models.end(),
                                 [&](const ModelInfo& i) { return i.name == name; });
  return {&f, info != f.models.end() ? &*info : nullptr, parse_model_args(args)};
}

BuiltModel built(const ModelSpec& spec, const Backend& backend) {
  GeneratedSource weights;
  for (const ParamLog::Entry& e : list_parameters(spec)) weights.add(e.name, e.shape, -0.5, 0.5);
  return build_model(spec, weights, backend);
}

FloatBuffer image_of(int h, int w) {
  FloatBuffer pixels(static_cast<std::size_t>(h) * w * 3);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = generated_value(fnv1a("image"), i, -1.7, 1.7);
  }
  return pixels;
}

std::vector<float> run(const Backbone& net, int h, int w, bool embed) {
  FloatBuffer pixels = image_of(h, w);
  std::vector<float> out(
      static_cast<std::size_t>(embed ? net.pooled_features() : net.num_outputs()));
  const MapF y(out.data(), 1, 1, 1, static_cast<int>(out.size()));
  Context ctx(1);
  if (embed) {
    net.embed(MapF(pixels.data(), 1, h, w, 3), y, ctx);
  } else {
    net.logits(MapF(pixels.data(), 1, h, w, 3), y, ctx);
  }
  return out;
}

constexpr const char* kFourStages = R"("depths": [1, 1, 1, 1], "dims": [8, 12, 16, 20])";

std::string args(const std::string& more) { return std::string("{") + kFourStages + more + "}"; }

TEST(ConvNeXtArguments, NullRemovesTheLayerScaleAndANumberBringsIt) {
  const std::string gamma = "stages.0.blocks.0.gamma";
  const auto has_gamma = [&](const char* name, const char* more) {
    return parameter_names(spec_of("convnext", name, args(more))).contains(gamma);
  };
  EXPECT_TRUE(has_gamma("convnext_tiny", ""));
  EXPECT_FALSE(has_gamma("convnext_tiny", R"(, "ls_init_value": null)"));
  EXPECT_FALSE(has_gamma("convnextv2_tiny", ""));
  EXPECT_TRUE(has_gamma("convnextv2_tiny", R"(, "ls_init_value": 1e-6)"));
}

TEST(ConvNeXtArguments, OutsideTheReferenceAreRefusedByName) {
  const auto refused = [](const char* json, const char* part) {
    expect_refused(spec_of("convnext", "convnext_tiny", json), part);
  };
  refused(R"({"depths": [1, 1, 1]})", "argument dims: wanted as many values as depths has, 3");
  refused(R"({"kernel_sizes": 4})", "argument kernel_sizes: wanted an odd number, found 4");
  refused(R"({"kernel_sizes": [3, 5]})", "argument kernel_sizes: wanted one value or one for each");
  refused(R"({"stem_type": "conv"})", "argument stem_type");
  refused(R"({"output_stride": 12})", "argument output_stride: wanted 8, 16 or 32, found 12");
  refused(R"({"norm_layer": "rmsnorm"})", "argument norm_layer");
  refused(R"({"global_pool": "max"})", "argument global_pool: wanted avg, found max");
  refused(R"({"head_norm_first": true, "head_hidden_size": 9})", "argument head_hidden_size");
  refused(R"({"widths": [1]})", "unknown argument widths");
}

TEST(ConvNeXtGeometry, TheOutputStrideBoundsTheReduction) {
  const auto backend = make_backend("reference");
  for (const int stride : {8, 16, 32}) {
    const BuiltModel model =
        build_shape_only(spec_of("convnext", "convnext_tiny",
                                 args(", \"output_stride\": " + std::to_string(stride))),
                         *backend);
    std::vector<int> reductions;
    for (const FeatureInfo& f : model.backbone->feature_info()) reductions.push_back(f.reduction);
    const std::vector<int> wanted = {4, 8, std::min(16, stride), std::min(32, stride)};
    EXPECT_EQ(reductions, wanted);
  }
}

TEST(ConvNeXtGeometry, AnImageWithoutAPixelInTheLastMapIsRefused) {
  const auto backend = make_backend("reference");
  const auto smallest = [&](const char* name) {
    return build_shape_only(spec_of("convnext", name, args("")), *backend);
  };
  const BuiltModel patches = smallest("convnext_tiny"), overlap = smallest("convnext_nano_ols");
  patches.backbone->check_size({32, 32});
  expect_error(
      [&] {
        patches.backbone->check_size({31, 32});
      },
      Error::Kind::argument, "convnext: wanted an image of at least 32 x 32 pixels, found 31 x 32");
  overlap.backbone->check_size({29, 29});
  expect_error([&] { overlap.backbone->check_size({29, 28}); }, Error::Kind::argument, "29 x 29");
}

TEST(Heads, WithoutClassesLogitsAreThePooledFeatures) {
  const auto backend = make_backend("reference");
  const std::vector<std::pair<const char*, const char*>> networks = {
      {"convnext", "convnext_tiny"},    {"convnext", "convnext_tiny_hnf"},
      {"mambaout", "mambaout_femto"},   {"metaformer", "poolformer_s12"},
      {"metaformer", "convformer_s18"},
  };
  for (const auto& [family, name] : networks) {
    const BuiltModel model = built(spec_of(family, name, args(R"(, "num_classes": 0)")), *backend);
    EXPECT_EQ(model.backbone->num_classes(), 0) << name;
    EXPECT_EQ(run(*model.backbone, 40, 33, false), run(*model.backbone, 40, 33, true)) << name;
  }
}

TEST(Heads, AHiddenLayerWidensThePooledFeatures) {
  const auto backend = make_backend("reference");
  const auto pooled = [&](const char* family, const char* name, const char* more) {
    return build_shape_only(spec_of(family, name, args(more)), *backend)
        .backbone->pooled_features();
  };
  EXPECT_EQ(pooled("convnext", "convnext_tiny", R"(, "head_hidden_size": 50)"), 50);
  EXPECT_EQ(pooled("mambaout", "mambaout_femto", ""), 80);
  EXPECT_EQ(pooled("metaformer", "caformer_s18", R"(, "head_dim": 4)"), 20);
}

// timm's names of a PoolFormer with one block, in the authors' words.
std::string authors_name(const std::string& timms) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"stem.conv.", "patch_embed.proj."},
      {"stages.0.blocks.0.layer_scale1.scale", "network.0.0.layer_scale_1"},
      {"stages.0.blocks.0.layer_scale2.scale", "network.0.0.layer_scale_2"},
      {"stages.0.blocks.0.", "network.0.0."},
      {"head.norm.", "norm."},
      {"head.fc.", "head."}};
  for (const auto& [from, to] : table) {
    if (timms.starts_with(from)) return to + timms.substr(from.size());
  }
  return timms;
}

// The trunks are equal and so are the weights: what differs is the order of norm and average.
TEST(PoolFormer, TheAuthorsHeadIsNotTimms) {
  const auto backend = make_backend("reference");
  const ModelSpec timm =
      spec_of("metaformer", "poolformer_s12", R"({"depths": [1], "dims": [8], "num_classes": 3})");
  const ModelSpec authors = spec_of("poolformer", "poolformer_s12",
                                    R"({"layers": [1], "embed_dims": [8], "num_classes": 3})");
  GeneratedSource weights;
  for (const ParamLog::Entry& e : list_parameters(timm)) weights.add(e.name, e.shape, -0.5, 0.5);
  const auto same_weights = renamed(weights, authors_name);
  const auto a = run(*build_model(timm, weights, *backend).backbone, 32, 32, false);
  const auto b = run(*build_model(authors, *same_weights, *backend).backbone, 32, 32, false);
  EXPECT_GT(std::abs(a[0] - b[0]), 1e-2f);
}

TEST(PoolFormer, TheDensePredictionFormHasANormPerLevelAndNoHead) {
  const std::string json =
      R"({"layers": [1, 1, 1, 1], "embed_dims": [8, 12, 16, 20], "fork_feat": true)";
  const auto names = parameter_names(spec_of("poolformer", "", json + "}"));
  for (const char* name : {"norm0.weight", "norm2.bias", "norm4.weight", "norm6.bias"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
  EXPECT_FALSE(names.contains("head.weight"));
  expect_refused(spec_of("poolformer", "",
                         R"({"layers": [1, 1], "embed_dims": [8, 8], "downsamples": false,
                             "fork_feat": true})"),
                 "argument downsamples: wanted true everywhere with fork_feat");
}

TEST(PoolFormer, WithoutLayersThereIsNothingToBuild) {
  expect_refused(spec_of("poolformer", "", R"({"num_classes": 3})"), "argument layers");
}

TEST(PoolFormer, AStageWithoutConvolutionTakesOnePlaceOfTheList) {
  const auto names = parameter_names(
      spec_of("poolformer", "",
              R"({"layers": [1, 1, 1], "embed_dims": [8, 8, 12], "downsamples": false})"));
  EXPECT_TRUE(names.contains("network.1.0.norm1.weight"));
  EXPECT_TRUE(names.contains("network.2.proj.weight"));
  EXPECT_TRUE(names.contains("network.3.0.norm1.weight"));
}

TEST(MetaFormerArguments, AreReadPerStage) {
  const auto names = parameter_names(spec_of(
      "metaformer", "convformer_s18",
      args(R"(, "token_mixers": ["Pooling", "SepConv", "Attention", "Attention"], "head_dim": 4,
              "layer_scale_init_values": [null, 0.1, null, null],
              "res_scale_init_values": null, "downsample_norm": null)")));
  EXPECT_FALSE(names.contains("stages.0.blocks.0.token_mixer.pwconv1.weight"));
  EXPECT_TRUE(names.contains("stages.1.blocks.0.token_mixer.pwconv1.weight"));
  EXPECT_TRUE(names.contains("stages.2.blocks.0.token_mixer.qkv.weight"));
  EXPECT_FALSE(names.contains("stages.0.blocks.0.layer_scale1.scale"));
  EXPECT_TRUE(names.contains("stages.1.blocks.0.layer_scale2.scale"));
  EXPECT_FALSE(names.contains("stages.3.blocks.0.res_scale1.scale"));
  EXPECT_FALSE(names.contains("stem.norm.weight"));
}

TEST(MetaFormerArguments, OutsideTheReferenceAreRefusedByName) {
  const auto refused = [](const char* json, const char* part) {
    expect_refused(spec_of("metaformer", "caformer_s18", json), part);
  };
  refused(R"({"dims": [64, 128, 320, 500]})", "argument dims: wanted a multiple of head_dim 32");
  refused(R"({"token_mixers": "Mamba"})", "argument token_mixers");
  refused(R"({"pool_size": 2})", "argument pool_size: wanted an odd number");
  refused(R"({"layer_scale_init_values": "yes"})", "argument layer_scale_init_values");
}

TEST(MambaOutArguments, OutsideTheReferenceAreRefusedByName) {
  const auto refused = [](const char* json, const char* part) {
    expect_refused(spec_of("mambaout", "mambaout_femto", json), part);
  };
  refused(R"({"conv_ratio": 3.0})",
          "argument conv_ratio: wanted a number from 0 to expansion_ratio");
  refused(R"({"downsample": "pool"})", "argument downsample: wanted conv or conv_nf, found pool");
  refused(R"({"kernel_size": 6})", "argument kernel_size: wanted an odd number, found 6");
}

}  // namespace
}  // namespace fovea
