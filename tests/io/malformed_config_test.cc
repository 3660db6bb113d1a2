// SPDX-License-Identifier: Apache-2.0
//
// Configurations that are refused, one line each: what stands in the file, and part of the message.
// Every message begins with the file's path. Indices of sharded checkpoints are in
// safetensors_test.cc, command line options in tests/cli/bad_input_test.cc.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "fovea/io/hub_folder.h"
#include "fovea/io/save.h"
#include "fovea/model.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace fovea {
namespace {

struct Row {
  std::string content;
  const char* message;
};

class MalformedConfig : public ::testing::Test {
 protected:
  MalformedConfig() { folder_.write("model.safetensors", ""); }

  void refuse(const std::string& file, const std::string& content, const char* message) {
    SCOPED_TRACE(content.substr(0, 100));
    const std::string path = folder_.write(file, content).string();
    expect_error([&] { read_hub_folder(folder_.path()); }, Error::Kind::file, message);
    expect_error([&] { read_hub_folder(folder_.path()); }, Error::Kind::file, path + ": ");
  }

  TemporaryFolder folder_;
};

TEST_F(MalformedConfig, FilesThatAreNoConfiguration) {
  const std::vector<Row> rows = {
      {"", "not JSON"},
      {"[]", "wanted an object, found an array of 0"},
      {"{}", "wanted architecture (a folder of timm) or model_type (one of transformers)"},
      {R"({"architecture": ""})", "wanted architecture"},
      {R"({"architecture": 1})", "architecture: wanted a string, found 1"},
      {R"({"architecture": "a\u001b[2J"})", "without control characters, found \"a\\x1b[2J\""},
      {R"({"architecture": ")" + std::string(1001, 'a') + "\"}", "at most 1000 bytes"},
      {R"({"architecture": "a", "architecture": "b"})", "the key \"architecture\" twice"},
      {R"({"architecture": "a", "x": )" + std::string(100000, '['), "nested more than 64"},
      {std::string("{\"architecture\": \"a\"\0}", 22), "contains a NUL byte"},
      {std::string((16 << 20) + 1, ' '), "wanted at most 16777216 bytes"},
  };
  for (const Row& row : rows) refuse("config.json", row.content, row.message);
}

TEST_F(MalformedConfig, ValuesOfTimm) {
  const std::vector<Row> rows = {
      // Classes and labels.
      {R"("num_classes": -1)", "num_classes: wanted a whole number of at least 0, found -1"},
      {R"("num_classes": 2.5)", "num_classes: wanted a whole number of at least 0, found 2.5"},
      {R"("num_classes": "10")", "num_classes: wanted a whole number of at least 0, found \"10\""},
      {R"("num_classes": 4294967297)", "found 4294967297"},
      {R"("num_classes": 3, "label_names": ["a"])",
       "wanted one label for each of 3 classes, found 1"},
      {R"("num_classes": 1, "label_names": {"0": "a", "1": "b"})",
       "wanted one label for each of 1 classes, found 2"},
      {R"("label_names": "a")", "label_names: wanted an array of names or an object"},
      {R"("label_names": [1])", "label_names: wanted names only, found 1"},
      {R"("label_names": {"0": 1})", "label_names: wanted names only, found 1"},
      {R"("label_names": {"1": "a"})", "label_names: wanted the numbers 0 to 0, found \"1\""},
      {R"("label_names": {"00": "a"})", "label_names: wanted the numbers 0 to 0, found \"00\""},
      {R"("label_names": {"-1": "a"})", "found \"-1\""},
      {R"("label_names": {"cat": "a"})", "found \"cat\""},
      // Arguments.
      {R"("model_args": [])", "model_args: wanted an object, found an array of 0"},
      {R"("model_args": {"a\n": 1})", "wanted for a name a string of at most 1000 bytes"},
      {R"("model_args": {"a": "b\n"})", "without control characters, found \"b\\x0a\""},
      {R"("model_args": {"a": {"b": [{}]}})", "\"a.b\": wanted a number, a string"},
      {R"("model_args": {"a": {"b\n": 1}})", "wanted for a name a string of at most 1000 bytes"},
      {R"("model_args": {"a": [{}]})", "found an object"},
      {R"("model_args": {"a": 18446744073709551615})", "found 18446744073709551615"},
      {R"("model_args": {"num_classes": "many"})", "num_classes"},
      {R"("pretrained_cfg": 1)", "pretrained_cfg: wanted an object, found 1"},
      // Size.
      {R"("input_size": [1, 28, 28])", "input_size: wanted [3, height, width]"},
      {R"("input_size": [3, 28])", "found an array of 2"},
      {R"("input_size": [3, 0, 28])", "input_size: wanted [3, height, width]"},
      {R"("input_size": [3, -1, 28])", "found -1"},
      {R"("input_size": [3, 99999, 28])", "found 99999"},
      {R"("input_size": [3, 28.0, 28])", "found 28.0"},
      {R"("fixed_input_size": 1)", "fixed_input_size: wanted true or false, found 1"},
      // Preprocessing.
      {R"("crop_pct": 0)", "a finite crop_pct > 0"},
      {R"("crop_pct": -0.9)", "a finite crop_pct > 0"},
      {R"("crop_pct": 1e999)", "not JSON: a number out of range"},
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
      {R"("std": [1, 1, -1e300])", "a finite std[2] != 0"},
  };
  for (const Row& row : rows) {
    refuse("config.json", R"({"architecture": "a", )" + row.content + "}", row.message);
  }
}

TEST_F(MalformedConfig, ValuesOfTransformers) {
  const std::string swin = R"("model_type": "swin", "architectures": ["SwinModel"])";
  const std::string vit = R"("model_type": "vit", "architectures": ["ViTForImageClassification"])";
  const std::string poolformer =
      R"("model_type": "poolformer", "architectures": ["PoolFormerForImageClassification"])";
  const std::vector<Row> rows = {
      {R"("model_type": "bert")", "there is no network for \"bert\"; the known ones are swin"},
      {R"("model_type": 3)", "model_type: wanted a string, found 3"},
      {R"("model_type": "swin")", "architectures: wanted [\"SwinForImageClassification\"] or"},
      {R"("model_type": "swin", "architectures": "SwinModel")", "architectures: wanted"},
      {R"("model_type": "swin", "architectures": [])", "found an array of 0"},
      {R"("model_type": "swin", "architectures": ["SwinForMaskedImageModeling"])",
       "found \"SwinForMaskedImageModeling\""},
      {R"("model_type": "poolformer", "architectures": ["PoolFormerModel"])", "has no norm"},
      {swin + R"(, "num_channels": 1)", "num_channels: wanted 3, for red, green and blue, found 1"},
      {swin + R"(, "use_absolute_embeddings": true)",
       "use_absolute_embeddings: wanted false, as others are not supported, found true"},
      {swin + R"(, "layer_norm_eps": 0.1)", "layer_norm_eps: wanted 1e-5"},
      {swin + R"(, "hidden_act": "relu")", "hidden_act: wanted \"gelu\""},
      {swin + R"(, "depths": {"a": 1})", "depths: wanted a number, a string"},
      {R"("model_type": "dinov2", "architectures": ["Dinov2Model"], "use_swiglu_ffn": true)",
       "use_swiglu_ffn: wanted false"},
      {vit + R"(, "intermediate_size": -3)", "intermediate_size: wanted a whole number"},
      {vit + R"(, "id2label": {"0": "a", "2": "b"})", "id2label: wanted the numbers 0 to 1"},
      {vit + R"(, "num_labels": 3, "id2label": {"0": "a"})",
       "id2label: wanted one label for each of 3 classes, found 1"},
      {poolformer + R"(, "patch_sizes": [7, 3, 5, 3])", "patch_sizes: wanted a list of sizes"},
      {poolformer + R"(, "strides": 4)", "strides: wanted a list of sizes"},
  };
  for (const Row& row : rows) refuse("config.json", "{" + row.content + "}", row.message);
}

TEST_F(MalformedConfig, PreprocessingOfTransformers) {
  folder_.write("config.json", R"({"model_type": "vit", "architectures": ["ViTModel"]})");
  const std::string bit = R"("image_processor_type": "BitImageProcessor")";
  const std::string convnext = R"("image_processor_type": "ConvNextImageProcessor")";
  const std::string pool = R"("image_processor_type": "PoolFormerImageProcessor")";
  const std::vector<Row> rows = {
      {R"("image_processor_type": "SamImageProcessor")", "\"SamImageProcessor\" is not known"},
      {R"("do_resize": false)", "do_resize: false gives pictures of any shape"},
      {R"("do_resize": 1)", "do_resize: wanted true or false, found 1"},
      {R"("size": 0)", "size: wanted a size"},
      {R"("size": -3)", "size: wanted a size"},
      {R"("size": 99999)", "found 99999"},
      {R"("size": {"height": 8})", "size: wanted a size"},
      {R"("size": {"longest_edge": 8})", "size: wanted a size"},
      {R"("size": {"shortest_edge": 8})", "shortest_edge without a centre crop"},
      {R"("resample": 6)", "resample: wanted Pillow's number of a filter, 0 to 5, found 6"},
      {R"("resample": "bicubic")", "resample: wanted Pillow's number"},
      {R"("image_mean": [0, 0])", "image_mean: wanted three numbers"},
      {R"("image_mean": [0, 0, 1e300])", "a finite mean[2]"},
      {R"("image_std": [1, 1, 0])", "a finite std[2] != 0"},
      {R"("rescale_factor": 0)", "rescale_factor: wanted a finite number above 0"},
      {R"("rescale_factor": -1)", "rescale_factor: wanted a finite number above 0"},
      {bit + R"(, "do_center_crop": false)", "shortest_edge without a centre crop"},
      {bit + R"(, "crop_size": [8, 9])", "crop_size: wanted a square with shortest_edge"},
      {bit + R"(, "size": [20, 20], "crop_size": [10, 20])",
       "crop_size: wanted the same share of both edges"},
      {convnext + R"(, "size": {"height": 8, "width": 8})", "size: wanted shortest_edge"},
      {convnext + R"(, "crop_pct": 0)", "crop_pct: wanted a finite number above 0.001"},
      {pool + R"(, "crop_pct": -1)", "crop_pct: wanted a finite number above 0.001"},
      {pool + R"(, "crop_pct": 1e5)", "crop_pct: leaves a picture of no pixels"},
      {pool + R"(, "size": [8, 9])", "size: wanted a square or shortest_edge with crop_pct"},
  };
  for (const Row& row : rows) {
    refuse("preprocessor_config.json", "{" + row.content + "}", row.message);
  }
  refuse("preprocessor_config.json", "[]", "wanted an object");
  refuse("preprocessor_config.json", "", "not JSON");
}

// What only shows when the network is built: messages of Model::load().
TEST_F(MalformedConfig, NetworksThatCannotBe) {
  save_safetensors(folder_ / "model.safetensors",
                   {{"head.weight", Tensor::from_floats({2, 1}, std::vector<float>(2))}});
  const std::string vit = R"("architecture": "vit_tiny_patch16_224")";
  const std::vector<Row> rows = {
      {R"("architecture": "swin_tiny_patch4_windw7_224")",
       "unknown architecture \"swin_tiny_patch4_windw7_224\"; the nearest names are "
       "swin_tiny_patch4_window7_224"},
      {vit + R"(, "num_classes": 3)", "head.weight: wanted [3, 192], found [2, 1]"},
      {vit + R"(, "model_args": {"depht": 3})", "unknown argument depht"},
      {vit + R"(, "model_args": {"img_size": 0})", "img_size: wanted one size or"},
      {vit + R"(, "model_args": {"num_heads": 7})", "7"},
      {R"("model_type": "vit", "architectures": ["ViTModel"])",
       "preprocessor_config.json: wanted, as nothing else says how pictures are prepared"},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.content);
    folder_.write("config.json", "{" + row.content + "}");
    expect_error([&] { Model::load(folder_.path()); }, Error::Kind::file, row.message);
  }
}

}  // namespace
}  // namespace fovea
