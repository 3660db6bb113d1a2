// SPDX-License-Identifier: Apache-2.0
#include "fovea/io/hub_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "fovea/io/labels.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;

class HubFolderTest : public ::testing::Test {
 protected:
  HubFolder read(const std::string& config) {
    folder_.write("config.json", config);
    folder_.write("model.safetensors", "");  // is not opened
    return read_hub_folder(folder_.path());
  }

  TemporaryFolder folder_;
};

std::string text_of(const ModelArgs& args, std::string_view name) {
  std::string text;
  args.read(name, text);
  return text;
}

TEST_F(HubFolderTest, ReadsThePresentForm) {
  const HubFolder folder = read(R"({
    "architecture": "swin_tiny_patch4_window7_224.mine", "num_classes": 2, "num_features": 768,
    "model_args": {"depths": [2, 4], "embed_dim": 56, "ape": true, "mlp_ratio": 2.5,
                   "pool": "avg", "none": null},
    "pretrained_cfg": {
      "input_size": [3, 64, 96], "test_input_size": [3, 320, 320], "test_crop_pct": 1.0,
      "fixed_input_size": false, "interpolation": "bilinear", "crop_pct": 0.9,
      "crop_mode": "squash", "mean": [0.5, 0.25, 0], "std": [0.125, 1, 2], "num_classes": 7},
    "label_names": ["cat", "dog"]})");
  EXPECT_EQ(folder.path, folder_.path());
  EXPECT_EQ(folder.weights, folder_ / "model.safetensors");
  EXPECT_EQ(folder.architecture, "swin_tiny_patch4_window7_224.mine");
  EXPECT_TRUE(folder.has_preprocess);
  EXPECT_EQ(folder.preprocess.height, 64);
  EXPECT_EQ(folder.preprocess.width, 96);
  EXPECT_EQ(folder.preprocess.interpolation, Filter::bilinear);
  EXPECT_EQ(folder.preprocess.crop_pct, 0.9);
  EXPECT_EQ(folder.preprocess.crop_mode, CropMode::squash);
  EXPECT_THAT(folder.preprocess.mean, ElementsAre(0.5f, 0.25f, 0.0f));
  EXPECT_THAT(folder.preprocess.std, ElementsAre(0.125f, 1.0f, 2.0f));
  EXPECT_THAT(folder.labels, ElementsAre("cat", "dog"));

  int classes = 0, embed_dim = 0;
  float mlp_ratio = 0;
  bool ape = false;
  List<int> depths;
  folder.args.read("num_classes", classes);
  folder.args.read("embed_dim", embed_dim);
  folder.args.read("mlp_ratio", mlp_ratio);
  folder.args.read("ape", ape);
  folder.args.read("depths", depths);
  EXPECT_EQ(classes, 2);
  EXPECT_EQ(embed_dim, 56);
  EXPECT_EQ(mlp_ratio, 2.5f);
  EXPECT_TRUE(ape);
  EXPECT_THAT(std::vector<int>(depths.begin(), depths.end()), ElementsAre(2, 4));
  EXPECT_EQ(text_of(folder.args, "pool"), "avg");
  EXPECT_FALSE(folder.args.has("img_size"));
}

TEST_F(HubFolderTest, ReadsTheOlderForm) {
  const HubFolder folder = read(R"({
    "architecture": "convnext_tiny", "num_classes": 3, "num_features": 768,
    "input_size": [3, 32, 32], "crop_pct": 0.95, "interpolation": "bicubic",
    "mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6], "first_conv": "stem.0",
    "global_pool": "avg", "labels": ["a", "b", "c"]})");
  EXPECT_EQ(folder.architecture, "convnext_tiny");
  EXPECT_TRUE(folder.has_preprocess);
  EXPECT_EQ(folder.preprocess.width, 32);
  EXPECT_EQ(folder.preprocess.crop_pct, 0.95);
  EXPECT_EQ(folder.preprocess.std[2], 0.6f);
  EXPECT_THAT(folder.labels, ElementsAre("a", "b", "c"));
  int classes = 0;
  folder.args.read("num_classes", classes);
  EXPECT_EQ(classes, 3);
  EXPECT_EQ(text_of(folder.args, "global_pool"), "avg");
}

TEST_F(HubFolderTest, TakesTheDefaultsOfTimmForWhatIsLeftOut) {
  const HubFolder folder =
      read(R"({"architecture": "swin", "pretrained_cfg": {"crop_pct": null}})");
  const PreprocessConfig defaults;
  EXPECT_FALSE(folder.has_preprocess);
  EXPECT_EQ(folder.preprocess.height, defaults.height);
  EXPECT_EQ(folder.preprocess.crop_pct, defaults.crop_pct);
  EXPECT_EQ(folder.preprocess.mean, defaults.mean);
  EXPECT_TRUE(folder.labels.empty());
  EXPECT_TRUE(folder.args.empty());
}

TEST_F(HubFolderTest, FindsLabelsInsidePretrainedCfg) {
  EXPECT_THAT(read(R"({"architecture": "a", "num_classes": 1,
                       "pretrained_cfg": {"label_names": ["x"]}})")
                  .labels,
              ElementsAre("x"));
}

TEST_F(HubFolderTest, FixesTheImageSizeOfNetworksThatAreBuiltForOne) {
  const std::string cfg = R"("pretrained_cfg": {"input_size": [3, 64, 96],
                                                "fixed_input_size": true})";
  Size2d size;
  read(R"({"architecture": "a", )" + cfg + "}").args.read("img_size", size);
  EXPECT_EQ(size, (Size2d{64, 96}));
  read(R"({"architecture": "a", "model_args": {"img_size": 32}, )" + cfg + "}")
      .args.read("img_size", size);
  EXPECT_EQ(size, (Size2d{32, 32}));
}

TEST_F(HubFolderTest, PrefersTheModelsOwnNumberOfClasses) {
  int classes = 0;
  read(R"({"architecture": "a", "num_classes": 5, "model_args": {"num_classes": 2},
           "pretrained_cfg": {}, "label_names": ["x", "y"]})")
      .args.read("num_classes", classes);
  EXPECT_EQ(classes, 2);
}

TEST_F(HubFolderTest, RefusesValuesOfTheWrongKind) {
  const std::vector<std::pair<const char*, const char*>> rows = {
      {R"("num_classes": -1)", "num_classes: wanted a whole number of at least 0, found -1"},
      {R"("num_classes": 2.5)", "num_classes: wanted a whole number of at least 0, found 2.5"},
      {R"("num_classes": "10")", "num_classes: wanted a whole number of at least 0, found \"10\""},
      {R"("num_classes": 4294967297)", "found 4294967297"},
      {R"("num_classes": 3, "label_names": ["a"])",
       "wanted one label for each of 3 classes, found 1"},
      {R"("label_names": "a")", "label_names: wanted an array of names, found \"a\""},
      {R"("label_names": [1])", "label_names: wanted names only, found 1"},
      {R"("model_args": [])", "model_args: wanted an object, found an array of 0"},
      {R"("model_args": {"a": {}})", "\"a\": wanted a number, a string"},
      {R"("model_args": {"a": [{}]})", "found an object"},
      {R"("model_args": {"a": 18446744073709551615})", "found 18446744073709551615"},
      {R"("model_args": {"num_classes": "many"})", "num_classes"},
      {R"("pretrained_cfg": 1)", "pretrained_cfg: wanted an object, found 1"},
      {R"("input_size": [1, 28, 28])", "input_size: wanted [3, height, width]"},
      {R"("input_size": [3, 28])", "found an array of 2"},
      {R"("input_size": [3, 0, 28])", "input_size: wanted [3, height, width]"},
      {R"("input_size": [3, 99999, 28])", "found 99999"},
      {R"("input_size": [3, 28.0, 28])", "found 28.0"},
      {R"("crop_pct": 0)", "a finite crop_pct > 0"},
      {R"("crop_pct": "1")", "crop_pct: wanted a number, found \"1\""},
      {R"("crop_mode": "middle")", "unknown crop_mode \"middle\""},
      {R"("interpolation": "cubic")", "unknown interpolation \"cubic\""},
      {R"("interpolation": 3)", "interpolation: wanted a string, found 3"},
      {R"("mean": 0.5)", "mean: wanted three numbers, found 0.5"},
      {R"("mean": [0, 0])", "mean: wanted three numbers, found an array of 2"},
      {R"("mean": [0, 0, null])", "mean: wanted three numbers"},
      {R"("mean": [0, 0, 1e300])", "a finite mean[2]"},
      {R"("mean": [0, 0, NaN])", "not JSON"},
      {R"("std": [1, 0, 1])", "a finite std[1] != 0"},
      {R"("fixed_input_size": 1)", "fixed_input_size: wanted true or false, found 1"},
  };
  for (const auto& [fields, message] : rows) {
    SCOPED_TRACE(fields);
    const std::string config = std::string(R"({"architecture": "a", )") + fields + "}";
    expect_error([&] { read(config); }, Error::Kind::file, message);
    expect_error([&] { read(config); }, Error::Kind::file, (folder_ / "config.json").string());
  }
}

TEST_F(HubFolderTest, RefusesFilesThatAreNoConfiguration) {
  const std::vector<std::pair<std::string, const char*>> rows = {
      {"", "not JSON"},
      {"[]", "wanted an object, found an array of 0"},
      {"{}", "architecture is missing"},
      {R"({"architecture": ""})", "architecture is missing"},
      {R"({"architecture": 1})", "architecture: wanted a string, found 1"},
      {R"({"model_type": "swin", "architectures": ["S"]})", "this is a transformers folder"},
      {R"({"architecture": "a", "architecture": "b"})", "the key \"architecture\" twice"},
      {R"({"architecture": "a", "x": )" + std::string(100000, '['), "nested more than 64"},
  };
  for (const auto& [config, message] : rows) {
    SCOPED_TRACE(config.substr(0, 60));
    expect_error([&] { read(config); }, Error::Kind::file, message);
  }
  expect_error([&] { read(std::string((16 << 20) + 1, ' ')); }, Error::Kind::file,
               "wanted at most 16777216 bytes");
}

TEST_F(HubFolderTest, FindsWeightsAndSaysWhatItLookedFor) {
  expect_error([&] { read_hub_folder(folder_.path()); }, Error::Kind::file,
               "config.json: cannot be read");
  folder_.write("config.json", R"({"architecture": "a"})");
  expect_error([&] { read_hub_folder(folder_.path()); }, Error::Kind::file,
               "no weights; looked for model.safetensors and model.safetensors.index.json");
  folder_.write("pytorch_model.bin", "");
  expect_error([&] { read_hub_folder(folder_.path()); }, Error::Kind::file,
               "pytorch_model.bin must be converted to safetensors");
  folder_.write("model.safetensors.index.json", "");
  EXPECT_EQ(read_hub_folder(folder_.path()).weights, folder_ / "model.safetensors.index.json");
  folder_.write("model.safetensors", "");
  EXPECT_EQ(read_hub_folder(folder_.path()).weights, folder_ / "model.safetensors");
}

TEST(ModelArguments, ComeFromAnObjectOnly) {
  int size = 0;
  parse_model_args(R"({"img_size": 64})").read("img_size", size);
  EXPECT_EQ(size, 64);
  EXPECT_TRUE(parse_model_args("{}").empty());
  const auto kind = Error::Kind::argument;
  expect_error([] { parse_model_args("[1]"); }, kind, "model arguments: wanted an object");
  expect_error([] { parse_model_args("{'a': 1}"); }, kind, "not JSON: an error at byte 2");
  expect_error([] { parse_model_args("{} {}"); }, kind, "not JSON");
  expect_error([] { parse_model_args(R"({"a": {"b": 1}})"); }, kind, "\"a\": wanted a number");
  expect_error([] { parse_model_args(R"({"a": 1, "a": 2})"); }, kind, "the key \"a\" twice");
}

TEST(Labels, AreTheThousandClassesInTheOrderOfTheirSynsets) {
  const auto labels = imagenet_1k_labels();
  const auto synsets = imagenet_1k_synsets();
  ASSERT_EQ(labels.size(), 1000u);
  ASSERT_EQ(synsets.size(), 1000u);
  EXPECT_TRUE(std::is_sorted(synsets.begin(), synsets.end()));
  EXPECT_EQ(std::set<std::string_view>(labels.begin(), labels.end()).size(), 1000u);
  EXPECT_EQ(synsets[207], "n02099601");
  EXPECT_EQ(labels[207], "golden retriever");
  EXPECT_EQ(labels[0], "tench");
  EXPECT_EQ(labels[999], "toilet tissue");
}

}  // namespace
}  // namespace fovea
