// SPDX-License-Identifier: Apache-2.0
#include "fovea/io/hub_folder.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "fovea/core/error.h"
#include "src/io/hub_config.h"
#include "src/io/json_section.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxConfigBytes = std::size_t{16} << 20;

// timm's order of preference, with the indices of sharded checkpoints after the files they replace.
constexpr std::string_view kWeights[] = {
    "model.safetensors",           "model.safetensors.index.json",
    "pytorch_model.bin",           "pytorch_model.bin.index.json",
    "pytorch_model.pth",           "model.pth",
    "open_clip_model.safetensors", "open_clip_pytorch_model.safetensors",
    "open_clip_pytorch_model.bin", "open_clip_pytorch_model.pth"};
constexpr std::string_view kExtensions[] = {".safetensors", ".pth", ".pth.tar", ".bin"};

// Files that training leaves beside a model and that are none.
constexpr std::string_view kNoWeights[] = {"training_args.bin", "optimizer.bin", "scheduler.bin"};

// Any file of the best extension, the first by name.
std::optional<fs::path> other_weights(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    std::string name = entry.path().filename().string();
    const bool other =
        std::find(std::begin(kNoWeights), std::end(kNoWeights), name) != std::end(kNoWeights);
    if (!other && entry.is_regular_file(ignored)) names.push_back(std::move(name));
  }
  std::sort(names.begin(), names.end());
  for (const std::string_view extension : kExtensions) {
    for (const std::string& name : names) {
      if (name.ends_with(extension)) return folder / name;
    }
  }
  return std::nullopt;
}

fs::path find_weights(const fs::path& folder) {
  std::error_code ignored;
  for (const std::string_view name : kWeights) {
    if (fs::exists(folder / name, ignored)) return folder / name;
  }
  if (const auto other = other_weights(folder)) return *other;
  throw Error(Error::Kind::file,
              folder.string() +
                  ": no weights; looked for model.safetensors, model.safetensors.index.json, "
                  "pytorch_model.bin, pytorch_model.bin.index.json, pytorch_model.pth, model.pth, "
                  "open_clip_* and any *.safetensors, *.pth, *.pth.tar, *.bin");
}

// Whatever the form, the configuration must agree with itself.
void check(const std::string& file, HubFolder& folder) {
  of_file(file, [&] { validate(folder.preprocess); });
  int classes = 0;
  of_file(file,
          [&] { folder.args.read("num_classes", classes, 0, std::numeric_limits<int>::max()); });
  if (folder.args.has("num_classes") && !folder.labels.empty() &&
      folder.labels.size() != static_cast<std::size_t>(classes)) {
    throw Error(Error::Kind::file, file + ": wanted one label for each of " +
                                       std::to_string(classes) + " classes, found " +
                                       std::to_string(folder.labels.size()));
  }
  const bool nameless = std::all_of(folder.labels.begin(), folder.labels.end(),
                                    [](const std::string& label) { return label.empty(); });
  folder.has_placeholders = nameless && !folder.labels.empty();
  if (nameless) folder.labels.clear();
}

}  // namespace

HubFolder read_hub_folder(const fs::path& path) {
  const fs::path config = path / "config.json";
  const std::string file = config.string();
  const Json json = read_json(config, kMaxConfigBytes);
  HubFolder folder;
  folder.path = path;
  const bool transformers = Section(json, file).find("architecture") == nullptr &&
                            Section(json, file).find("model_type") != nullptr;
  if (transformers) {
    read_transformers_config(json, file, folder);
  } else {
    read_timm_config(json, file, folder);
  }
  check(file, folder);
  folder.weights = find_weights(path);
  return folder;
}

ModelArgs parse_model_args(std::string_view json) {
  const std::string where = "model arguments";
  return to_args(parse_json(json, where, Error::Kind::argument), where, Error::Kind::argument);
}

}  // namespace fovea
