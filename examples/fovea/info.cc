// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "commands.h"
#include "common.h"
#include "fovea/core/context.h"

namespace fovea::tool {
namespace {

struct InfoOptions {
  ModelOptions model;
  int batch = 1;
};

struct Level {
  int index, h, w;
};

// What a forward takes, found by a dry run.
struct Cost {
  std::int64_t macs = 0;  // of one picture
  std::size_t workspace = 0;
  std::vector<Level> pyramid;
};

Cost measure(const Model& model, int batch) {
  Context ctx(1);
  ctx.set_dry_run(true);
  const Workspace::Scope scope(ctx.workspace());
  const PreprocessConfig& config = model.preprocess_config();
  const MapF x = ctx.workspace().map(batch, config.height, config.width, 3);
  const MapF y = ctx.workspace().map(batch, 1, 1, model.backbone().num_outputs());
  model.backbone().logits(x, y, ctx);
  Cost cost;
  cost.macs = ctx.macs() / batch;
  cost.workspace = ctx.workspace().peak();
  const FeatureSink sink = [&cost](int level, CMapF features) {
    cost.pyramid.push_back({level, features.h, features.w});
  };
  model.backbone().logits(x.image(0), y.image(0), ctx, &sink);
  return cost;
}

Json to_json(const std::array<float, 3>& v) {
  return Json::array({shortest(v[0]), shortest(v[1]), shortest(v[2])});
}

std::string_view label_source(const Model& model) {
  switch (model.label_source()) {
    case Model::LabelSource::checkpoint:
      return "checkpoint";
    case Model::LabelSource::imagenet_1k:
      return "imagenet-1k";
    case Model::LabelSource::none:
      break;
  }
  return "";
}

Json to_json(const Model& model, const Cost& cost, int batch) {
  const Backbone& net = model.backbone();
  const PreprocessConfig& config = model.preprocess_config();
  Json pyramid = Json::array();
  for (const Level& level : cost.pyramid) {
    const FeatureInfo& info = net.feature_info()[static_cast<std::size_t>(level.index)];
    pyramid.push_back({{"level", level.index},
                       {"module", info.module},
                       {"channels", info.channels},
                       {"reduction", info.reduction},
                       {"size", {level.h, level.w}}});
  }
  return {{"name", model.spec().name()},
          {"family", model.spec().family->name},
          {"description", model.spec().family->description},
          {"parameters", model.parameters()},
          {"input_size", {config.height, config.width}},
          {"batch", batch},
          {"gmacs", static_cast<double>(cost.macs) * 1e-9},
          {"num_classes", net.num_classes()},
          {"labels", model.labels().size()},
          {"labels_from", label_source(model)},
          {"pooled_features", net.pooled_features()},
          {"pyramid", std::move(pyramid)},
          {"packed_bytes", model.packed_bytes()},
          {"workspace_bytes", cost.workspace},
          {"backend", model.backend().name()},
          {"isa", model.backend().isa()},
          {"preprocessing",
           {{"input_size", {config.height, config.width}},
            {"interpolation", name(config.interpolation)},
            {"crop_pct", config.crop_pct},
            {"crop_mode", name(config.crop_mode)},
            {"mean", to_json(config.mean)},
            {"std", to_json(config.std)}}}};
}

std::string mib(std::size_t bytes) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(1) << static_cast<double>(bytes) / (1 << 20) << " MiB";
  return text.str();
}

std::string triple(const std::array<float, 3>& v) {
  std::ostringstream text;
  text << v[0] << ' ' << v[1] << ' ' << v[2];
  return text.str();
}

void print_text(const Model& model, const Cost& cost, int batch) {
  const Backbone& net = model.backbone();
  const PreprocessConfig& config = model.preprocess_config();
  const std::string size = std::to_string(config.height) + "x" + std::to_string(config.width);
  std::ostringstream out;
  out << model.spec().name() << " (" << model.spec().family->name << ": "
      << model.spec().family->description << ")\n"
      << std::fixed << std::setprecision(2)  //
      << "parameters     " << static_cast<double>(model.parameters()) * 1e-6 << " million\n"
      << "compute        " << static_cast<double>(cost.macs) * 1e-9 << " GMACs at " << size << "\n"
      << "classes        " << net.num_classes() << ", " << model.labels().size() << " labels"
      << (model.labels().empty() ? "" : " of ") << label_source(model) << "\n"
      << "pooled         " << net.pooled_features() << " features\n"
      << "packed weights " << mib(model.packed_bytes()) << " (" << model.backend().name()
      << (model.backend().isa().empty() ? "" : " ") << model.backend().isa() << ")\n"
      << "workspace      " << mib(cost.workspace) << " for a batch of " << batch << "\n"
      << "preprocessing  " << size << ", " << name(config.interpolation) << ", crop "
      << std::setprecision(3) << config.crop_pct << ' ' << name(config.crop_mode) << ", mean "
      << triple(config.mean) << ", std " << triple(config.std) << "\n"
      << "pyramid        level  channels  reduction  size     module\n";
  for (const Level& level : cost.pyramid) {
    const FeatureInfo& info = net.feature_info()[static_cast<std::size_t>(level.index)];
    out << std::right << std::setw(20) << level.index << std::setw(10) << info.channels
        << std::setw(11) << info.reduction << "  " << std::left << std::setw(9)
        << std::to_string(level.h) + "x" + std::to_string(level.w) << info.module << "\n";
  }
  std::cout << out.str();
}

int info(const InfoOptions& options) {
  const Model model = load_model(options.model, /*allow_untrained=*/true);
  const Cost cost = measure(model, options.batch);
  if (options.model.json) {
    print(to_json(model, cost, options.batch));
  } else {
    print_text(model, cost, options.batch);
  }
  return kOk;
}

}  // namespace

Command add_info(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("info", "Size, cost and preprocessing of a network");
  const auto options = std::make_shared<InfoOptions>();
  sub->add_option("model,-m,--model", options->model.model,
                  "Folder with config.json and model.safetensors, or a name of `fovea list`")
      ->required()
      ->type_name("DIR|NAME");
  sub->add_option("--batch", options->batch, "Pictures that the workspace is measured for")
      ->check(whole_number(1, 4096))
      ->type_name("N")
      ->capture_default_str();
  add_model_options(*sub, options->model);
  sub->footer(
      "Without --weights, a name is measured with all weights zero.\n\nExamples:\n"
      "  fovea info swin_tiny_patch4_window7_224 --img-size 384\n"
      "  fovea info examples/models/convnext --json");
  return {sub, [options] { return info(*options); }};
}

}  // namespace fovea::tool
