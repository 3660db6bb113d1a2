// SPDX-License-Identifier: Apache-2.0
#include "fovea/io/hub_folder.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "fovea/core/error.h"
#include "src/io/json.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20;
constexpr int kMaxInputSize = 1 << 14;  // pixels a side
constexpr std::string_view kWeights = "model.safetensors";
constexpr std::string_view kIndex = "model.safetensors.index.json";

ArgValue to_arg(const Json& value, const std::string& name, Error::Kind kind) {
  switch (value.type()) {
    case Json::value_t::null:
      return {nullptr};
    case Json::value_t::boolean:
      return {value.get<bool>()};
    case Json::value_t::string:
      return {value.get<std::string>()};
    case Json::value_t::number_float:
      return {value.get<double>()};
    case Json::value_t::array: {
      ArgValue::Array array;
      for (const Json& item : value) array.push_back(to_arg(item, name, kind));
      return {std::move(array)};
    }
    case Json::value_t::number_integer:
      return {value.get<std::int64_t>()};
    case Json::value_t::number_unsigned:
      if (value.get<std::uint64_t>() <= std::numeric_limits<std::int64_t>::max()) {
        return {value.get<std::int64_t>()};
      }
      break;
    default:
      break;
  }
  throw Error(kind, name + ": wanted a number, a string, true, false, null or an array, found " +
                        describe(value));
}

ModelArgs to_args(const Json& object, const std::string& where, Error::Kind kind) {
  if (!object.is_object()) {
    throw Error(kind, where + ": wanted an object, found " + describe(object));
  }
  ModelArgs args;
  for (const auto& [name, value] : object.items()) {
    args.set(name, to_arg(value, where + ": " + in_quotes(name), kind));
  }
  return args;
}

// An object of config.json, read key by key. A key that is absent or null leaves its field alone.
class Section {
 public:
  Section(const Json& object, std::string where) : object_(object), where_(std::move(where)) {
    if (!object.is_object()) {
      throw Error(Error::Kind::file, where_ + ": wanted an object, found " + describe(object));
    }
  }

  const Json* find(const std::string& key) const {
    const auto found = object_.find(key);
    return found == object_.end() || found->is_null() ? nullptr : &*found;
  }

  [[noreturn]] void fail(const std::string& key, const std::string& wanted,
                         const Json& found) const {
    throw Error(Error::Kind::file,
                where_ + ": " + key + ": wanted " + wanted + ", found " + describe(found));
  }

  std::string where(const std::string& key) const { return where_ + ": " + key; }

  bool read(const std::string& key, std::string& field) const {
    return read_if(key, "a string", &Json::is_string, field);
  }
  bool read(const std::string& key, bool& field) const {
    return read_if(key, "true or false", &Json::is_boolean, field);
  }
  bool read(const std::string& key, double& field) const {
    return read_if(key, "a number", &Json::is_number, field);
  }
  bool read(const std::string& key, std::array<float, 3>& field) const {
    const Json* value = find(key);
    if (value == nullptr) return false;
    const bool sound = value->is_array() && value->size() == 3 &&
                       std::all_of(value->begin(), value->end(),
                                   [](const Json& number) { return number.is_number(); });
    if (!sound) fail(key, "three numbers", *value);
    for (std::size_t i = 0; i < 3; ++i) field[i] = static_cast<float>((*value)[i].get<double>());
    return true;
  }
  bool read(const std::string& key, std::vector<std::string>& field) const {
    const Json* value = find(key);
    if (value == nullptr) return false;
    if (!value->is_array()) fail(key, "an array of names", *value);
    field.clear();
    for (const Json& item : *value) {
      if (!item.is_string()) fail(key, "names only", item);
      field.push_back(item.get<std::string>());
    }
    return true;
  }
  // A number in [0, INT_MAX].
  bool read_count(const std::string& key, int& field) const {
    const Json* value = find(key);
    if (value == nullptr) return false;
    field = count(key, "a whole number of at least 0", *value, 0, std::numeric_limits<int>::max());
    return true;
  }
  // [3, height, width].
  bool read_input_size(const std::string& key, int& height, int& width) const {
    const Json* value = find(key);
    if (value == nullptr) return false;
    const std::string wanted = "[3, height, width] with sizes from 1 to 16384";
    if (!value->is_array() || value->size() != 3) fail(key, wanted, *value);
    count(key, wanted, (*value)[0], 3, 3);
    height = count(key, wanted, (*value)[1], 1, kMaxInputSize);
    width = count(key, wanted, (*value)[2], 1, kMaxInputSize);
    return true;
  }

 private:
  template <class Field>
  bool read_if(const std::string& key, const std::string& wanted,
               bool (Json::*is_wanted)() const noexcept, Field& field) const {
    const Json* value = find(key);
    if (value == nullptr) return false;
    if (!(value->*is_wanted)()) fail(key, wanted, *value);
    field = value->get<Field>();
    return true;
  }

  int count(const std::string& key, const std::string& wanted, const Json& value, int lo,
            int hi) const {
    // Negative numbers have a type of their own.
    const bool sound = value.is_number_unsigned() &&
                       value.get<std::uint64_t>() >= static_cast<std::uint64_t>(lo) &&
                       value.get<std::uint64_t>() <= static_cast<std::uint64_t>(hi);
    if (!sound) fail(key, wanted, value);
    return value.get<int>();
  }

  const Json& object_;
  std::string where_;
};

// Runs `convert`, whose Error(argument) is about a value of the file, as one of the file.
template <class Convert>
auto of_file(const std::string& where, const Convert& convert) {
  try {
    return convert();
  } catch (const Error& e) {
    throw Error(Error::Kind::file, where + ": " + e.what());
  }
}

void read_preprocess(const Section& cfg, const std::string& file, HubFolder& folder) {
  PreprocessConfig& config = folder.preprocess;
  // Not a chain of ||: every key is to be read.
  bool any = cfg.read_input_size("input_size", config.height, config.width);
  any |= cfg.read("crop_pct", config.crop_pct);
  any |= cfg.read("mean", config.mean);
  any |= cfg.read("std", config.std);
  std::string name;
  if (cfg.read("interpolation", name)) {
    config.interpolation = of_file(file, [&] { return filter_from_name(name); });
    any = true;
  }
  if (cfg.read("crop_mode", name)) {
    config.crop_mode = of_file(file, [&] { return crop_mode_from_name(name); });
    any = true;
  }
  of_file(file, [&] { validate(config); });
  folder.has_preprocess = any;
}

// Arguments that timm takes from pretrained_cfg unless model_args has them.
void read_args(const Section& top, const Section& cfg, const std::string& file, HubFolder& folder) {
  if (const Json* args = top.find("model_args")) {
    folder.args = to_args(*args, top.where("model_args"), Error::Kind::file);
  }
  int classes = 0;
  const bool has_classes =
      top.read_count("num_classes", classes) || cfg.read_count("num_classes", classes);
  if (has_classes && !folder.args.has("num_classes")) {
    folder.args.set("num_classes", {std::int64_t{classes}});
  }
  std::string pool;
  if (cfg.read("global_pool", pool) && !folder.args.has("global_pool")) {
    folder.args.set("global_pool", {pool});
  }
  bool fixed = false;
  if (cfg.read("fixed_input_size", fixed) && fixed && cfg.find("input_size") != nullptr &&
      !folder.args.has("img_size")) {
    folder.args.set("img_size", {ArgValue::Array{{std::int64_t{folder.preprocess.height}},
                                                 {std::int64_t{folder.preprocess.width}}}});
  }
  // What the arguments say in the end is what the network has.
  of_file(file,
          [&] { folder.args.read("num_classes", classes, 0, std::numeric_limits<int>::max()); });
  const bool mismatch = folder.args.has("num_classes") && !folder.labels.empty() &&
                        folder.labels.size() != static_cast<std::size_t>(classes);
  if (mismatch) {
    throw Error(Error::Kind::file, file + ": wanted one label for each of " +
                                       std::to_string(classes) + " classes, found " +
                                       std::to_string(folder.labels.size()));
  }
}

fs::path find_weights(const fs::path& folder) {
  std::error_code ignored;
  for (const std::string_view name : {kWeights, kIndex}) {
    if (fs::exists(folder / name, ignored)) return folder / name;
  }
  std::string message = folder.string() + ": no weights; looked for " + std::string(kWeights) +
                        " and " + std::string(kIndex);
  std::vector<std::string> pickles;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    const std::string extension = entry.path().extension().string();
    if (extension == ".bin" || extension == ".pth" || extension == ".pt") {
      pickles.push_back(entry.path().filename().string());
    }
  }
  if (!pickles.empty()) {
    message += "; " + *std::min_element(pickles.begin(), pickles.end()) +
               " must be converted to safetensors";
  }
  throw Error(Error::Kind::file, message);
}

}  // namespace

HubFolder read_hub_folder(const fs::path& path) {
  const fs::path config = path / "config.json";
  const std::string file = config.string();
  const Json json = read_json(config, kMaxConfigBytes);
  const Section top(json, file);

  HubFolder folder;
  folder.path = path;
  if (!top.read("architecture", folder.architecture) || folder.architecture.empty()) {
    throw Error(Error::Kind::file, file + ": architecture is missing" +
                                       (top.find("model_type") != nullptr
                                            ? "; this is a transformers folder, wanted one of timm"
                                            : ""));
  }
  // The older form has the keys of pretrained_cfg beside the architecture.
  const Json* nested = top.find("pretrained_cfg");
  const Section cfg = nested != nullptr ? Section(*nested, file + ": pretrained_cfg") : top;
  read_preprocess(cfg, file, folder);
  if (!top.read("label_names", folder.labels) && !cfg.read("label_names", folder.labels)) {
    top.read("labels", folder.labels);
  }
  read_args(top, cfg, file, folder);
  folder.weights = find_weights(path);
  return folder;
}

ModelArgs parse_model_args(std::string_view json) {
  const std::string where = "model arguments";
  return to_args(parse_json(json, where, Error::Kind::argument), where, Error::Kind::argument);
}

}  // namespace fovea
