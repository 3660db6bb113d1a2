// SPDX-License-Identifier: Apache-2.0
//
// config.json as timm writes it.
#include <cstdint>
#include <string>

#include "src/io/hub_config.h"
#include "src/io/json_section.h"

namespace fovea {
namespace {

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
  any |= cfg.read("crop_rounds_down", config.crop_rounds_down);  // our own, see `fovea convert`
  folder.has_preprocess = any;
}

// Arguments that timm takes from pretrained_cfg unless model_args has them.
void read_args(const Section& top, const Section& cfg, HubFolder& folder) {
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
}

}  // namespace

void read_timm_config(const Json& json, const std::string& file, HubFolder& folder) {
  const Section top(json, file);
  if (!top.read("architecture", folder.architecture) || folder.architecture.empty()) {
    throw Error(Error::Kind::file,
                file +
                    ": wanted architecture (a folder of timm) or model_type (one "
                    "of transformers), found neither");
  }
  // The older form has the keys of pretrained_cfg beside the architecture.
  const Json* nested = top.find("pretrained_cfg");
  const Section cfg = nested != nullptr ? Section(*nested, file + ": pretrained_cfg") : top;
  read_preprocess(cfg, file, folder);
  if (!top.read_labels("label_names", folder.labels) &&
      !cfg.read_labels("label_names", folder.labels)) {
    top.read_labels("labels", folder.labels);
  }
  read_args(top, cfg, folder);
}

}  // namespace fovea
