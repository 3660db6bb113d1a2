// SPDX-License-Identifier: Apache-2.0
//
// config.json as transformers writes it: its keys in the words of our families. What a key changes
// and we have no word for is refused by name; keys that do not matter at inference are not looked
// at. Defaults are those of the configuration classes, since old files leave newer keys out.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "src/io/hub_config.h"
#include "src/io/json_section.h"

namespace fovea {
namespace {

// A line of a table of keys.
struct Key {
  const char* key;
  const char* arg;        // the argument that gets its value, or null
  const char* otherwise;  // the value when the key is absent, as JSON; without an argument the only
                          // one that can be had
};

constexpr Key kSwinKeys[] = {
    {"patch_size", "patch_size", "4"},    {"embed_dim", "embed_dim", "96"},
    {"depths", "depths", "[2, 2, 6, 2]"}, {"num_heads", "num_heads", "[3, 6, 12, 24]"},
    {"window_size", "window_size", "7"},  {"mlp_ratio", "mlp_ratio", "4.0"},
    {"qkv_bias", "qkv_bias", "true"},     {"use_absolute_embeddings", nullptr, "false"},
    {"layer_norm_eps", nullptr, "1e-5"},  {"hidden_act", nullptr, "\"gelu\""},
};
constexpr Key kSwinV2Keys[] = {
    {"patch_size", "patch_size", "4"},
    {"embed_dim", "embed_dim", "96"},
    {"depths", "depths", "[2, 2, 6, 2]"},
    {"num_heads", "num_heads", "[3, 6, 12, 24]"},
    {"window_size", "window_size", "7"},
    {"pretrained_window_sizes", "pretrained_window_sizes", "[0, 0, 0, 0]"},
    {"mlp_ratio", "mlp_ratio", "4.0"},
    {"qkv_bias", "qkv_bias", "true"},
    {"use_absolute_embeddings", nullptr, "false"},
    {"layer_norm_eps", nullptr, "1e-5"},
    {"hidden_act", "act_layer", "\"gelu\""},
};
constexpr Key kConvNeXtKeys[] = {
    {"hidden_sizes", "dims", "[96, 192, 384, 768]"},
    {"depths", "depths", "[3, 3, 9, 3]"},
    {"patch_size", "patch_size", "4"},
    {"layer_norm_eps", "head_norm_eps", "1e-12"},
    {"hidden_act", "act_layer", "\"gelu\""},
};
constexpr Key kVitKeys[] = {
    {"hidden_size", "embed_dim", "768"},        {"num_hidden_layers", "depth", "12"},
    {"num_attention_heads", "num_heads", "12"}, {"patch_size", "patch_size", "16"},
    {"qkv_bias", "qkv_bias", "true"},           {"layer_norm_eps", "norm_eps", "1e-12"},
    {"hidden_act", "act_layer", "\"gelu\""},
};
constexpr Key kDinoV2Keys[] = {
    {"hidden_size", "embed_dim", "768"},
    {"num_hidden_layers", "depth", "12"},
    {"num_attention_heads", "num_heads", "12"},
    {"patch_size", "patch_size", "16"},
    {"mlp_ratio", "mlp_ratio", "4"},
    {"qkv_bias", "qkv_bias", "true"},
    {"layer_norm_eps", "norm_eps", "1e-6"},
    {"hidden_act", "act_layer", "\"gelu\""},
    {"use_swiglu_ffn", nullptr, "false"},
};
constexpr Key kPoolFormerKeys[] = {
    {"hidden_sizes", "embed_dims", "[64, 128, 320, 512]"},
    {"depths", "layers", "[2, 2, 6, 2]"},
    {"mlp_ratio", "mlp_ratios", "4.0"},
    {"pool_size", "pool_size", "3"},
    {"use_layer_scale", "use_layer_scale", "true"},
    {"hidden_act", "act_layer", "\"gelu\""},
};

void set(HubFolder& folder, const std::string& name, std::int64_t value) {
  folder.args.set(name, {value});
}
void set(HubFolder& folder, const std::string& name, double value) {
  folder.args.set(name, {value});
}
void set(HubFolder& folder, const std::string& name, bool value) { folder.args.set(name, {value}); }

// What the head is made of.
enum class Head { none, one, with_teacher };

// --- What is more than a copy of values.

void set_convnext(const Section& config, Head, HubFolder& folder) {
  double scale = 1e-6;
  config.read("layer_scale_init_value", scale);
  folder.args.set("ls_init_value", scale > 0 ? ArgValue{scale} : ArgValue{nullptr});
}

void set_convnextv2(const Section&, Head, HubFolder& folder) {
  set(folder, "use_grn", true);
  folder.args.set("ls_init_value", {nullptr});
}

// The ratio whose product with `width` truncates to `hidden`.
double ratio_of(int hidden, int width) {
  const double ratio = static_cast<double>(hidden) / width;
  return static_cast<int>(width * ratio) == hidden ? ratio : std::nextafter(ratio, hidden + 1.0);
}

void set_vit(const Section& config, Head, HubFolder& folder) {
  int width = 768, hidden = 3072;
  config.read_count("hidden_size", width);
  config.read_count("intermediate_size", hidden);
  if (width > 0) set(folder, "mlp_ratio", ratio_of(hidden, width));
  set(folder, "pos_embed_antialias", false);
}

void set_deit(const Section& config, Head head, HubFolder& folder) {
  set_vit(config, head, folder);
  set(folder, "distilled", true);
  set(folder, "distilled_head", head == Head::with_teacher);
}

void set_dinov2(const Section&, Head head, HubFolder& folder) {
  set(folder, "init_values", 1.0);
  set(folder, "pos_embed_antialias", false);
  if (head == Head::one) folder.args.set("global_pool", {std::string("token_avg")});
}

void set_dinov2_registers(const Section& config, Head head, HubFolder& folder) {
  set_dinov2(config, head, folder);
  set(folder, "no_embed_class", true);
  set(folder, "pos_embed_antialias", true);
  int registers = 4;
  config.read_count("num_register_tokens", registers);
  set(folder, "reg_tokens", std::int64_t{registers});
}

// The first of a list is of the image, the others, all alike, are between stages.
void set_patches(const Section& config, const std::string& key, std::array<int, 2> values,
                 const std::string& arg, HubFolder& folder) {
  if (const Json* list = config.find(key)) {
    const std::string wanted = "a list of sizes, all but the first alike";
    if (!list->is_array() || list->size() < 2) config.fail(key, wanted, *list);
    for (std::size_t i = 0; i < list->size(); ++i) {
      const int value = config.count(key, wanted, (*list)[i], 0, 1024);
      if (i >= 2 && value != values[1]) config.fail(key, wanted, (*list)[i]);
      values[std::min<std::size_t>(i, 1)] = value;
    }
  }
  set(folder, "in_" + arg, std::int64_t{values[0]});
  set(folder, "down_" + arg, std::int64_t{values[1]});
}

void set_poolformer(const Section& config, Head head, HubFolder& folder) {
  if (head == Head::none) {
    throw Error(Error::Kind::file, config.where("architectures") +
                                       ": PoolFormerModel has no norm after its last stage, wanted "
                                       "PoolFormerForImageClassification");
  }
  set_patches(config, "patch_sizes", {7, 3}, "patch_size", folder);
  set_patches(config, "strides", {4, 2}, "stride", folder);
  set_patches(config, "padding", {2, 1}, "pad", folder);
}

void set_nothing(const Section&, Head, HubFolder&) {}

struct ModelType {
  std::string_view name;        // model_type
  std::string_view class_name;  // with "Model" and the like after it
  std::string_view family;
  std::span<const Key> keys;
  void (*set_others)(const Section& config, Head head, HubFolder& folder);
};

constexpr ModelType kModelTypes[] = {
    {"swin", "Swin", "swin", kSwinKeys, set_nothing},
    {"swinv2", "Swinv2", "swinv2", kSwinV2Keys, set_nothing},
    {"convnext", "ConvNext", "convnext", kConvNeXtKeys, set_convnext},
    {"convnextv2", "ConvNextV2", "convnext", kConvNeXtKeys, set_convnextv2},
    {"vit", "ViT", "vit", kVitKeys, set_vit},
    {"deit", "DeiT", "vit", kVitKeys, set_deit},
    {"dinov2", "Dinov2", "vit", kDinoV2Keys, set_dinov2},
    {"dinov2_with_registers", "Dinov2WithRegisters", "vit", kDinoV2Keys, set_dinov2_registers},
    {"poolformer", "PoolFormer", "poolformer", kPoolFormerKeys, set_poolformer},
};

const ModelType& find_model_type(const Section& config) {
  std::string name, known;
  config.read("model_type", name);
  for (const ModelType& type : kModelTypes) {
    if (type.name == name) return type;
    known += (known.empty() ? "" : ", ") + std::string(type.name);
  }
  throw Error(Error::Kind::file, config.where("model_type") + ": there is no network for " +
                                     in_quotes(name) + "; the known ones are " + known);
}

Head read_head(const Section& config, const ModelType& type, HubFolder& folder) {
  const Json* classes = config.find("architectures");
  const std::string prefix(type.class_name);
  const std::string classifier = prefix + "ForImageClassification";
  const std::string wanted = "[\"" + classifier + "\"] or [\"" + prefix + "Model\"]";
  if (classes == nullptr) {
    throw Error(Error::Kind::file,
                config.where("architectures") + ": wanted " + wanted + ", found nothing");
  }
  if (!classes->is_array() || classes->size() != 1 || !(*classes)[0].is_string()) {
    config.fail("architectures", wanted, *classes);
  }
  folder.architecture = (*classes)[0].get<std::string>();
  if (folder.architecture == classifier) return Head::one;
  if (folder.architecture == prefix + "Model") return Head::none;
  if (folder.architecture == "DeiTForImageClassificationWithTeacher" && type.name == "deit") {
    return Head::with_teacher;
  }
  config.fail("architectures", wanted, (*classes)[0]);
}

void read_keys(const Section& config, const ModelType& type, HubFolder& folder) {
  for (const Key& key : type.keys) {
    const Json otherwise = Json::parse(key.otherwise);
    const Json* found = config.find(key.key);
    const Json& value = found != nullptr ? *found : otherwise;
    if (key.arg != nullptr) {
      folder.args.set(key.arg, to_arg(value, config.where(key.key), Error::Kind::file));
    } else if (value != otherwise) {
      config.fail(key.key, std::string(key.otherwise) + ", as others are not supported", value);
    }
  }
  if (const Json* channels = config.find("num_channels"); channels != nullptr && *channels != 3) {
    config.fail("num_channels", "3, for red, green and blue", *channels);
  }
}

// One class more or less than the labels is a mistake; without either there are two.
int read_classes(const Section& config, HubFolder& folder) {
  int classes = 2;
  const bool has_count = config.read_count("num_labels", classes);
  if (!config.read_labels("id2label", folder.labels)) return classes;
  const int labels = static_cast<int>(folder.labels.size());
  if (has_count && labels != classes) {
    throw Error(Error::Kind::file, config.where("id2label") + ": wanted one label for each of " +
                                       std::to_string(classes) + " classes, found " +
                                       std::to_string(labels));
  }
  return labels;
}

}  // namespace

void read_transformers_config(const Json& json, const std::string& file, HubFolder& folder) {
  const Section config(json, file);
  const ModelType& type = find_model_type(config);
  folder.family = type.family;
  const Head head = read_head(config, type, folder);
  read_keys(config, type, folder);
  type.set_others(config, head, folder);
  set(folder, "num_classes", std::int64_t{head == Head::none ? 0 : read_classes(config, folder)});
  read_transformers_preprocess(folder.path / "preprocessor_config.json", std::string(type.name),
                               folder);
}

}  // namespace fovea
