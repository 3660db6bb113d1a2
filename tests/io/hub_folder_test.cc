// SPDX-License-Identifier: Apache-2.0
#include "fovea/io/hub_folder.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
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

TEST_F(HubFolderTest, LabelsMayBeNumbered) {
  EXPECT_THAT(read(R"({"architecture": "a", "num_classes": 2,
                       "label_names": {"1": "dog", "0": "cat"}})")
                  .labels,
              ElementsAre("cat", "dog"));
}

TEST_F(HubFolderTest, PlaceholdersAreNoLabels) {
  EXPECT_TRUE(
      read(R"({"architecture": "a", "label_names": ["LABEL_0", "LABEL_1"]})").labels.empty());
  const HubFolder folder = read(R"({"model_type": "vit",
    "architectures": ["ViTForImageClassification"], "id2label": {"0": "LABEL_0", "1": "LABEL_1"}})");
  EXPECT_TRUE(folder.labels.empty());
  int classes = 0;
  folder.args.read("num_classes", classes);
  EXPECT_EQ(classes, 2);
}

TEST_F(HubFolderTest, TakesWeightsInTheOrderOfTimm) {
  expect_error([&] { read_hub_folder(folder_.path()); }, Error::Kind::file,
               "config.json: cannot be read");
  folder_.write("config.json", R"({"architecture": "a"})");
  folder_.write("training_args.bin", "");
  expect_error([&] { read_hub_folder(folder_.path()); }, Error::Kind::file,
               "no weights; looked for model.safetensors, model.safetensors.index.json, "
               "pytorch_model.bin");
  // From the last choice to the first.
  for (const char* name :
       {"b.bin", "a.bin", "x.pth.tar", "x.pth", "x.safetensors", "open_clip_pytorch_model.pth",
        "open_clip_pytorch_model.bin", "open_clip_pytorch_model.safetensors",
        "open_clip_model.safetensors", "model.pth", "pytorch_model.pth",
        "pytorch_model.bin.index.json", "pytorch_model.bin", "model.safetensors.index.json",
        "model.safetensors"}) {
    folder_.write(name, "");
    EXPECT_EQ(read_hub_folder(folder_.path()).weights, folder_ / name);
  }
}

// What the image processors of transformers do, in timm's words.
TEST_F(HubFolderTest, ReadsThePreprocessingOfTransformers) {
  struct Row {
    const char* content;
    Size2d size;
    double resized;  // edge before the crop
    CropMode mode;
    Filter filter;
  };
  const Row rows[] = {
      {R"({})", {224, 224}, 224, CropMode::squash, Filter::bilinear},
      {R"({"size": 384, "resample": 3})", {384, 384}, 384, CropMode::squash, Filter::bicubic},
      {R"({"size": [16, 32], "resample": 0})", {16, 32}, 16, CropMode::squash, Filter::nearest},
      {R"({"feature_extractor_type": "DeiTFeatureExtractor", "size": 256, "crop_size": 224})",
       {224, 224},
       256,
       CropMode::squash,
       Filter::bicubic},
      {R"({"image_processor_type": "BitImageProcessorFast", "size": {"shortest_edge": 256},
           "crop_size": {"height": 224, "width": 224}, "resample": 1})",
       {224, 224},
       256,
       CropMode::center,
       Filter::lanczos},
      {R"({"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 224},
           "crop_pct": 0.875})",
       {224, 224},
       256,
       CropMode::center,
       Filter::bilinear},
      {R"({"image_processor_type": "ConvNextImageProcessor", "size": 384, "crop_pct": 0.875})",
       {384, 384},
       384,
       CropMode::squash,
       Filter::bilinear},
      {R"({"image_processor_type": "PoolFormerImageProcessor", "size": 224, "crop_pct": 0.9})",
       {224, 224},
       248,
       CropMode::center,
       Filter::bicubic},
      {R"({"image_processor_type": "PoolFormerImageProcessor", "crop_pct": null,
           "size": {"shortest_edge": 240}})",
       {224, 224},
       240,
       CropMode::center,
       Filter::bicubic},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.content);
    folder_.write("preprocessor_config.json", row.content);
    const HubFolder folder =
        read(R"({"model_type": "swin", "architectures": ["SwinForImageClassification"]})");
    const PreprocessConfig& p = folder.preprocess;
    EXPECT_TRUE(folder.has_preprocess);
    EXPECT_EQ((Size2d{p.height, p.width}), row.size);
    EXPECT_EQ(std::floor(p.height / p.crop_pct), row.resized);
    EXPECT_EQ(p.crop_mode, row.mode);
    EXPECT_EQ(p.interpolation, row.filter);
    EXPECT_TRUE(p.crop_rounds_down);
  }
}

TEST_F(HubFolderTest, ReadsTheValuesOfTransformers) {
  const auto values = [&](const std::string& content) {
    folder_.write("preprocessor_config.json", "{" + content + "}");
    return read(R"({"model_type": "swin", "architectures": ["SwinModel"]})").preprocess;
  };
  const PreprocessConfig silent = values("");
  EXPECT_THAT(silent.mean, ElementsAre(0.5f, 0.5f, 0.5f));
  const PreprocessConfig given = values(R"("image_mean": [0.1, 0.2, 0.3], "image_std": 0.25)");
  EXPECT_THAT(given.mean, ElementsAre(0.1f, 0.2f, 0.3f));
  EXPECT_THAT(given.std, ElementsAre(0.25f, 0.25f, 0.25f));
  const PreprocessConfig raw = values(R"("do_rescale": false, "do_normalize": false)");
  EXPECT_THAT(raw.mean, ElementsAre(0.0f, 0.0f, 0.0f));
  EXPECT_FLOAT_EQ(raw.std[0], 1.0f / 255.0f);
  // pixel / 127.5 - 1.
  const PreprocessConfig signs = values(
      R"("rescale_factor": 0.00784313725490196, "image_mean": [1, 1, 1], "image_std": [1, 1, 1])");
  EXPECT_FLOAT_EQ(signs.mean[0], 0.5f);
  EXPECT_FLOAT_EQ(signs.std[0], 0.5f);
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
  expect_error([] { parse_model_args(R"({"a": [{"b": 1}]})"); }, kind, "\"a\": wanted a number");
  expect_error([] { parse_model_args(R"({"a": {"b.c": 1}})"); }, kind,
               "wanted names without a dot, found \"a.b.c\"");
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
