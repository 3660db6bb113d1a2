// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cmath>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "commands.h"
#include "common.h"
#include "fovea/io/checkpoint.h"
#include "fovea/io/hub_folder.h"
#include "fovea/models/fit.h"

namespace fovea::tool {
namespace {

namespace fs = std::filesystem;

struct InspectOptions {
  std::string path;
  std::string model;
  CheckpointOptions checkpoint;
  bool check = false, tensors = false, json = false;
};

// Numbers that are none.
struct Unsound {
  std::string tensor;
  std::int64_t nans = 0, infinities = 0;
};

// Everything that is said about a checkpoint.
struct Report {
  fs::path file;
  std::string architecture;  // of a hub folder
  std::string labels;        // of a hub folder: how many, in words
  std::unique_ptr<ParamSource> source;
  CheckpointSummary summary;
  std::vector<std::string> names;
  std::map<std::string, int> dtypes;
  std::int64_t numbers = 0;
  std::size_t bytes = 0;
  std::vector<CheckpointFit> fits;  // the best, or the one that was asked for
  std::vector<Unsound> unsound;
};

void add_totals(Report& report) {
  report.summary = report.source->summary();
  report.names = report.source->names();
  for (const std::string& name : report.names) {
    const DType dtype = report.source->dtype(name);
    const std::int64_t count = numel(*report.source->find(name));
    ++report.dtypes[std::string(to_string(dtype))];
    report.numbers += count;
    report.bytes += static_cast<std::size_t>(count) * size_of(dtype);
  }
}

// One tensor at a time: a checkpoint may be larger than memory.
void add_unsound(Report& report) {
  for (const std::string& name : report.names) {
    Unsound found{name};
    for (const float v : report.source->load(name).to_floats()) {
      found.nans += std::isnan(v) ? 1 : 0;
      found.infinities += std::isinf(v) ? 1 : 0;
    }
    if (found.nans + found.infinities > 0) report.unsound.push_back(std::move(found));
  }
}

// The candidates of a name or folder, of which the best is kept, with its classes.
std::vector<CheckpointFit> fit_of(const std::vector<ModelSpec>& candidates,
                                  const ParamSource& weights) {
  ModelSpec spec = best_fit(candidates, weights);
  if (!spec.args.has("num_classes")) {
    const int classes = classes_of(spec, weights);
    if (classes >= 0) spec.args.set("num_classes", {std::int64_t{classes}});
  }
  return {check_fit(spec, weights)};
}

Report examine(const InspectOptions& options) {
  Report report;
  report.file = options.path;
  std::vector<ModelSpec> candidates;
  if (!options.model.empty()) candidates = find_models(options.model);
  if (fs::is_directory(report.file)) {
    const HubFolder folder = read_hub_folder(report.file);
    report.file = folder.weights;
    report.architecture = folder.architecture;
    report.labels = folder.labels.empty() ? "none" : std::to_string(folder.labels.size());
    if (candidates.empty()) candidates = find_models(folder);
  }
  report.source = open_checkpoint(report.file, options.checkpoint);
  add_totals(report);
  report.fits = candidates.empty() ? best_fits(*report.source) : fit_of(candidates, *report.source);
  if (options.check) add_unsound(report);
  return report;
}

// A name of the registry with the classes it was tried with.
std::string title(const ModelSpec& spec) {
  std::string text = spec.name() + " (" + std::string(spec.family->name);
  int classes = -1;
  spec.args.read("num_classes", classes, 0, 1 << 30);
  if (classes >= 0) text += ", " + std::to_string(classes) + " classes";
  return text + ")";
}

// Nothing of a wholly different network is worth a line.
bool is_known(const CheckpointFit& fit) { return fit.problems.size() < fit.wanted; }

Json to_json(const Report& report, const InspectOptions& options) {
  Json metadata = Json::object(), tensors = Json::array(), fits = Json::array();
  for (const auto& [key, value] : report.summary.metadata) metadata[key] = value;
  for (const std::string& name : report.names) {
    tensors.push_back({{"name", name},
                       {"dtype", to_string(report.source->dtype(name))},
                       {"shape", *report.source->find(name)}});
  }
  for (const CheckpointFit& fit : report.fits) {
    fits.push_back({{"name", fit.spec.name()},
                    {"family", fit.spec.family->name},
                    {"wanted", fit.wanted},
                    {"problems", fit.problems}});
  }
  Json json = {{"file", report.file.string()},
               {"architecture", report.architecture},
               {"format", report.summary.format},
               {"key", report.summary.key},
               {"other_keys", report.summary.other_keys},
               {"metadata", std::move(metadata)},
               {"numbers", report.numbers},
               {"bytes", report.bytes},
               {"models", std::move(fits)},
               {"tensors", std::move(tensors)}};
  if (options.check) {
    Json unsound = Json::array();
    for (const Unsound& u : report.unsound) {
      unsound.push_back({{"name", u.tensor}, {"nan", u.nans}, {"inf", u.infinities}});
    }
    json["unsound"] = std::move(unsound);
  }
  return json;
}

// The first lines of a list, or all.
void print_list(std::ostream& out, const std::vector<std::string>& lines, bool all) {
  constexpr std::size_t kShown = 20;
  const std::size_t shown = all ? lines.size() : std::min(lines.size(), kShown);
  for (std::size_t i = 0; i < shown; ++i) out << "  " << lines[i] << "\n";
  if (shown < lines.size()) {
    out << "  and " << lines.size() - shown << " more: --tensors prints all\n";
  }
}

void print_fits(std::ostream& out, const Report& report, bool all) {
  if (report.fits.empty() || !is_known(report.fits.front())) {
    out << "network      none that is registered\n";
    return;
  }
  const CheckpointFit& first = report.fits.front();
  for (const CheckpointFit& fit : report.fits) {
    out << (&fit == &first ? "network      " : "  or         ") << title(fit.spec) << "\n";
  }
  if (first.problems.empty()) {
    out << "fit          all " << first.wanted << " tensors are there, and no others\n";
    return;
  }
  out << "fit          " << first.problems.size() << " problems, " << first.wanted
      << " tensors wanted\n";
  print_list(out, first.problems, all);
}

void print_text(const Report& report, const InspectOptions& options) {
  std::ostringstream out;
  const CheckpointSummary& summary = report.summary;
  out << report.file.string() << "\n"
      << "format       " << (summary.format.empty() ? "several files" : summary.format) << "\n";
  if (!summary.key.empty()) out << "key          " << printable(summary.key) << "\n";
  for (const std::string& key : summary.other_keys)
    out << "  other      " << printable(key) << "\n";
  if (!report.architecture.empty())
    out << "architecture " << printable(report.architecture) << "\n";
  if (!report.labels.empty()) out << "labels       " << report.labels << "\n";
  for (const auto& [key, value] : summary.metadata) {
    out << "metadata     " << printable(key) << " = " << printable(value) << "\n";
  }
  out << "tensors      " << report.names.size() << " (";
  const char* separator = "";
  for (const auto& [dtype, count] : report.dtypes) {
    out << std::exchange(separator, ", ") << count << " " << dtype;
  }
  out << std::fixed << std::setprecision(2) << "), " << static_cast<double>(report.numbers) * 1e-6
      << " million numbers, " << static_cast<double>(report.bytes) / (1 << 20) << " MiB\n";
  print_fits(out, report, options.tensors);
  if (options.check) {
    out << "check        " << report.unsound.size() << " tensors with NaN or infinity\n";
    for (const Unsound& u : report.unsound) {
      out << "  " << printable(u.tensor) << ": " << u.nans << " NaN, " << u.infinities
          << " infinite\n";
    }
  }
  std::vector<std::string> lines;
  for (const std::string& name : report.names) {
    lines.push_back(printable(name) + " " + std::string(to_string(report.source->dtype(name))) +
                    " " + to_string(*report.source->find(name)));
  }
  out << "\n";
  print_list(out, lines, options.tensors);
  std::cout << out.str();
}

int inspect(const InspectOptions& options) {
  const Report report = examine(options);
  if (options.json) {
    print(to_json(report, options));
  } else {
    print_text(report, options);
  }
  return kOk;
}

}  // namespace

Command add_inspect(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("inspect", "What is in a checkpoint?");
  const auto options = std::make_shared<InspectOptions>();
  sub->add_option("path", options->path, "A checkpoint, the index of its shards, or a hub folder")
      ->required()
      ->type_name("FILE|DIR");
  sub->add_option("--model", options->model,
                  "A name of `fovea list` to compare with; default: the folder's, else all")
      ->type_name("NAME");
  add_checkpoint_options(*sub, options->checkpoint);
  sub->add_flag("--check", options->check, "Look for NaN and infinity in all tensors");
  sub->add_flag("--tensors", options->tensors, "Print every tensor and every problem");
  sub->add_flag("--json", options->json, "Print JSON");
  sub->footer(
      "Examples:\n"
      "  fovea inspect model.safetensors --check\n"
      "  fovea inspect examples/models/convnext --tensors\n"
      "  fovea inspect checkpoint.pth --checkpoint-key teacher.backbone --json");
  return {sub, [options] { return inspect(*options); }};
}

}  // namespace fovea::tool
