// SPDX-License-Identifier: Apache-2.0
//
// Tiny folders as transformers writes them give the same bits as the same weights under canonical
// names. The tables here are written from transformers' own modules and go the other way than the
// library's.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "fovea/core/generator.h"
#include "fovea/core/param_sources.h"
#include "fovea/io/hub_folder.h"
#include "fovea/io/save.h"
#include "fovea/model.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace fovea {
namespace {

// Canonical names as expressions, and what transformers calls them; '@' stands for query, key and
// value, which are three tensors there.
using Names = std::vector<std::pair<const char*, const char*>>;

Names swin_names(bool v2) {
  Names names = {
      {R"(patch_embed\.proj\.(.*))", "embeddings.patch_embeddings.projection.$1"},
      {R"(patch_embed\.norm\.(.*))", "embeddings.norm.$1"},
      {R"(layers\.1\.downsample\.(.*))", "encoder.layers.0.downsample.$1"},
      {R"(layers\.(\d)\.blocks\.(\d)\.norm1\.(.*))",
       "encoder.layers.$1.blocks.$2.layernorm_before.$3"},
      {R"(layers\.(\d)\.blocks\.(\d)\.norm2\.(.*))",
       "encoder.layers.$1.blocks.$2.layernorm_after.$3"},
      {R"(layers\.(\d)\.blocks\.(\d)\.mlp\.fc1\.(.*))",
       "encoder.layers.$1.blocks.$2.intermediate.dense.$3"},
      {R"(layers\.(\d)\.blocks\.(\d)\.mlp\.fc2\.(.*))",
       "encoder.layers.$1.blocks.$2.output.dense.$3"},
      {R"(layers\.(\d)\.blocks\.(\d)\.attn\.qkv\.(.*))",
       "encoder.layers.$1.blocks.$2.attention.self.@.$3"},
      {R"(layers\.(\d)\.blocks\.(\d)\.attn\.proj\.(.*))",
       "encoder.layers.$1.blocks.$2.attention.output.dense.$3"},
      {R"(norm\.(.*))", "layernorm.$1"},
  };
  if (!v2) {
    names.insert(names.begin(), {R"(layers\.(\d)\.blocks\.(\d)\.attn\.relative(.*))",
                                 "encoder.layers.$1.blocks.$2.attention.self.relative$3"});
    return names;
  }
  const Names attention = {
      {R"(layers\.(\d)\.blocks\.(\d)\.attn\.q_bias)",
       "encoder.layers.$1.blocks.$2.attention.self.query.bias"},
      {R"(layers\.(\d)\.blocks\.(\d)\.attn\.v_bias)",
       "encoder.layers.$1.blocks.$2.attention.self.value.bias"},
      {R"(layers\.(\d)\.blocks\.(\d)\.attn\.logit_scale)",
       "encoder.layers.$1.blocks.$2.attention.self.logit_scale"},
      {R"(layers\.(\d)\.blocks\.(\d)\.attn\.cpb_mlp\.(.*))",
       "encoder.layers.$1.blocks.$2.attention.self.continuous_position_bias_mlp.$3"},
  };
  names.insert(names.begin(), attention.begin(), attention.end());
  return names;
}

Names convnext_names() {
  return {
      {R"(stem\.0\.(.*))", "embeddings.patch_embeddings.$1"},
      {R"(stem\.1\.(.*))", "embeddings.layernorm.$1"},
      {R"(stages\.(\d)\.downsample\.(.*))", "encoder.stages.$1.downsampling_layer.$2"},
      {R"(stages\.(\d)\.blocks\.(\d)\.gamma)", "encoder.stages.$1.layers.$2.layer_scale_parameter"},
      {R"(stages\.(\d)\.blocks\.(\d)\.conv_dw\.(.*))", "encoder.stages.$1.layers.$2.dwconv.$3"},
      {R"(stages\.(\d)\.blocks\.(\d)\.norm\.(.*))", "encoder.stages.$1.layers.$2.layernorm.$3"},
      {R"(stages\.(\d)\.blocks\.(\d)\.mlp\.fc(\d)\.(.*))",
       "encoder.stages.$1.layers.$2.pwconv$3.$4"},
      {R"(stages\.(\d)\.blocks\.(\d)\.mlp\.grn\.(.*))", "encoder.stages.$1.layers.$2.grn.$3"},
      {R"(head\.norm\.(.*))", "layernorm.$1"},
  };
}

Names vit_names() {
  return {
      {"cls_token", "embeddings.cls_token"},
      {"dist_token", "embeddings.distillation_token"},
      {"pos_embed", "embeddings.position_embeddings"},
      {R"(patch_embed\.proj\.(.*))", "embeddings.patch_embeddings.projection.$1"},
      {R"(blocks\.(\d)\.norm1\.(.*))", "encoder.layer.$1.layernorm_before.$2"},
      {R"(blocks\.(\d)\.norm2\.(.*))", "encoder.layer.$1.layernorm_after.$2"},
      {R"(blocks\.(\d)\.attn\.qkv\.(.*))", "encoder.layer.$1.attention.attention.@.$2"},
      {R"(blocks\.(\d)\.attn\.proj\.(.*))", "encoder.layer.$1.attention.output.dense.$2"},
      {R"(blocks\.(\d)\.mlp\.fc1\.(.*))", "encoder.layer.$1.intermediate.dense.$2"},
      {R"(blocks\.(\d)\.mlp\.fc2\.(.*))", "encoder.layer.$1.output.dense.$2"},
      {R"(norm\.(.*))", "layernorm.$1"},
  };
}

Names dinov2_names() {
  return {
      {"cls_token", "embeddings.cls_token"},
      {"reg_token", "embeddings.register_tokens"},
      {"pos_embed", "embeddings.position_embeddings"},
      {R"(patch_embed\.proj\.(.*))", "embeddings.patch_embeddings.projection.$1"},
      {R"(blocks\.(\d)\.attn\.qkv\.(.*))", "encoder.layer.$1.attention.attention.@.$2"},
      {R"(blocks\.(\d)\.attn\.proj\.(.*))", "encoder.layer.$1.attention.output.dense.$2"},
      {R"(blocks\.(\d)\.ls(\d)\.gamma)", "encoder.layer.$1.layer_scale$2.lambda1"},
      {R"(blocks\.(\d)\.(norm|mlp)(.*))", "encoder.layer.$1.$2$3"},
      {R"(norm\.(.*))", "layernorm.$1"},
  };
}

Names poolformer_names() {
  return {
      {R"(patch_embed\.proj\.(.*))", "encoder.patch_embeddings.0.projection.$1"},
      {R"(network\.1\.proj\.(.*))", "encoder.patch_embeddings.1.projection.$1"},
      {R"(network\.0\.(\d)\.norm1\.(.*))", "encoder.block.0.$1.before_norm.$2"},
      {R"(network\.2\.(\d)\.norm1\.(.*))", "encoder.block.1.$1.before_norm.$2"},
      {R"(network\.0\.(\d)\.norm2\.(.*))", "encoder.block.0.$1.after_norm.$2"},
      {R"(network\.2\.(\d)\.norm2\.(.*))", "encoder.block.1.$1.after_norm.$2"},
      {R"(network\.0\.(\d)\.mlp\.fc(\d)\.(.*))", "encoder.block.0.$1.output.conv$2.$3"},
      {R"(network\.2\.(\d)\.mlp\.fc(\d)\.(.*))", "encoder.block.1.$1.output.conv$2.$3"},
      {R"(network\.0\.(.*))", "encoder.block.0.$1"},
      {R"(network\.2\.(.*))", "encoder.block.1.$1"},
  };
}

struct Style {
  const char* title;
  std::string config;     // without the classes
  const char* prefix;     // of the model in the one with a classifier
  Names names;            // without the prefix
  Names classifier;       // with it
  const char* processor;  // preprocessor_config.json
};

const char* kSquare32 = R"({"image_processor_type": "ViTImageProcessor", "resample": 3,
                            "size": {"height": 32, "width": 32}})";
const char* kConvNext32 = R"({"image_processor_type": "ConvNextImageProcessor",
                              "size": {"shortest_edge": 32}})";
const char* kBit32 = R"({"image_processor_type": "BitImageProcessor", "crop_size": 32,
                         "size": {"shortest_edge": 36}})";
const char* kPool64 = R"({"image_processor_type": "PoolFormerImageProcessor", "size": 64,
                          "crop_size": 64})";

const Names kFc = {{R"(head\.fc\.(.*))", "classifier.$1"}};
const Names kHead = {{R"(head\.(.*))", "classifier.$1"}};
const Names kTwoHeads = {{R"(head\.(.*))", "cls_classifier.$1"},
                         {R"(head_dist\.(.*))", "distillation_classifier.$1"}};

std::vector<Style> styles() {
  const std::string swin = R"("image_size": 32, "patch_size": 2, "embed_dim": 8, "depths": [2, 1],
                              "num_heads": [1, 2], "window_size": 4)";
  const std::string vit = R"("hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2,
                             "image_size": 32, "patch_size": 8)";
  const std::string dims = R"("hidden_sizes": [8, 16], "depths": [1, 2])";
  return {
      {"swin", R"("model_type": "swin", "architectures": ["SwinForImageClassification"], )" + swin,
       "swin.", swin_names(false), kFc, kSquare32},
      {"swin without classifier",
       R"("model_type": "swin", "architectures": ["SwinModel"], )" + swin,
       "",
       swin_names(false),
       {},
       kSquare32},
      {"swinv2",
       R"("model_type": "swinv2", "architectures": ["Swinv2ForImageClassification"], )" + swin,
       "swinv2.", swin_names(true), kFc, kSquare32},
      {"convnext",
       R"("model_type": "convnext", "architectures": ["ConvNextForImageClassification"], )" + dims,
       "convnext.", convnext_names(), kFc, kConvNext32},
      {"convnextv2",
       R"("model_type": "convnextv2", "architectures": ["ConvNextV2ForImageClassification"], )" +
           dims,
       "convnextv2.", convnext_names(), kFc, kConvNext32},
      {"vit",
       R"("model_type": "vit", "architectures": ["ViTForImageClassification"],
          "intermediate_size": 19, )" +
           vit,
       "vit.", vit_names(), kHead, kSquare32},
      {"vit without classifier",
       R"("model_type": "vit", "architectures": ["ViTModel"], "intermediate_size": 16, )" + vit,
       "",
       vit_names(),
       {},
       kSquare32},
      {"deit with a teacher",
       R"("model_type": "deit", "architectures": ["DeiTForImageClassificationWithTeacher"],
          "intermediate_size": 16, )" +
           vit,
       "deit.", vit_names(), kTwoHeads, kSquare32},
      {"deit",
       R"("model_type": "deit", "architectures": ["DeiTForImageClassification"],
          "intermediate_size": 16, )" +
           vit,
       "deit.", vit_names(), kHead, kSquare32},
      {"dinov2 without classifier",
       R"("model_type": "dinov2", "architectures": ["Dinov2Model"], )" + vit,
       "",
       dinov2_names(),
       {},
       kBit32},
      {"dinov2",
       R"("model_type": "dinov2", "architectures": ["Dinov2ForImageClassification"], )" + vit,
       "dinov2.", dinov2_names(), kHead, kBit32},
      {"dinov2 with registers",
       R"("model_type": "dinov2_with_registers", "num_register_tokens": 2,
          "architectures": ["Dinov2WithRegistersForImageClassification"], )" +
           vit,
       "dinov2_with_registers.", dinov2_names(), kHead, kBit32},
      {"poolformer",
       R"("model_type": "poolformer", "architectures": ["PoolFormerForImageClassification"], )" +
           dims,
       "poolformer.",
       poolformer_names(),
       {{R"(norm\.(.*))", "norm.$1"}, kHead[0]},
       kPool64},
  };
}

// The first line that matches; "" when none does.
std::string translate(const Names& names, const std::string& name) {
  for (const auto& [from, to] : names) {
    const std::regex pattern(from);
    if (std::regex_match(name, pattern)) return std::regex_replace(name, pattern, to);
  }
  return "";
}

GeneratedSource canonical_weights(const ModelSpec& spec) {
  GeneratedSource weights;
  for (const ParamLog::Entry& e : list_parameters(spec)) weights.add(e.name, e.shape, -0.5, 0.5);
  return weights;
}

NamedTensors in_style(const Style& style, const GeneratedSource& weights) {
  NamedTensors tensors;
  for (const std::string& name : weights.names()) {
    std::string theirs = translate(style.classifier, name);
    if (theirs.empty()) theirs = style.prefix + translate(style.names, name);
    EXPECT_NE(theirs, style.prefix) << name;
    const Tensor tensor = weights.load(name);
    const std::size_t at = theirs.find('@');
    if (at == std::string::npos) {
      tensors.emplace_back(theirs, tensor);
      continue;
    }
    Shape shape = tensor.shape();
    shape[0] /= 3;
    const FloatBuffer values = tensor.to_floats();
    const std::size_t part = values.size() / 3;
    for (std::size_t i = 0; i < 3; ++i) {
      const char* which[] = {"query", "key", "value"};
      tensors.emplace_back(std::string(theirs).replace(at, 1, which[i]),
                           Tensor::from_floats(shape, values.span().subspan(i * part, part)));
    }
  }
  return tensors;
}

std::vector<float> logits(const Backbone& net) {
  const Size2d size = net.input_size();
  FloatBuffer pixels(static_cast<std::size_t>(size.h) * size.w * 3);
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    pixels[i] = generated_value(fnv1a("pixels"), i, -1, 1);
  }
  std::vector<float> result(static_cast<std::size_t>(net.num_outputs()));
  Context ctx(1);
  net.logits(CMapF(pixels.data(), 1, size.h, size.w, 3),
             MapF(result.data(), 1, 1, 1, net.num_outputs()), ctx);
  return result;
}

class TransformersFolder : public ::testing::TestWithParam<Style> {};

TEST_P(TransformersFolder, GivesTheBitsOfCanonicalNames) {
  const Style style = GetParam();
  const TemporaryFolder folder;
  const bool classifies = !style.classifier.empty();
  folder.write("config.json",
               "{" + style.config +
                   (classifies ? R"(, "id2label": {"0": "cat", "1": "dog", "2": "owl"}})" : "}"));
  folder.write("preprocessor_config.json", style.processor);
  folder.write("model.safetensors", "");
  ModelSpec spec = find_models(read_hub_folder(folder.path())).at(0);
  const PreprocessConfig input = read_hub_folder(folder.path()).preprocess;
  if (spec.family->takes_img_size) {
    spec.args.set("img_size", {std::int64_t{input.height}});
  }
  const GeneratedSource weights = canonical_weights(spec);
  save_safetensors(folder / "model.safetensors", in_style(style, weights));

  const Model model = Model::load(folder.path());
  const BuiltModel same = build_model(spec, weights, model.backend());
  EXPECT_EQ(model.backbone().num_classes(), classifies ? 3 : 0);
  if (classifies) {
    EXPECT_THAT(model.labels(), ::testing::ElementsAre("cat", "dog", "owl"));
  }
  const std::vector<float> found = logits(model.backbone()), wanted = logits(*same.backbone);
  ASSERT_EQ(found.size(), wanted.size());
  EXPECT_EQ(std::memcmp(found.data(), wanted.data(), found.size() * sizeof(float)), 0);
  EXPECT_NE(found, std::vector<float>(found.size(), found[0]));
}

INSTANTIATE_TEST_SUITE_P(Styles, TransformersFolder, ::testing::ValuesIn(styles()),
                         [](const auto& style) {
                           return std::regex_replace(std::string(style.param.title),
                                                     std::regex(" "), "_");
                         });

}  // namespace
}  // namespace fovea
