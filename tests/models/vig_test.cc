// SPDX-License-Identifier: Apache-2.0
//
// ViG, plain and hierarchical: arguments, names, sizes. What the networks compute is the oracles'
// concern.
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "fovea/core/param_sources.h"
#include "fovea/io/hub_folder.h"
#include "fovea/models/registry.h"
#include "tests/expect_error.h"
#include "tests/models/specs.h"

namespace fovea {
namespace {

using test::expect_refused;
using test::parameter_names;

constexpr std::string_view kTinyVig = R"("embed_dim": 8, "depth": 1, "num_classes": 3)";
constexpr std::string_view kTinyVigH = R"("dims": 12, "depths": [1, 1], "num_classes": 3)";

ModelSpec spec_of(std::string_view family, std::string_view base, const std::string& more = "") {
  const std::string args = "{" + std::string(base) + (more.empty() ? "" : ", ") + more + "}";
  return {&find_family(family), nullptr, parse_model_args(args)};
}

std::unique_ptr<const Backbone> built(const ModelSpec& spec, const Backend& backend) {
  GeneratedSource weights;
  for (const ParamLog::Entry& e : list_parameters(spec)) weights.add(e.name, e.shape, -0.5, 0.5);
  return build_model(spec, weights, backend).backbone;
}

TEST(Vig, ArgumentsDecideWhichParametersThereAre) {
  const auto plain = parameter_names(spec_of("vig", kTinyVig));
  EXPECT_TRUE(plain.contains("pos_embed"));
  EXPECT_TRUE(plain.contains("blocks.0.mlp.fc1.bias"));
  EXPECT_FALSE(plain.contains("blocks.0.gamma1"));
  EXPECT_FALSE(plain.contains("blocks.0.attn.in_proj.0.bias"));
  const auto other = parameter_names(
      spec_of("vig", kTinyVig,
              R"("use_swiglu": true, "init_values": 0.1, "if_abs_pos_embed": false, )"
              R"("use_bias_in_dwconv": true, "use_bias_in_patch": false)"));
  EXPECT_FALSE(other.contains("pos_embed"));
  EXPECT_TRUE(other.contains("blocks.0.mlp.gate_proj.weight"));
  EXPECT_TRUE(other.contains("blocks.0.gamma2"));
  EXPECT_TRUE(other.contains("blocks.0.attn.in_proj.0.bias"));
  EXPECT_FALSE(other.contains("patch_embed.proj.0.bias"));
}

TEST(Vig, RefusesWhatTheReferenceCannotRunAndWhatNobodyPublished) {
  const auto refuses = [](const std::string& args, const std::string& part) {
    expect_refused(spec_of("vig", kTinyVig, args), part);
  };
  refuses(R"("if_cls_token": true)", "if_cls_token: wanted false (the reference cannot run");
  refuses(R"("classification_mode": "feat")", "classification_mode: wanted avgpool");
  refuses(R"("patch_embed_version": "v1")", "patch_embed_version: wanted v2");
  refuses(R"("scan_mode": "zigzag")", "scan_mode: wanted default");
  refuses(R"("rope_mode": "2dv1")", "rope_mode: wanted none");
  refuses(R"("expand_v": 2)", "expand_v: wanted 1");
  refuses(R"("expand_k": 0)", "expand_k: wanted a number from 0 to 64");
  refuses(R"("hidden_act": "tanh")", "hidden_act: wanted swish, silu, gelu or relu");
  refuses(R"("stride": 8)", "stride: wanted patch_size, 16");
  refuses(R"("img_size": 8)", "img_size: wanted at least one patch");
  refuses(R"("num_heads": 3)", "8 channels do not divide into 3 heads");
  refuses(R"("expand_k": 0.125)", "1 channels of keys do not divide into 2 heads");
  refuses(R"("no_such_thing": 1)", "no_such_thing");
}

TEST(Vig, TakesImagesOfAnySizeThatGivesAToken) {
  const auto backend = make_backend("reference");
  const auto net = built(spec_of("vig", kTinyVig), *backend);
  net->check_size({7, 9});
  net->check_size({300, 31});
  expect_error(
      [&] {
        net->check_size({6, 64});
      },
      Error::Kind::argument, "vig: wanted an image of at least 7 x 7 pixels, found 6 x 64");
}

TEST(VigH, ReadsThePyramidAndTheMlp) {
  const auto plain = parameter_names(spec_of("vig_h", kTinyVigH));
  EXPECT_TRUE(plain.contains("layers.0.blocks.0.mlp.fc1.bias"));
  EXPECT_TRUE(plain.contains("patch_embed.0.weight"));
  EXPECT_FALSE(plain.contains("patch_embed.5.weight"));
  const auto gated = parameter_names(
      spec_of("vig_h", kTinyVigH,
              R"("gmlp": true, "patchembed_version": "v2", "downsample_version": "v1")"));
  EXPECT_FALSE(gated.contains("layers.0.blocks.0.mlp.fc1.bias"));
  EXPECT_TRUE(gated.contains("patch_embed.5.weight"));
  EXPECT_TRUE(gated.contains("layers.0.downsample.reduction.weight"));
}

TEST(VigH, TakesTheNamesOfTheFirstReleaseAsTheReferenceDoes) {
  const ModelFamily& family = find_family("vig_h");
  EXPECT_EQ(family.rename("patch_embed.proj.weight"), "patch_embed.0.weight");
  EXPECT_EQ(family.rename("layers.1.blocks.2.ln_1.bias"), "layers.1.blocks.2.norm.bias");
  EXPECT_EQ(family.rename("layers.1.blocks.2.self_attention.o_proj.weight"),
            "layers.1.blocks.2.op.o_proj.weight");
  EXPECT_EQ(family.rename("head.weight"), "classifier.head.weight");
}

TEST(VigH, RefusesWhatNobodyPublished) {
  const auto refuses = [](const std::string& args, const std::string& part) {
    expect_refused(spec_of("vig_h", kTinyVigH, args), part);
  };
  refuses(R"("norm_layer": "bn")", "norm_layer: wanted ln or ln2d");
  refuses(R"("rope_mode": "2dv1")", "rope_mode: wanted none");
  refuses(R"("downsample_version": "none")", "downsample_version: wanted one of v1, v2, v3");
  refuses(R"("num_heads": [1])", "num_heads: wanted one number for each of 2 stages");
  refuses(R"("num_heads": [1, 5])", "24 channels do not divide into 5 heads");
  refuses(R"("mlp_ratio": 0)", "mlp_ratio: wanted a number");
}

}  // namespace
}  // namespace fovea
