// SPDX-License-Identifier: Apache-2.0
#include "fovea/models/model_args.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fovea/io/hub_folder.h"
#include "tests/expect_error.h"

namespace fovea {
namespace {

using testing::ElementsAre;

TEST(ModelArgs, AbsentAndNullArgumentsLeaveTheFieldAlone) {
  const ModelArgs args = parse_model_args(R"({"depth": null})");
  int depth = 12, heads = 3;
  args.read("depth", depth);
  args.read("num_heads", heads);
  EXPECT_EQ(depth, 12);
  EXPECT_EQ(heads, 3);
  EXPECT_NO_THROW(args.finish("vit"));
}

TEST(ModelArgs, ReadsEveryKindOfValue) {
  const ModelArgs args = parse_model_args(
      R"({"depth": 4, "mlp_ratio": 2.5, "qkv_bias": false, "act_layer": "gelu",
          "depths": [1, 2], "ratios": [1, 2.5], "flags": [true, false], "img_size": [32, 48]})");
  int depth = 0;
  float ratio = 0;
  bool bias = true;
  std::string act;
  List<int> depths{9, 9, 9};
  List<float> ratios;
  List<bool> flags;
  Size2d size;
  args.read("depth", depth);
  args.read("mlp_ratio", ratio);
  args.read("qkv_bias", bias);
  args.read("act_layer", act);
  args.read("depths", depths);
  args.read("ratios", ratios);
  args.read("flags", flags);
  args.read("img_size", size);
  EXPECT_EQ(depth, 4);
  EXPECT_EQ(ratio, 2.5f);
  EXPECT_FALSE(bias);
  EXPECT_EQ(act, "gelu");
  EXPECT_THAT(std::vector<int>(depths.begin(), depths.end()), ElementsAre(1, 2));
  EXPECT_THAT(std::vector<float>(ratios.begin(), ratios.end()), ElementsAre(1.0f, 2.5f));
  EXPECT_THAT(std::vector<bool>(flags.begin(), flags.end()), ElementsAre(true, false));
  EXPECT_EQ(size, (Size2d{32, 48}));
  EXPECT_NO_THROW(args.finish("test"));
}

TEST(ModelArgs, ArgumentsInObjectsHaveTheNamesOfBoth) {
  const ModelArgs args =
      parse_model_args(R"({"cfg": {"depth": 4, "mixer": {"state": 2}, "none": {}}})");
  int depth = 0, state = 0;
  args.read("cfg.depth", depth);
  expect_error([&] { args.finish("vit"); }, Error::Kind::argument,
               "unknown argument cfg.mixer.state = 2 of family vit");
  args.read("cfg.mixer.state", state);
  EXPECT_EQ(depth, 4);
  EXPECT_EQ(state, 2);
  EXPECT_NO_THROW(args.finish("vit"));
}

TEST(ModelArgs, ListsOfAnyLengthMayBeEmpty) {
  const ModelArgs args = parse_model_args(
      R"({"none": [], "many": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9], "bare": 1, "high": [4, 11]})");
  std::vector<int> none = {1}, many, bare;
  args.read("none", none, 0, 10);
  args.read("many", many, 0, 10);
  EXPECT_TRUE(none.empty());
  EXPECT_THAT(many, ElementsAre(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
  expect_error([&] { args.read("bare", bare, 0, 10); }, Error::Kind::argument,
               "argument bare: wanted a list of numbers, found 1");
  expect_error([&] { args.read("high", bare, 0, 10); }, Error::Kind::argument,
               "argument high: wanted a list of integers from 0 to 10, found [4, 11]");
}

TEST(ModelArgs, WholeNumbersMayBeWrittenAsFloats) {
  const ModelArgs args = parse_model_args(R"({"depth": 4.0})");
  int depth = 0;
  args.read("depth", depth);
  EXPECT_EQ(depth, 4);
}

TEST(ModelArgs, OneSizeStandsForBothSides) {
  const ModelArgs args = parse_model_args(R"({"img_size": 64})");
  Size2d size;
  args.read("img_size", size);
  EXPECT_EQ(size, (Size2d{64, 64}));
}

struct Wrong {
  const char* json;
  const char* message;
};

class WrongArgument : public testing::TestWithParam<Wrong> {};

TEST_P(WrongArgument, IsNamedWithWhatWasWantedAndFound) {
  const ModelArgs args = parse_model_args(GetParam().json);
  int integer = 0;
  float number = 0;
  bool flag = false;
  std::string text;
  List<int> list;
  Size2d size;
  expect_error(
      [&] {
        args.read("integer", integer, 1, 100);
        args.read("number", number);
        args.read("flag", flag);
        args.read("text", text);
        args.read("list", list, 1, 100);
        args.read("size", size);
        args.finish("swin");
      },
      Error::Kind::argument, GetParam().message);
}

INSTANTIATE_TEST_SUITE_P(
    Table, WrongArgument,
    testing::Values(
        Wrong{R"({"integer": 0})", "argument integer: wanted an integer from 1 to 100, found 0"},
        Wrong{R"({"integer": 101})", "found 101"}, Wrong{R"({"integer": 2.5})", "found 2.5"},
        Wrong{R"({"integer": 1e300})", "found 1e+300"}, Wrong{R"({"integer": "4"})", "found \"4\""},
        Wrong{R"({"integer": true})", "found true"}, Wrong{R"({"integer": [1]})", "found [1]"},
        Wrong{R"({"number": "a"})", "argument number: wanted a finite number"},
        Wrong{R"({"number": 1e300})", "wanted a finite number"},
        Wrong{R"({"flag": 1})", "argument flag: wanted true or false, found 1"},
        Wrong{R"({"text": 1})", "argument text: wanted a string, found 1"},
        Wrong{R"({"list": []})", "wanted a list of 1 to 8 integers from 1 to 100, found []"},
        Wrong{R"({"list": [1,2,3,4,5,6,7,8,9]})", "wanted a list of 1 to 8"},
        Wrong{R"({"list": [1, -1]})", "found [1, -1]"},
        Wrong{R"({"size": [1, 2, 3]})", "wanted one size or [height, width]"},
        Wrong{R"({"size": 0})", "found 0"},
        Wrong{R"({"widht": 3})",
              "unknown argument widht = 3 of family swin; the known ones are flag, integer, list, "
              "number, size, text"}));

}  // namespace
}  // namespace fovea
