// SPDX-License-Identifier: Apache-2.0
//
// VSSD and Adventurer: arguments and sizes. What the networks compute is the oracles' concern.
#include <gtest/gtest.h>

#include <string>

#include "fovea/io/hub_folder.h"
#include "fovea/models/registry.h"
#include "tests/expect_error.h"
#include "tests/models/specs.h"

namespace fovea {
namespace {

ModelSpec spec_of(std::string_view family, const std::string& args) {
  return {&find_family(family), nullptr, parse_model_args(args)};
}

void expect_refused(std::string_view family, const std::string& args, const std::string& part) {
  test::expect_refused(spec_of(family, args), part);
}

void expect_size_refused(const ModelSpec& spec, Size2d size, const std::string& part) {
  const auto backend = make_backend("reference");
  const BuiltModel built = build_shape_only(spec, *backend);
  expect_error([&] { built.backbone->check_size(size); }, Error::Kind::argument, part);
}

TEST(Vssd, RefusesArgumentsOutsideTheReferenceByName) {
  const char* const family = "vssd";
  expect_refused(family, R"({"attn_types": ["mamba2", "mamba", "mamba2", "standard"]})",
                 "argument attn_types: wanted mamba2 or standard for each stage, found \"mamba\"");
  expect_refused(family, R"({"attn_types": ["mamba2"]})",
                 "argument attn_types: wanted one for each of 4 stages, found 1");
  expect_refused(family, R"({"num_heads": [2, 4]})",
                 "argument num_heads: wanted one number for each of 4 stages, found 2 values");
  expect_refused(family, R"({"num_heads": [25, 4, 8, 16], "embed_dim": 64})",
                 "argument num_heads: wanted heads of a width that divides 128, found 25 heads");
  expect_refused(family, R"({"ssd_ngroups": 0})", "argument ssd_ngroups");
  expect_refused(family, R"({"ssd_ngroups": 3})", "2 heads do not divide into 3 groups");
  expect_refused(family, R"({"linear_attn_duality": false, "bidirection": true})",
                 "argument bidirection: wanted false, unless linear_attn_duality is true");
  expect_refused(family, R"({"learnable_init_states": true})", "argument learnable_init_states");
  expect_refused(family, R"({"d_conv": 4})", "argument d_conv: wanted an odd number, found 4");
  expect_refused(family, R"({"window_size": 7})", "unknown argument window_size = 7");
}

TEST(Vssd, TakesImagesWhoseMapsAreEvenWhereverTheyAreHalved) {
  const ModelSpec four = find_models("vssd_micro").front();
  expect_size_refused(four, {64, 48},
                      "vssd: wanted an image of a multiple of 32 x 32 pixels, found 64 x 48");
  const ModelSpec three = spec_of("vssd", R"({"depths": [1, 1, 1], "embed_dim": 8})");
  EXPECT_NO_THROW(
      build_shape_only(three, *make_backend("reference")).backbone->check_size({64, 48}));
}

TEST(Adventurer, RefusesArgumentsOutsideTheReferenceByName) {
  const char* const family = "adventurer";
  expect_refused(family, R"({"img_size": [224, 256]})",
                 "argument img_size: wanted as many rows as columns of patches of 16 x 16 pixels, "
                 "found 224 x 256");
  expect_refused(family, R"({"ssm_cfg": {"headdim": 24}})",
                 "argument ssm_cfg.headdim: wanted a divisor of 512 channels, found 24");
  expect_refused(family, R"({"ssm_cfg": {"ngroups": 3}})", "8 heads do not divide into 3 groups");
  expect_refused(family, R"({"ssm_cfg": {"d_ssm": 256}})", "unknown argument ssm_cfg.d_ssm = 256");
}

TEST(Adventurer, TakesTheImagesItWasBuiltForAlone) {
  expect_size_refused(find_models("adventurer_tiny_patch1_64").front(), {64, 65},
                      "adventurer: wanted an image of 64 x 64 pixels");
}

TEST(Adventurer, ReadsTheSmallestImagesFromTheMiddleOfLargerOnes) {
  EXPECT_EQ(find_models("adventurer_tiny_patch1_64").front().info->preprocess.crop_pct, 0.875);
  EXPECT_EQ(find_models("adventurer_tiny_patch1_128").front().info->preprocess.crop_pct, 1.0);
}

}  // namespace
}  // namespace fovea
