// SPDX-License-Identifier: Apache-2.0
#include "fovea/io/checkpoint.h"
#include "fovea/io/hub_folder.h"
#include "fovea/model.h"
#include "fuzz/folder.h"
#include "fuzz/guard.h"
#include "fuzz/targets.h"
#include "tests/io/safetensors_builder.h"

namespace fovea::fuzz {
namespace {

std::string_view text_of(Bytes input) {
  return {reinterpret_cast<const char*>(input.data()), input.size()};
}

}  // namespace

void model_args(Bytes input) {
  only_errors([&] { parse_model_args(text_of(input)); });
}

// config.json, and behind kNextFile preprocessor_config.json.
void config(Bytes input) {
  static const Folder folder;
  static const auto weights = folder.write("model.safetensors", test::safetensors_file("{}"));
  const std::string_view text = text_of(input);
  const std::size_t end = text.find(kNextFile);
  folder.write("config.json", text.substr(0, end));
  if (end == std::string_view::npos) {
    folder.remove("preprocessor_config.json");
  } else {
    folder.write("preprocessor_config.json", text.substr(end + 1));
  }
  only_errors([] {
    const HubFolder hub = read_hub_folder(folder.path());
    require(hub.weights == weights);
    find_models(hub);
  });
}

// model.safetensors.index.json beside two shards.
void index(Bytes input) {
  static const Folder folder;
  [[maybe_unused]] static const bool written = [] {
    const std::string a = test::tensor_a("\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]");
    folder.write("one.safetensors", test::safetensors_file(a, "1"));
    folder.write("two.safetensors", test::safetensors_file("{\"b\":" + test::kEmptyTensor + "}"));
    return true;
  }();
  const auto path = folder.write("model.safetensors.index.json", text_of(input));
  only_errors([&] {
    const auto source = open_checkpoint(path);
    for (const std::string& name : source->names()) source->load(name).to_floats();
  });
}

}  // namespace fovea::fuzz
