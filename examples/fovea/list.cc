// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <memory>
#include <string>

#include "commands.h"
#include "common.h"
#include "fovea/models/registry.h"

namespace fovea::tool {
namespace {

struct ListOptions {
  std::string pattern = "*";
  bool json = false;
};

std::string size_string(const PreprocessConfig& config) {
  return std::to_string(config.height) + "x" + std::to_string(config.width);
}

int list(const ListOptions& options) {
  const std::vector<NamedModel> models = list_models(options.pattern);
  if (models.empty()) {
    throw Error(Error::Kind::argument, "no network's name matches \"" + options.pattern + "\"");
  }
  if (options.json) {
    Json all = Json::array();
    for (const auto& [family, info] : models) {
      all.push_back({{"name", info->name},
                     {"family", family->name},
                     {"num_classes", info->num_classes},
                     {"input_size", {info->preprocess.height, info->preprocess.width}}});
    }
    print(all);
    return kOk;
  }
  std::size_t width = 0;
  for (const auto& [family, info] : models) width = std::max(width, info->name.size());
  for (const auto& [family, info] : models) {
    std::cout << std::left << std::setw(static_cast<int>(width) + 2) << info->name << std::setw(12)
              << family->name << std::setw(9) << size_string(info->preprocess) << ' '
              << info->num_classes << " classes\n";
  }
  return kOk;
}

}  // namespace

Command add_list(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("list", "The networks that Fovea knows by name");
  const auto options = std::make_shared<ListOptions>();
  sub->add_option("pattern", options->pattern, "Wildcard pattern, in quotes")
      ->type_name("GLOB")
      ->capture_default_str();
  sub->add_flag("--json", options->json, "Print JSON");
  sub->footer("Examples:\n  fovea list\n  fovea list 'swin*' --json");
  return {sub, [options] { return list(*options); }};
}

}  // namespace fovea::tool
