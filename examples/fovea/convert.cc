// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "commands.h"
#include "common.h"
#include "fovea/core/cast.h"
#include "fovea/io/checkpoint.h"
#include "fovea/io/hub_folder.h"
#include "fovea/io/save.h"
#include "fovea/models/fit.h"

namespace fovea::tool {
namespace {

namespace fs = std::filesystem;

struct ConvertOptions {
  std::string in, out;
  std::string model;  // of a file
  std::string dtype;  // "": as it is
  CheckpointOptions checkpoint;
};

// A network and what belongs to it.
struct Source {
  ModelSpec spec;
  std::unique_ptr<ParamSource> weights;
  PreprocessConfig preprocess;
  std::vector<std::string> labels;
};

// The registered networks with all the tensors of a file, or the one that was asked for.
ModelSpec spec_of_file(const ConvertOptions& options, const ParamSource& weights) {
  if (!options.model.empty()) {
    ModelSpec spec = best_fit(find_models(options.model), weights);
    const int classes = classes_of(spec, weights);
    if (classes >= 0) spec.args.set("num_classes", {std::int64_t{classes}});
    return spec;
  }
  const std::vector<CheckpointFit> fits = best_fits(weights);
  if (fits.size() == 1 && fits.front().problems.empty()) return fits.front().spec;
  std::string message = options.in + ": --model NAME is wanted, ";
  if (fits.empty() || !fits.front().problems.empty()) {
    message += "as no registered network has just these tensors; `fovea inspect` says more";
  } else {
    message += "as several networks have these tensors and differ in their preprocessing:";
    for (const CheckpointFit& fit : fits) message += " " + fit.spec.name();
  }
  throw Error(Error::Kind::argument, message);
}

Source read_source(const ConvertOptions& options) {
  Source source;
  if (!fs::is_directory(options.in)) {
    source.weights = open_checkpoint(options.in, options.checkpoint);
    source.spec = spec_of_file(options, *source.weights);
    source.preprocess = source.spec.info->preprocess;
    return source;
  }
  if (!options.model.empty()) {
    throw Error(Error::Kind::argument,
                "--model goes with a file, but " + options.in + " is a folder, which says it");
  }
  HubFolder folder = read_hub_folder(options.in);
  source.weights = open_checkpoint(folder.weights, options.checkpoint);
  source.spec = best_fit(find_models(folder), *source.weights);
  source.labels = std::move(folder.labels);
  if (folder.has_preprocess) {
    source.preprocess = folder.preprocess;
  } else if (source.spec.info != nullptr) {
    source.preprocess = source.spec.info->preprocess;
  } else {
    throw Error(Error::Kind::file, (fs::path(options.in) / "preprocessor_config.json").string() +
                                       ": wanted, as nothing else says how pictures are prepared");
  }
  return source;
}

// A registered name whose network has the same tensors, under which a network that came without a
// name can go; `args` says the rest.
const ModelInfo& name_for(const ModelSpec& spec, const ParamSource& weights) {
  if (spec.info != nullptr) return *spec.info;
  for (const ModelInfo& info : spec.family->models) {
    ModelSpec named = spec;
    named.info = &info;
    if (check_fit(named, weights).problems.empty()) return info;
  }
  throw Error(Error::Kind::argument, "no registered name fits " + spec.name());
}

Json to_json(const ArgValue& value) {
  return std::visit(
      [](const auto& v) -> Json {
        if constexpr (std::is_same_v<std::decay_t<decltype(v)>, ArgValue::Array>) {
          Json array = Json::array();
          for (const ArgValue& item : v) array.push_back(to_json(item));
          return array;
        } else {
          return v;
        }
      },
      value.value);
}

// timm's form, which read_hub_folder() reads; keys that timm does not know are there too.
Json config_of(const Source& source) {
  const PreprocessConfig& p = source.preprocess;
  const auto triple = [](const std::array<float, 3>& v) {
    return Json{shortest(v[0]), shortest(v[1]), shortest(v[2])};
  };
  Json args = Json::object();
  for (const auto& [name, value] : source.spec.args) args[name] = to_json(value);
  int classes = source.spec.info != nullptr ? source.spec.info->num_classes : 0;
  source.spec.args.read("num_classes", classes, 0, 1 << 30);
  Json config = {{"architecture", name_for(source.spec, *source.weights).name},
                 {"num_classes", classes},
                 {"model_args", std::move(args)},
                 {"pretrained_cfg",
                  {{"input_size", {3, p.height, p.width}},
                   {"interpolation", name(p.interpolation)},
                   {"crop_pct", p.crop_pct},
                   {"crop_mode", name(p.crop_mode)},
                   {"crop_rounds_down", p.crop_rounds_down},
                   {"mean", triple(p.mean)},
                   {"std", triple(p.std)},
                   {"num_classes", classes}}}};
  std::vector<std::string> labels = source.labels;
  // A registered name must not make ImageNet's classes of those that nobody named.
  for (int i = 0; source.spec.info == nullptr && source.labels.empty() && i < classes; ++i) {
    labels.push_back("LABEL_" + std::to_string(i));
  }
  if (!labels.empty()) config["label_names"] = std::move(labels);
  return config;
}

std::int64_t count_infinite(const Tensor& tensor) {
  std::int64_t count = 0;
  for (const float v : tensor.to_floats()) count += std::isinf(v) ? 1 : 0;
  return count;
}

NamedTensors read_tensors(const Source& source, const std::optional<DType>& dtype) {
  const CanonicalWeights weights(source.spec, *source.weights);
  NamedTensors tensors;
  tensors.reserve(weights.size());
  for (std::size_t i = 0; i < weights.size(); ++i) {
    Tensor tensor = weights.load(i);
    if (dtype) {
      Tensor converted = cast(tensor, *dtype);
      if (*dtype != DType::f32 && count_infinite(converted) > count_infinite(tensor)) {
        throw Error(Error::Kind::file,
                    source.weights->description() + ": the tensor " + printable(weights.name(i)) +
                        " has values too large for " + std::string(to_string(*dtype)));
      }
      tensor = std::move(converted);
    }
    tensors.emplace_back(weights.name(i), std::move(tensor));
  }
  return tensors;
}

std::optional<DType> dtype_by_name(const std::string& name) {
  for (const DType dtype : {DType::f32, DType::f16, DType::bf16}) {
    if (name == to_string(dtype)) return dtype;
  }
  return std::nullopt;
}

// Nothing is overwritten: the folder around OUT becomes a hub folder.
void check_output(const fs::path& out) {
  if (output_format(out) != OutputFormat::safetensors) {
    throw Error(Error::Kind::argument, out.string() + ": wanted a name that ends in .safetensors");
  }
  const fs::path folder = out.parent_path();
  for (const fs::path& path : {out, folder / "config.json", folder / "model.safetensors",
                               folder / "model.safetensors.index.json"}) {
    if (fs::exists(path)) {
      throw Error(Error::Kind::argument, path.string() +
                                             ": exists already; OUT and its config.json go to a "
                                             "folder without a checkpoint");
    }
  }
}

int convert(const ConvertOptions& options) {
  const fs::path out = options.out;
  check_output(out);
  const Source source = read_source(options);
  const NamedTensors tensors = read_tensors(source, dtype_by_name(options.dtype));
  const std::string config = config_of(source).dump(2) + "\n";
  save_safetensors(out, tensors);
  save_text(out.parent_path() / "config.json", config);
  std::cout << out.string() << ": " << tensors.size() << " tensors of " << source.spec.name()
            << ", with config.json beside it\n";
  return kOk;
}

}  // namespace

Command add_convert(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("convert", "A checkpoint as a hub folder in canonical names");
  const auto options = std::make_shared<ConvertOptions>();
  sub->add_option("in", options->in, "A checkpoint, the index of its shards, or a hub folder")
      ->required()
      ->type_name("FILE|DIR");
  sub->add_option("out", options->out, "The file to write; config.json is put beside it")
      ->required()
      ->type_name("OUT.safetensors");
  sub->add_option("--model", options->model,
                  "The network of a file, a name of `fovea list`; default: the only one that fits")
      ->type_name("NAME");
  sub->add_option("--dtype", options->dtype, "Type of the numbers; default: as they are")
      ->check(CLI::IsMember({"f32", "f16", "bf16"}))
      ->type_name("f32|f16|bf16");
  add_checkpoint_options(*sub, options->checkpoint);
  sub->footer(
      "Examples:\n"
      "  fovea convert swin_tiny.pth swin/model.safetensors --model swin_tiny_patch4_window7_224\n"
      "  fovea convert transformers_folder/ small/model.safetensors --dtype f16");
  return {sub, [options] { return convert(*options); }};
}

}  // namespace fovea::tool
