// SPDX-License-Identifier: Apache-2.0
#include "common.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <iostream>

#include "fovea/io/checkpoint.h"
#include "fovea/io/hub_folder.h"
#include "fovea/models/fit.h"

namespace fovea::tool {
namespace {

namespace fs = std::filesystem;

constexpr int kMaxImageSize = 1 << 14;

std::optional<int> parse_whole(std::string_view text, int lo, int hi) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  if (value < lo || value > hi) return std::nullopt;
  return value;
}

// "224" or "224x256" (height x width).
std::optional<Size2d> parse_size(std::string_view text) {
  const std::size_t x = text.find('x');
  const auto h = parse_whole(text.substr(0, x), 1, kMaxImageSize);
  const auto w =
      x == std::string_view::npos ? h : parse_whole(text.substr(x + 1), 1, kMaxImageSize);
  if (!h || !w) return std::nullopt;
  return Size2d{*h, *w};
}

bool looks_like_path(const std::string& model) {
  return model.find('/') != std::string::npos || model.starts_with(".") ||
         fs::exists(fs::path(model));
}

// A checkpoint of another number of classes than the variant's is the likeliest cause of a
// mismatch: how to ask for it, "" when that is not it.
std::string num_classes_hint(const ModelOptions& options, const ModelArgs& args) {
  if (options.num_classes.has_value()) return "";
  const auto file = open_checkpoint(options.weights, options.checkpoint);
  for (ModelSpec spec : find_models(options.model)) {
    spec.args = args;
    const int classes = classes_of(spec, *file);
    if (classes < 1) continue;
    const std::string rows = std::to_string(classes);
    return "\nIts classifier has " + rows + " classes: try --num-classes " + rows;
  }
  return "";
}

Model load_by_name(const ModelOptions& options, LoadOptions load, bool allow_untrained) {
  if (!options.model_args.empty()) load.args = parse_model_args(options.model_args);
  if (options.num_classes) load.num_classes = *options.num_classes;
  try {
    find_models(options.model);  // an unknown name is the first thing to hear about
  } catch (const Error& error) {
    throw Error(error.kind(), std::string(error.what()) + " (and there is no folder of this name)");
  }
  if (options.weights.empty()) {
    if (allow_untrained) return Model::untrained(options.model, load);
    throw Error(Error::Kind::argument, "--model " + options.model +
                                           " is a network's name: it wants --weights FILE, a "
                                           ".safetensors or .pth checkpoint");
  }
  try {
    return Model::load(options.model, fs::path(options.weights), load);
  } catch (const Error& error) {
    if (error.kind() != Error::Kind::file) throw;
    std::string hint;
    try {
      hint = num_classes_hint(options, load.args);
    } catch (const Error&) {  // the file itself is the problem
    }
    throw Error(error.kind(), error.what() + hint);
  }
}

Model load_folder(const ModelOptions& options, const LoadOptions& load) {
  const auto refuse = [&](const char* option) {
    throw Error(Error::Kind::argument, std::string(option) + " goes with a network's name, but " +
                                           options.model + " is a folder, which says that itself");
  };
  if (!options.weights.empty()) refuse("--weights");
  if (!options.model_args.empty()) refuse("--model-args");
  if (options.num_classes) refuse("--num-classes");
  return Model::load(fs::path(options.model), load);
}

}  // namespace

CLI::Validator whole_number(int lo, int hi) {
  const std::string wanted =
      "a whole number from " + std::to_string(lo) + " to " + std::to_string(hi);
  return {[=](std::string& text) {
            return parse_whole(text, lo, hi) ? std::string()
                                             : "wanted " + wanted + ", found \"" + text + "\"";
          },
          ""};
}

void add_checkpoint_options(CLI::App& app, CheckpointOptions& options) {
  app.add_option("--checkpoint-key", options.key,
                 "Where a PyTorch checkpoint keeps the tensors: state_dict, teacher.backbone; "
                 "default: where timm looks")
      ->type_name("KEY");
  app.add_flag_callback(
      "--no-mmap", [&options] { options.map = false; },
      "Read checkpoints to the end first: for files that may change meanwhile");
}

void add_model_options(CLI::App& app, ModelOptions& options) {
  app.add_option("--weights", options.weights,
                 "Checkpoint (.safetensors, .pth, .pt, .bin) of a network's name")
      ->type_name("FILE");
  add_checkpoint_options(app, options.checkpoint);
  app.add_option("--model-args", options.model_args,
                 "Arguments that differ from the named variant's, as JSON: '{\"depths\": [2, 2]}'")
      ->type_name("JSON");
  app.add_option_function<int>(
         "--num-classes", [&options](const int& n) { options.num_classes = n; },
         "Classes of the named variant's checkpoint, 0: no classifier")
      ->check(whole_number(0, 1 << 20))
      ->type_name("N");
  app.add_option_function<std::string>(
         "--img-size", [&options](const std::string& s) { options.img_size = *parse_size(s); },
         "Size of the network's input, N or HxW; default: the checkpoint's")
      ->check(CLI::Validator(
          [](std::string& text) {
            return parse_size(text)
                       ? std::string()
                       : "wanted N or HxW, each from 1 to " + std::to_string(kMaxImageSize) +
                             ", found \"" + text + "\"";
          },
          ""))
      ->type_name("SIZE");
  std::string backends;
  for (const std::string_view name : backend_names()) {
    backends += (backends.empty() ? "" : ", ") + std::string(name);
  }
  app.add_option("--backend", options.backend, "Who computes: " + backends)
      ->type_name("NAME")
      ->capture_default_str();
  app.add_option("--isa", options.isa,
                 "Instruction set of the native backend: generic, avx2 or avx512; default: "
                 "$FOVEA_ISA, else the best this machine has")
      ->type_name("NAME");
  app.add_option("--threads", options.threads, "Threads; default: as many as the machine grants")
      ->check(whole_number(1, 1024))
      ->type_name("N");
  app.add_flag("--json", options.json, "Print JSON");
}

void add_model_and_options(CLI::App& app, ModelOptions& options) {
  app.add_option("-m,--model", options.model,
                 "Folder with config.json and model.safetensors, or a name of `fovea list`")
      ->required()
      ->type_name("DIR|NAME");
  add_model_options(app, options);
}

Model load_model(const ModelOptions& options, bool allow_untrained) {
  if (!options.isa.empty() && options.backend != "native") {
    throw Error(Error::Kind::argument,
                "--isa chooses kernels of the native backend, not of \"" + options.backend + "\"");
  }
  LoadOptions load;
  load.backend = make_backend(options.backend, {options.isa});
  load.image_size = options.img_size;
  load.checkpoint = options.checkpoint;
  if (looks_like_path(options.model)) return load_folder(options, load);
  return load_by_name(options, std::move(load), allow_untrained);
}

OutputFormat output_format(const fs::path& path) {
  const fs::path folder = path.parent_path();
  if (!folder.empty() && !fs::is_directory(folder)) {
    throw Error(Error::Kind::file,
                "--output " + path.string() + ": there is no folder " + folder.string());
  }
  if (path.extension() == ".npy") return OutputFormat::npy;
  if (path.extension() == ".safetensors") return OutputFormat::safetensors;
  throw Error(Error::Kind::argument,
              "--output " + path.string() + ": wanted a name that ends in .npy or .safetensors");
}

void report(std::string_view message) { std::cerr << "fovea: " << message << std::endl; }

std::string printable(std::string_view text) {
  constexpr std::string_view kHex = "0123456789abcdef";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte != 0x7F) {
      out += c;
    } else {
      out.append("\\x").append({kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  return out;
}

double shortest(float value) {
  std::array<char, 32> text;
  const char* end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double result = value;  // stays for what is no number
  std::from_chars(text.data(), end, result);
  return result;
}

void print(const Json& json, int indent) {
  // File names may be any bytes; what is not UTF-8 is replaced, so that the output is JSON anyway.
  std::cout << json.dump(indent, ' ', false, Json::error_handler_t::replace) << '\n';
}

}  // namespace fovea::tool
