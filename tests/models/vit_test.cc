// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "fovea/io/hub_folder.h"
#include "fovea/nn/position_embedding.h"
#include "models/families.h"
#include "tests/expect_error.h"
#include "tests/models/specs.h"
#include "tests/nn/blocks.h"

namespace fovea {
namespace {

using test::ListedSource;
using test::logits;
using test::TestMap;

ModelSpec tiny(std::string_view name, const std::string& more = "") {
  ModelSpec spec = find_models(name).at(0);
  spec.args = parse_model_args(R"({"embed_dim": 12, "depth": 1, "num_heads": 2, "num_classes": 3)" +
                               more + "}");
  return spec;
}

ListedSource weights_of(const ModelSpec& spec) {
  return test::generated_weights(list_parameters(spec));
}

TEST(Vit, KnowsTheAuthorsNames) {
  const auto rename = models::kVit.rename;
  EXPECT_EQ(rename("blocks.11.gamma_2"), "blocks.11.ls2.gamma");
  EXPECT_EQ(rename("register_tokens"), "reg_token");
  EXPECT_EQ(rename("mask_token"), "");
  EXPECT_EQ(rename("visual.trunk.blocks.0.attn.qkv.weight"), "blocks.0.attn.qkv.weight");
  EXPECT_EQ(rename("text.positional_embedding"), "");
}

TEST(Vit, KeepsItsOwnNames) {
  for (const ModelInfo& info : models::kVit.models) {
    for (const ParamLog::Entry& e : list_parameters({&models::kVit, &info, {}})) {
      ASSERT_EQ(models::kVit.rename(e.name), e.name) << info.name;
    }
  }
}

// The class token, and beside it the mean of the others.
TEST(Vit, PoolsTokenAndAverageSideBySide) {
  const auto pooling = [](const char* name) {
    ModelSpec spec = tiny("vit_tiny_patch16_224", R"(, "img_size": 32)");
    spec.args.set("num_classes", {std::int64_t{0}});
    spec.args.set("global_pool", {std::string(name)});
    return spec;
  };
  const ModelSpec both = pooling("token_avg");
  const ListedSource source = weights_of(both);
  const TestMap image(1, 32, 32, 3, 0, 1);
  const std::vector<float> found = logits(both, source, image);
  const std::vector<float> token = logits(pooling("token"), source, image);
  const auto backend = make_backend("reference");
  const BuiltModel model = build_model(both, source, *backend);
  EXPECT_EQ(model.backbone->pooled_features(), 24);
  Context ctx(1);
  const Workspace::Scope scope(ctx.workspace());
  const MapF tokens = model.backbone->forward_features(image, ctx, nullptr);
  ASSERT_EQ(tokens.w, 1 + 4);
  ASSERT_EQ(found.size(), 24u);
  for (int c = 0; c < 12; ++c) {
    double mean = 0;
    for (int t = 1; t < 5; ++t) mean += tokens.row(t)[c] / 4.0;
    EXPECT_EQ(found[static_cast<std::size_t>(c)], token[static_cast<std::size_t>(c)]);
    EXPECT_NEAR(found[static_cast<std::size_t>(12 + c)], mean, 1e-6);
  }
}

TEST(Vit, ResizesPositionsOfAnotherGridAndKeepsTheClassTokens) {
  const ModelSpec small = tiny("vit_tiny_patch16_224", R"(, "img_size": [48, 32])");
  ListedSource fitting = weights_of(small), trained = fitting;
  const Tensor positions = test::random_tensor({1, 1 + 4 * 4, 12}, 3);
  trained.add("pos_embed", positions);

  const FloatBuffer values = positions.to_floats();
  std::vector<float> resized(values.begin(), values.begin() + 12);
  for (const float v : nn::resize_grid(values.data() + 12, 4, 4, 12, 3, 2)) resized.push_back(v);
  fitting.add("pos_embed", Tensor::from_floats({1, 7, 12}, resized));

  const TestMap image(2, 48, 32, 3, 0, 1);
  EXPECT_EQ(logits(small, trained, image), logits(small, fitting, image));
}

TEST(Vit, ReportsPositionsOfNoSquareGrid) {
  const ModelSpec spec = tiny("vit_tiny_patch16_224", R"(, "img_size": 32)");
  ListedSource source = weights_of(spec);
  source.add("pos_embed", test::random_tensor({1, 8, 12}, 3));
  const auto backend = make_backend("reference");
  expect_error([&] { build_model(spec, source, *backend); }, Error::Kind::file,
               "pos_embed: wanted [1, 5, 12], found [1, 8, 12]");
}

// With registers, timm folds the class token's position into the token; DINOv2's files have both.
TEST(Vit, TakesDinov2sOwnCheckpointsWithRegisters) {
  const ModelSpec spec = tiny("vit_small_patch14_reg4_dinov2", R"(, "img_size": 42)");
  ListedSource timm = weights_of(spec), authors = timm;
  const FloatBuffer token = timm.load("cls_token").to_floats();
  const FloatBuffer grid = timm.load("pos_embed").to_floats();
  // Halves add up to the token again.
  std::vector<float> half, positions;
  for (const float v : token) half.push_back(v / 2);
  positions = half;
  positions.insert(positions.end(), grid.begin(), grid.end());
  authors.add("cls_token", Tensor::from_floats({1, 1, 12}, half));
  authors.add("pos_embed", Tensor::from_floats({1, 10, 12}, positions));
  authors.add("mask_token", test::random_tensor({1, 12}, 3));
  const TestMap image(1, 42, 42, 3, 0, 1);
  EXPECT_EQ(logits(spec, authors, image), logits(spec, timm, image));
}

TEST(Vit, SaysWhichSizesItTakes) {
  const auto backend = make_backend("reference");
  const BuiltModel fixed = build_shape_only(tiny("vit_tiny_patch16_224"), *backend);
  EXPECT_NO_THROW(fixed.backbone->check_size({224, 224}));
  expect_error(
      [&] {
        fixed.backbone->check_size({256, 224});
      },
      Error::Kind::argument,
      "wanted an image of 224 x 224 pixels, for which the network was built, found 256 x "
      "224; build it for that size (argument img_size, on the command line --img-size)");
  const BuiltModel dynamic =
      build_shape_only(tiny("vit_tiny_patch16_224", R"(, "dynamic_img_size": true)"), *backend);
  EXPECT_NO_THROW(dynamic.backbone->check_size({32, 48}));
  expect_error(
      [&] {
        dynamic.backbone->check_size({40, 48});
      },
      Error::Kind::argument, "a multiple of 16 x 16 pixels, found 40 x 48");
}

TEST(Vit, RefusesArgumentsThatContradictOneAnother) {
  const auto backend = make_backend("reference");
  const auto expect_refusal = [&](const std::string& more, const std::string& part) {
    expect_error([&] { build_shape_only(tiny("vit_tiny_patch16_224", more), *backend); },
                 Error::Kind::argument, part);
  };
  expect_refusal(R"(, "class_token": false)", "argument class_token: wanted true");
  expect_refusal(R"(, "global_pool": "")", "argument global_pool: wanted token, avg");
  expect_refusal(R"(, "img_size": 8)", "argument img_size: wanted at least one patch");
  expect_refusal(R"(, "qk_norm": true)", "argument qk_norm: wanted false");
  expect_refusal(R"(, "mlp_ratio": 0.01)", "argument mlp_ratio");
  expect_refusal(R"(, "windows": 7)", "unknown argument windows");
}

}  // namespace
}  // namespace fovea
