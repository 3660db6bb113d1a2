// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/model.h"

namespace fovea::tool {

// In the order written: keys come out as the documentation lists them.
using Json = nlohmann::ordered_json;

// Which network, on what.
struct ModelOptions {
  std::string model;               // a hub folder or a registered name
  std::string weights;             // of a registered name
  std::string model_args;          // of a registered name, as JSON
  std::optional<int> num_classes;  // of a registered name
  CheckpointOptions checkpoint;
  Size2d img_size;
  std::string backend = "native";
  std::string isa;
  int threads = 0;
  bool json = false;
};

// Accepts whole numbers in [lo, hi] and says so about anything else.
CLI::Validator whole_number(int lo, int hi);

// --checkpoint-key and --no-mmap, of everything that reads weights.
void add_checkpoint_options(CLI::App& app, CheckpointOptions& options);
// These, --weights, --model-args, --num-classes, --img-size, --backend, --isa, --threads, --json:
// all but the way the model itself is given.
void add_model_options(CLI::App& app, ModelOptions& options);
// The same with --model, required.
void add_model_and_options(CLI::App& app, ModelOptions& options);

// Loads what the options name. A name without weights is an error, unless `allow_untrained`: then
// its weights are zero.
Model load_model(const ModelOptions& options, bool allow_untrained = false);

// --output of embed and features.
enum class OutputFormat { npy, safetensors };
// By the extension; Error(argument) for another one or a folder that does not exist, before any
// work is done.
OutputFormat output_format(const std::filesystem::path& path);

// "fovea: <message>" on standard error.
void report(std::string_view message);
// A text of a stranger for the terminal: control characters as \\xNN.
std::string printable(std::string_view text);
// The shortest decimal number that reads back as `value`: 0.485f prints as 0.485.
double shortest(float value);
// Whole, on standard output, with a newline. indent < 0: on one line.
void print(const Json& json, int indent = 2);

}  // namespace fovea::tool
