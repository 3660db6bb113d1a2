// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "commands.h"
#include "common.h"
#include "measure.h"
#include "profile.h"
#include "progress.h"

namespace fovea::tool {
namespace {

namespace fs = std::filesystem;

struct BenchmarkOptions {
  ModelOptions model;
  std::vector<std::string> networks;  // names, folders, patterns
  MeasureOptions measure;
  std::string csv;
  bool profile = false;
  std::string trace;
};

// What became of one network.
struct Result {
  std::string model, backend, isa;
  Size2d size;
  int batch = 1;
  int threads = 1;
  double parameters = 0;  // millions
  double gmacs = 0;       // of one picture
  Timing timing;          // of the batch
  std::optional<Profile> profile;

  double samples_per_sec() const { return batch * 1e3 / timing.median(); }
  double percent() const {
    return percent_of_peak(batch * gmacs, timing.median(), timing.peak_gflops);
  }
};

// A time is not known better than its first digits, and files are read by people too.
double rounded(double value, int digits) {
  const double scale = std::pow(10.0, digits);
  return std::round(value * scale) / scale;
}

std::string size_text(Size2d size) {
  const std::string h = std::to_string(size.h);
  return size.h == size.w ? h : h + "x" + std::to_string(size.w);
}

// Columns that timm's result files have, too, bear timm's names.
Json to_json(const Result& r) {
  Json row = {{"model", r.model},
              {"infer_samples_per_sec", rounded(r.samples_per_sec(), 3)},
              {"infer_step_time", rounded(r.timing.median(), 4)},
              {"infer_batch_size", r.batch},
              {"infer_img_size", r.size.h == r.size.w ? Json(r.size.h) : Json(size_text(r.size))},
              {"param_count", rounded(r.parameters, 2)},
              {"infer_gmacs", rounded(r.gmacs, 4)},
              {"percent_of_peak", rounded(r.percent(), 2)},
              {"p90", rounded(r.timing.quantile(0.9), 4)},
              {"p99", rounded(r.timing.quantile(0.99), 4)},
              {"threads", r.threads},
              {"backend", r.backend},
              {"isa", r.isa},
              {"peak_gflops", rounded(r.timing.peak_gflops, 2)}};
  if (r.profile) row["profile"] = to_json(*r.profile);
  return row;
}

std::string csv_field(const Json& value) {
  if (!value.is_string()) return value.dump();
  const std::string text = value.get<std::string>();
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

[[noreturn]] void refuse_file(const char* option, const std::string& path, const char* why) {
  throw Error(Error::Kind::file, std::string(option) + " " + path + ": " + why);
}

// Before any work is done.
void check_folder(const char* option, const fs::path& path) {
  const fs::path folder = path.parent_path();
  if (!folder.empty() && !fs::is_directory(folder)) {
    refuse_file(option, path.string(), "there is no such folder");
  }
}

// Whole or not at all.
void write_text(const char* option, const fs::path& path, const std::string& text) {
  const fs::path partial = path.string() + ".partial";
  std::ofstream out(partial, std::ios::binary);
  out << text << std::flush;
  std::error_code error;
  if (out) fs::rename(partial, path, error);
  if (out && !error) return;
  fs::remove(partial, error);
  refuse_file(option, path.string(), "it cannot be written");
}

// The rows' keys as columns, in their order.
void write_csv(const std::string& path, const Json& rows) {
  std::ostringstream text;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::string header, line;
    for (const auto& [key, value] : rows[i].items()) {
      if (value.is_structured()) continue;  // profiles
      header += (header.empty() ? "" : ",") + key;
      line += (line.empty() ? "" : ",") + csv_field(value);
    }
    if (i == 0) text << header << '\n';
    text << line << '\n';
  }
  write_text("--csv", path, text.str());
}

// A column for each number; the header and the rows share the widths.
void print_line(const std::vector<std::string>& cells, std::size_t name_width) {
  constexpr std::array<int, 10> kWidths = {7, 6, 8, 16, 10, 10, 10, 9, 8, 11};
  std::ostringstream out;
  out << std::left << std::setw(static_cast<int>(name_width)) << cells.front() << std::right;
  for (std::size_t i = 1; i < cells.size(); ++i) out << std::setw(kWidths[i - 1]) << cells[i];
  std::cout << out.str() << std::endl;
}

void print_header(std::size_t name_width) {
  print_line({"model", "size", "batch", "threads", "backend", "median ms", "p90 ms", "p99 ms",
              "img/s", "GMACs", "% of peak"},
             name_width);
}

std::string fixed(double value, int digits) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(digits) << value;
  return text.str();
}

void print_row(const Result& r, std::size_t name_width) {
  print_line({r.model, size_text(r.size), std::to_string(r.batch), std::to_string(r.threads),
              r.backend + (r.isa.empty() ? "" : " ") + r.isa, fixed(r.timing.median(), 2),
              fixed(r.timing.quantile(0.9), 2), fixed(r.timing.quantile(0.99), 2),
              fixed(r.samples_per_sec(), 1), fixed(r.gmacs, 2), fixed(r.percent(), 1)},
             name_width);
}

// Patterns become the names that match them; folders and names stay.
std::vector<std::string> expand(const std::vector<std::string>& given) {
  std::vector<std::string> names;
  for (const std::string& one : given) {
    if (one.find_first_of("*?") == std::string::npos) {
      names.push_back(one);
      continue;
    }
    const std::size_t before = names.size();
    for (const NamedModel& model : list_models(one)) {
      // Where two families share a name, it means the first.
      const std::string name(model.info->name);
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    if (names.size() == before) {
      throw Error(Error::Kind::argument,
                  "no network's name matches \"" + one + "\"; `fovea list` prints them");
    }
  }
  return names;
}

Result run(const std::string& name, const BenchmarkOptions& options, Progress& progress) {
  ModelOptions which = options.model;
  which.model = name;
  progress.show(name + ": loading");
  const Model model = load_model(which, /*allow_untrained=*/true);
  MeasureOptions how = options.measure;
  how.threads = which.threads;
  Workload workload(model, how);
  Result result;
  result.model = name;
  result.backend = model.backend().name();
  result.isa = model.backend().isa();
  result.size = {model.preprocess_config().height, model.preprocess_config().width};
  result.batch = how.batch;
  result.threads = workload.context().threads();
  result.parameters = static_cast<double>(model.parameters()) * 1e-6;
  result.gmacs = workload.gmacs();
  result.timing = measure(workload, how, [&](int timed) {
    if (progress.due()) progress.show(name + ": " + std::to_string(timed) + " forwards timed");
  });
  if (options.profile || !options.trace.empty()) {
    constexpr int kMostForwards = 15;
    result.profile =
        profile(workload, std::min(how.bench_iterations, kMostForwards), result.timing.peak_gflops);
  }
  return result;
}

int benchmark(const BenchmarkOptions& options) {
  const std::vector<std::string> names = expand(options.networks);
  if (names.size() > 1 && !options.model.weights.empty()) {
    throw Error(Error::Kind::argument, "--weights goes with one network, but " +
                                           std::to_string(names.size()) + " are given");
  }
  check_folder("--csv", options.csv);
  check_folder("--trace", options.trace);
  std::size_t width = 5;
  for (const std::string& name : names) width = std::max(width, name.size());
  Progress progress;
  Json rows = Json::array();
  Json events = Json::array();
  for (const std::string& name : names) {
    Result result = run(name, options, progress);
    progress.clear();
    if (!options.trace.empty()) add_trace(*result.profile, name, events);
    if (!options.profile) result.profile.reset();
    rows.push_back(to_json(result));
    if (options.model.json) continue;
    if (rows.size() == 1 || options.profile) print_header(width);
    print_row(result, width);
    if (options.profile) std::cout << to_text(*result.profile) << std::flush;
  }
  if (!options.trace.empty()) {
    write_text("--trace", options.trace, Json{{"traceEvents", std::move(events)}}.dump());
  }
  if (!options.csv.empty()) write_csv(options.csv, rows);
  if (options.model.json) print(rows);
  return kOk;
}

}  // namespace

Command add_benchmark(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("benchmark", "Time per picture and share of the peak");
  const auto options = std::make_shared<BenchmarkOptions>();
  MeasureOptions& how = options->measure;
  sub->add_option("networks", options->networks,
                  "Names or patterns of `fovea list`, or folders with config.json and "
                  "model.safetensors")
      ->required()
      ->type_name("NAME|DIR|GLOB");
  sub->add_option("--batch", how.batch, "Pictures of one forward")
      ->check(whole_number(1, 4096))
      ->type_name("N")
      ->capture_default_str();
  sub->add_option("--num-warm-iter", how.warm_iterations, "Forwards before the first timed one")
      ->check(whole_number(0, 1 << 20))
      ->type_name("N")
      ->capture_default_str();
  sub->add_option("--num-bench-iter", how.bench_iterations, "Timed forwards, at least")
      ->check(whole_number(1, 1 << 20))
      ->type_name("N")
      ->capture_default_str();
  sub->add_option("--min-time", how.seconds, "Seconds of timed forwards, at least")
      ->check(CLI::Range(0.0, 3600.0))
      ->type_name("S")
      ->capture_default_str();
  sub->add_option("--csv", options->csv, "Write the results there, in timm's columns and more")
      ->type_name("FILE");
  sub->add_flag("--profile", options->profile,
                "Also where the time goes: by operator, output shape and module");
  sub->add_option("--trace", options->trace,
                  "Write one forward there as JSON for chrome://tracing or ui.perfetto.dev")
      ->type_name("FILE");
  add_model_options(*sub, options->model);
  sub->footer(
      "Names without --weights run with all weights zero. The peak is measured in the same run, "
      "on as many threads.\n\nExamples:\n"
      "  fovea benchmark swin_tiny_patch4_window7_224 convnext_tiny --threads 1\n"
      "  fovea benchmark 'convnext_*' --csv convnext.csv\n"
      "  fovea benchmark deit_small_patch16_224 --profile --trace deit.json\n"
      "  fovea benchmark examples/models/swin --batch 8 --backend onednn --json");
  return {sub, [options] { return benchmark(*options); }};
}

}  // namespace fovea::tool
