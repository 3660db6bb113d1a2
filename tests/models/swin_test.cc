// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "fovea/io/hub_folder.h"
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
  spec.args = parse_model_args(R"({"img_size": 32, "window_size": 4, "embed_dim": 8,
      "depths": [1, 2, 1], "num_heads": [1, 2, 2], "num_classes": 3)" +
                               more + "}");
  return spec;
}

// timm's name of a tensor in the authors' words.
std::string authors_name(std::string name) {
  const std::string head = "head.fc.", merging = ".downsample.";
  if (name.starts_with(head)) return "head." + name.substr(head.size());
  if (name.find(merging) != std::string::npos) --name[std::string("layers.").size()];
  return name;
}

TEST(Swin, TakesTheAuthorsCheckpoints) {
  for (const char* name : {"swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256"}) {
    const ModelSpec spec = tiny(name);
    const ListedSource timm = test::generated_weights(list_parameters(spec));
    ListedSource authors;
    for (const std::string& n : timm.names()) authors.add(authors_name(n), timm.load(n));
    EXPECT_EQ(authors.names().size(), timm.names().size());
    EXPECT_NE(authors.find("layers.0.downsample.norm.weight"), nullptr);
    const Tensor buffer = test::random_tensor({16, 16}, 1);
    authors.add("layers.1.blocks.1.attn_mask", buffer);
    authors.add("layers.0.blocks.0.attn.relative_position_index", buffer);
    authors.add("layers.0.blocks.0.attn.relative_coords_table", buffer);
    const TestMap image(2, 32, 32, 3, 0, 1);
    EXPECT_EQ(logits(spec, authors, image), logits(spec, timm, image)) << name;
  }
}

TEST(Swin, KeepsItsOwnNames) {
  for (const ModelFamily* family : {&models::kSwin, &models::kSwinV2}) {
    for (const ModelInfo& info : family->models) {
      for (const ParamLog::Entry& e : list_parameters({family, &info, {}})) {
        ASSERT_EQ(family->rename(e.name), e.name) << info.name;
      }
    }
  }
}

Shape table_shape(const ModelSpec& spec, const std::string& name) {
  for (const ParamLog::Entry& e : list_parameters(spec)) {
    if (e.name == name) return e.shape;
  }
  return {};
}

// A stage's map bounds its windows, and with them the tables of biases.
TEST(Swin, WindowsAreNotLargerThanTheMap) {
  const ModelSpec spec = tiny("swin_tiny_patch4_window7_224");  // maps of 8, 4 and 2
  const std::string table = ".attn.relative_position_bias_table";
  EXPECT_EQ(table_shape(spec, "layers.1.blocks.0" + table), (Shape{49, 2}));
  EXPECT_EQ(table_shape(spec, "layers.2.blocks.0" + table), (Shape{9, 2}));
  const ModelSpec all = tiny("swin_tiny_patch4_window7_224", R"(, "always_partition": true)");
  EXPECT_EQ(table_shape(all, "layers.2.blocks.0" + table), (Shape{49, 2}));
}

TEST(Swin, SaysWhichSizesItTakes) {
  const auto backend = make_backend("reference");
  for (const char* name : {"swin_tiny_patch4_window7_224", "swinv2_tiny_window8_256"}) {
    const BuiltModel fixed = build_shape_only(tiny(name), *backend);
    expect_error(
        [&] {
          fixed.backbone->check_size({64, 64});
        },
        Error::Kind::argument,
        "wanted an image of 32 x 32 pixels, for which the network was built, found 64 x "
        "64; build it for that size (argument img_size");
    const BuiltModel any = build_shape_only(tiny(name, R"(, "strict_img_size": false)"), *backend);
    EXPECT_NO_THROW(any.backbone->check_size({44, 20}));
    expect_error(
        [&] {
          any.backbone->check_size({45, 20});
        },
        Error::Kind::argument, "a multiple of 4 x 4 pixels");
  }
}

TEST(Swin, RefusesArgumentsThatContradictOneAnother) {
  const auto backend = make_backend("reference");
  ModelSpec spec = find_models("swin_s3_tiny_224").at(0);
  spec.args = parse_model_args(R"({"depths": [1, 1, 1]})");
  expect_error([&] { build_shape_only(spec, *backend); }, Error::Kind::argument,
               "argument window_size: wanted one size, [height, width] or one size for each of 3");
  spec.args = parse_model_args(R"({"img_size": 16})");
  expect_error([&] { build_shape_only(spec, *backend); }, Error::Kind::argument,
               "argument img_size: wanted at least 32 for this many stages, found 16 x 16");
  spec.args = parse_model_args(R"({"num_heads": [1, 2]})");
  expect_error([&] { build_shape_only(spec, *backend); }, Error::Kind::argument,
               "argument num_heads: wanted one value or one for each of 4 stages");
}

}  // namespace
}  // namespace fovea
