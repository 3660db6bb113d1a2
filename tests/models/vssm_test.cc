// SPDX-License-Identifier: Apache-2.0
//
// VMamba and the networks made from its code, and PlainMamba: names, arguments, sizes. What the
// networks compute is the oracles' concern.
#include <gtest/gtest.h>

#include "fovea/io/hub_folder.h"
#include "models/families.h"
#include "tests/expect_error.h"
#include "tests/models/specs.h"
#include "tests/nn/blocks.h"

namespace fovea {
namespace {

using test::expect_refused;
using test::ListedSource;
using test::logits;
using test::parameter_names;
using test::TestMap;

constexpr const char* kTwoStages = R"("depths": [1, 1], "dims": [8, 12], "num_classes": 3)";
constexpr const char* kFourStages = R"("depths": [1, 1, 1, 1], "dims": 8, "num_classes": 3)";

ModelSpec small(std::string_view name, const std::string& more = "",
                const char* stages = kTwoStages) {
  ModelSpec spec = find_models(name).at(0);
  spec.args = parse_model_args(std::string("{") + stages + more + "}");
  return spec;
}

void expect_size_refused(const Backbone& net, Size2d size, const std::string& part) {
  expect_error([&] { net.check_size(size); }, Error::Kind::argument, part);
}

// The names of the authors' first release.
std::string first_name(std::string name) {
  const std::pair<std::string, std::string> parts[] = {
      {"patch_embed.0.", "patch_embed.proj."},
      {"patch_embed.2.", "patch_embed.norm."},
      {".norm.", ".ln_1."},
      {".op.", ".self_attention."},
      {"classifier.norm.", "norm."},
      {"classifier.head.", "head."},
  };
  for (const auto& [now, then] : parts) {
    const std::size_t at = name.find(now);
    const bool of_block = name.find(".blocks.") != std::string::npos;
    if (at == std::string::npos || (now[0] == '.') != of_block) continue;
    return name.replace(at, now.size(), then);
  }
  return name;
}

TEST(VMamba, TakesCheckpointsOfTheFirstRelease) {
  for (const char* name : {"vanilla_vmamba_tiny", "msvmamba_nano"}) {
    const ModelSpec spec = small(name);
    const ListedSource now = test::generated_weights(list_parameters(spec));
    ListedSource then;
    for (const std::string& n : now.names()) then.add(first_name(n), now.load(n));
    EXPECT_NE(then.find("layers.0.blocks.0.self_attention.x_proj_weight"), nullptr);
    EXPECT_NE(then.find("layers.0.blocks.0.ln_1.weight"), nullptr);
    EXPECT_NE(then.find("norm.bias"), nullptr);
    const TestMap image(1, 24, 16, 3, 0, 1);
    EXPECT_EQ(logits(spec, then, image), logits(spec, now, image)) << name;
  }
}

TEST(VMamba, TakesMatricesStoredAsConvolutions) {
  const ModelSpec spec = small("vmamba_tiny_s1l8");
  const ListedSource matrices = test::generated_weights(list_parameters(spec));
  ListedSource convolutions;
  int reshaped = 0;
  for (const std::string& n : matrices.names()) {
    Tensor t = matrices.load(n);
    if (n.ends_with("_proj.weight") || n.find(".mlp.fc") != std::string::npos) {
      Shape shape = t.shape();
      if (shape.size() == 2) {
        shape.insert(shape.end(), {1, 1});
        t = t.reshaped(shape);
        ++reshaped;
      }
    }
    convolutions.add(n, t);
  }
  EXPECT_EQ(reshaped, 8);  // two of each mixer and MLP
  const TestMap image(1, 16, 24, 3, 0, 1);
  EXPECT_EQ(logits(spec, convolutions, image), logits(spec, matrices, image));
}

TEST(VMamba, KeepsItsOwnNames) {
  for (const ModelFamily* family :
       {&models::kVMamba, &models::kMsVMamba, &models::kMsVMambaV2, &models::kResVMamba}) {
    for (const ModelInfo& info : family->models) {
      for (const ParamLog::Entry& e : list_parameters({family, &info, {}})) {
        ASSERT_EQ(family->rename(e.name), e.name) << info.name;
      }
    }
  }
}

TEST(VMamba, OneNumberOfChannelsDoublesFromStageToStage) {
  const auto backend = make_backend("reference");
  const BuiltModel model = build_shape_only(small("vmamba_tiny_s1l8", "", kFourStages), *backend);
  std::vector<int> channels, reductions;
  for (const FeatureInfo& f : model.backbone->feature_info()) {
    channels.push_back(f.channels);
    reductions.push_back(f.reduction);
  }
  EXPECT_EQ(channels, (std::vector<int>{8, 16, 32, 64}));
  EXPECT_EQ(reductions, (std::vector<int>{4, 8, 16, 32}));
}

TEST(VMamba, ForwardTypesSayWhichTensorsThereAre) {
  const auto names = [](const char* type) {
    return parameter_names(
        small("vmamba_tiny_s1l8", std::string(R"(, "forward_type": ")") + type + "\""));
  };
  const std::string norm = "layers.0.blocks.0.op.out_norm.";
  EXPECT_TRUE(names("v05_noz").contains(norm + "weight"));
  EXPECT_TRUE(names("v05_oncnorm_noz").contains(norm + "2.weight"));
  EXPECT_TRUE(names("v3_ondwconv3").contains(norm + "1.weight"));
  for (const char* type : {"v05_onnone", "v052d_onsigmoid_nozact_oact_no32"}) {
    for (const std::string& n : names(type)) EXPECT_EQ(n.find("out_norm"), std::string::npos) << n;
  }
}

TEST(VMamba, ResizesPositionsOfAnotherGrid) {
  const std::string positions = R"(, "posembed": true, "imgsize": )";
  const ModelSpec spec = small("vmamba_tiny_s1l8", positions + "32");
  const ModelSpec larger = small("vmamba_tiny_s1l8", positions + "48");
  const ListedSource source = test::generated_weights(list_parameters(spec));
  const auto backend = make_backend("reference");
  EXPECT_NO_THROW(build_model(larger, source, *backend));
  const BuiltModel model = build_model(spec, source, *backend);
  EXPECT_NO_THROW(model.backbone->check_size({32, 32}));
  expect_size_refused(*model.backbone, {32, 48},
                      "vmamba: wanted an image of 8 x 8 patches, for which it has positions");
  ListedSource uniform = source;
  uniform.add("pos_embed", Tensor::from_floats({1, 8, 8, 8}, std::vector<float>(512, 0.5f)));
  ListedSource none = source;
  none.add("pos_embed", Tensor::from_floats({1, 8, 8, 8}, std::vector<float>(512)));
  const TestMap image(1, 32, 32, 3, 0, 1);
  EXPECT_NE(logits(spec, uniform, image), logits(spec, none, image));
}

TEST(VMamba, SaysWhichSizesItTakes) {
  const auto backend = make_backend("reference");
  const auto net = [&](std::string_view name, const char* more) {
    return build_shape_only(small(name, more), *backend);
  };
  const BuiltModel patches = net("vanilla_vmamba_tiny", "");
  EXPECT_NO_THROW(patches.backbone->check_size({4, 21}));  // an odd map is padded
  expect_size_refused(*patches.backbone, {3, 8}, "vmamba: wanted an image of at least 4 x 4");
  const BuiltModel halves = net("vanilla_vmamba_tiny", R"(, "downsample_version": "v2")");
  expect_size_refused(*halves.backbone, {7, 8}, "vmamba: wanted an image of at least 8 x 8");
  const BuiltModel first =
      net("vmamba_tiny_s1l8", R"(, "downsample_version": "v1")");  // channels first
  EXPECT_NO_THROW(first.backbone->check_size({8, 16}));
  expect_size_refused(*first.backbone, {12, 16}, "whose maps are even wherever they are halved");
}

TEST(VMamba, RefusesWhatTheReferenceOrThisLacks) {
  const auto refused = [](const char* more, const char* part) {
    expect_refused(small("vmamba_tiny_s1l8", more), part);
  };
  refused(R"(, "forward_type": "xv1a")", "argument forward_type: wanted v0, v0seq, v01 to v05");
  refused(R"(, "forward_type": "m0_noz")", "found \"m0_noz\"");
  refused(R"(, "forward_type": "v05_onsoftmax")", "found \"v05_onsoftmax\"");
  refused(R"(, "forward_type": "v0")", "argument norm_layer: wanted ln with forward_type v0");
  refused(R"(, "norm_layer": "bn")", "argument norm_layer: wanted ln or ln2d, found \"bn\"");
  refused(R"(, "gmlp": true)", "argument gmlp: wanted false");
  refused(R"(, "ssm_conv": 4)", "argument ssm_conv: wanted an odd number, found 4");
  refused(R"(, "ssm_dt_rank": "most")", "argument ssm_dt_rank: wanted auto or a number");
  refused(R"(, "ssm_act_layer": "tanh")", "argument ssm_act_layer: wanted silu, gelu, relu");
  refused(R"(, "ssm_ratio": 0)", "argument ssm_ratio: wanted a number from 0.01");
  refused(R"(, "downsample_version": "none")", "argument downsample_version: wanted one of v1");
  refused(R"(, "patchembed_version": "v3")", "argument patchembed_version: wanted one of v1, v2");
  expect_refused(small("vmamba_tiny_s1l8", "", R"("depths": [1, 1, 1], "dims": [8, 8])"),
                 "argument dims: wanted one number or one for each of 3 stages, found 2 values");
  refused(R"(, "patch_size": 1)", "argument patch_size");
  refused(R"(, "widths": 1)", "unknown argument widths");
}

TEST(MsVMamba, RefusesWhatTheReleasedCodeCannotRun) {
  const auto refused = [](const char* more, const char* part) {
    expect_refused(small("msvmamba_nano", more), part);
  };
  refused(R"(, "sscore_type": "None")", "argument sscore_type: wanted multiscale_4scan_12");
  refused(R"(, "ms_stage": [0])", "argument ms_stage: wanted all stages");
  refused(R"(, "ms_split": [2, 2])", "argument ms_split: wanted [1, 3]");
  refused(R"(, "add_conv": false)", "argument add_conv: wanted true");
  refused(R"(, "sep_norm": true)", "argument sep_norm: wanted false");
  refused(R"(, "norm_layer": "ln2d")", "argument norm_layer: wanted ln");
  refused(R"(, "ssm_rank_ratio": 1.0)", "argument ssm_rank_ratio: wanted at least ssm_ratio");
  refused(R"(, "forward_type": "v2softmax")", "argument forward_type: wanted v0, v1 or v2");
}

TEST(MsVMambaV2, RefusesScansThatAreNotItsOwn) {
  const auto refused = [](const char* more, const char* part) {
    expect_refused(small("msvmambav3_tiny", more), part);
  };
  refused(R"(, "full_res_index": 3)", "argument full_res_index: wanted an integer from 1 to 2");
  refused(R"(, "forward_type": "axis")", "argument forward_type: wanted vms");
  refused(R"(, "ssm_conv": 1)", "argument ssm_conv: wanted at least 3 with forward_type vms");
}

TEST(ResVMamba, TheSideBranchesCountWhereACheckpointHasThem) {
  const ModelSpec spec = small("res_vmamba_small", "", kFourStages);
  const ListedSource without = test::generated_weights(list_parameters(spec));
  ListedSource with = without, zero = without;
  for (int i = 0; i < 3; ++i) {
    const std::string path = "res_convs." + std::to_string(i);
    const std::int64_t in = 8 << i;
    with.add(path + ".weight", test::random_tensor({2 * in, in, 1, 1}, 5));
    with.add(path + ".bias", test::random_tensor({2 * in}, 6));
    zero.add(path + ".weight",
             Tensor::from_floats({2 * in, in, 1, 1},
                                 std::vector<float>(static_cast<std::size_t>(2 * in * in))));
    zero.add(path + ".bias",
             Tensor::from_floats({2 * in}, std::vector<float>(static_cast<std::size_t>(2 * in))));
  }
  const TestMap image(2, 32, 64, 3, 0, 1);
  EXPECT_EQ(logits(spec, zero, image), logits(spec, without, image));
  EXPECT_NE(logits(spec, with, image), logits(spec, without, image));
}

TEST(ResVMamba, TakesImagesWhoseMapsMeetTheirMaxima) {
  const auto backend = make_backend("reference");
  const BuiltModel model = build_shape_only(small("res_vmamba_small", "", kFourStages), *backend);
  EXPECT_NO_THROW(model.backbone->check_size({32, 64}));
  expect_size_refused(*model.backbone, {36, 64}, "res_vmamba: wanted an image whose maps are even");
  const BuiltModel halves = build_shape_only(
      small("res_vmamba_small", R"(, "downsample_version": "v2")", kFourStages), *backend);
  EXPECT_NO_THROW(halves.backbone->check_size({36, 64}));
  expect_refused(small("res_vmamba_small"), "argument depths: wanted at least 4 stages, found 2");
  expect_refused(small("res_vmamba_small", R"(, "softmax_version": true)", kFourStages),
                 "argument softmax_version: wanted false");
}

ModelSpec plain(const std::string& more) {
  ModelSpec spec = find_models("plainmamba_l2").at(0);
  spec.args =
      parse_model_args(R"({"embed_dims": 8, "num_layers": 2, "num_classes": 3)" + more + "}");
  return spec;
}

TEST(PlainMamba, ArgumentsSayWhichTensorsThereAre) {
  const std::string layer = "backbone.layers.1.";
  EXPECT_FALSE(parameter_names(plain("")).contains(layer + "dw.0.weight"));
  EXPECT_TRUE(
      parameter_names(plain(R"(, "layers_with_dwconv": [1])")).contains(layer + "dw.0.weight"));
  EXPECT_TRUE(parameter_names(plain("")).contains(layer + "norm.bias"));
  const auto cfg = [](const std::string& inner) {
    return parameter_names(plain(R"(, "layer_cfgs": {)" + inner + "}"));
  };
  EXPECT_FALSE(cfg(R"("use_rms_norm": true)").contains(layer + "norm.bias"));
  EXPECT_TRUE(cfg(R"("mamba_cfg": {"init_layer_scale": 1})").contains(layer + "mamba.gamma"));
  EXPECT_FALSE(cfg(R"("mamba_cfg": {"bias": false})").contains(layer + "mamba.in_proj.bias"));
  EXPECT_FALSE(
      parameter_names(plain(R"(, "with_pos_embed": false)")).contains("backbone.pos_embed"));
  EXPECT_FALSE(parameter_names(plain(R"(, "final_norm": false)")).contains("backbone.ln1.weight"));
}

TEST(PlainMamba, RefusesArgumentsByTheirFullNames) {
  expect_refused(plain(R"(, "layer_cfgs": {"mamba_cfg": {"conv_size": 4}})"),
                 "argument layer_cfgs.mamba_cfg.conv_size: wanted an odd number, found 4");
  expect_refused(plain(R"(, "layer_cfgs": {"mamba_cfg": {"dt_rank": "no"}})"),
                 "argument layer_cfgs.mamba_cfg.dt_rank: wanted auto or a number, found \"no\"");
  expect_refused(plain(R"(, "layer_cfgs": {"widths": 1})"), "unknown argument layer_cfgs.widths");
  expect_refused(plain(R"(, "patch_size": 7)"), "argument patch_size: wanted an even number");
  expect_refused(plain(R"(, "norm_cfg": {"type": "BN"})"), "argument norm_cfg.type: wanted LN");
}

// Positions of the built size resized by the network equal ones of the image's size.
TEST(PlainMamba, ResizesPositionsToTheImage) {
  const ModelSpec square = plain(R"(, "img_size": 32)"), wide = plain(R"(, "img_size": [32, 64])");
  const ListedSource source = test::generated_weights(list_parameters(square));
  ListedSource resized = source;
  // Of uniform positions a resized grid is uniform too.
  ListedSource uniform = source;
  uniform.add("backbone.pos_embed", Tensor::from_floats({1, 4, 8}, std::vector<float>(32, 0.25f)));
  resized.add("backbone.pos_embed", Tensor::from_floats({1, 8, 8}, std::vector<float>(64, 0.25f)));
  const TestMap image(1, 32, 64, 3, 0, 1);
  EXPECT_EQ(logits(square, uniform, image), logits(wide, resized, image));
  EXPECT_NE(logits(square, source, image), logits(square, uniform, image));
}

}  // namespace
}  // namespace fovea
