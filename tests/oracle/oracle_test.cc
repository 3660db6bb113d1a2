// SPDX-License-Identifier: Apache-2.0
//
// oracle_test: runs networks on generated weights and compares them with what the authors' code
// computed. One line per case; the last line is "N passed, N failed".

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "fovea/core/wildcard.h"
#include "tests/oracle/oracle_case.h"

namespace {

namespace fs = std::filesystem;
using fovea::oracle::Case;
using fovea::oracle::Result;

struct Options {
  std::vector<std::string> directories;
  std::string backend = "native", isa, filter = "*";
  int threads = 0;
  double max_gmacs = 0;  // 0: no limit
  bool taps = false;
};

// Every .json below the directories (or the files themselves), sorted; files that are no oracles
// are told from oracles by their folder: each family has one.
std::vector<fs::path> find_files(const std::vector<std::string>& directories) {
  std::vector<fs::path> files;
  for (const std::string& directory : directories) {
    if (fs::is_regular_file(directory)) {
      files.emplace_back(directory);
      continue;
    }
    if (!fs::is_directory(directory)) {
      throw fovea::Error(fovea::Error::Kind::file, directory + ": no such directory");
    }
    for (const auto& entry : fs::recursive_directory_iterator(directory)) {
      if (entry.path().extension() == ".json") files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

void print(const Case& c, const Result& r, bool taps) {
  std::printf("%s %s/%s %.2e of %.2e", r.passed() ? "ok    " : "FAILED", c.family.c_str(),
              c.name.c_str(), r.worst(), r.tolerance);
  if (!r.outputs.empty()) std::printf(" (%s)", r.outputs.front().name.c_str());
  std::printf("\n");
  if (!r.passed()) {
    for (const std::string& p : r.problems) std::printf("         %s\n", p.c_str());
    for (const auto& o : r.outputs) std::printf("         %.2e %s\n", o.error, o.name.c_str());
  }
  if (taps) {
    for (const auto& t : r.taps) std::printf("    tap  %.2e %s\n", t.error, t.name.c_str());
  }
}

int run(const Options& options) {
  const auto backend = fovea::make_backend(options.backend, {options.isa});
  int passed = 0, failed = 0, left_out = 0;
  for (const fs::path& path : find_files(options.directories)) {
    if (!fovea::matches_wildcard(options.filter, path.stem().string())) continue;
    try {
      const Case c = fovea::oracle::read_case(path);
      if (options.max_gmacs > 0 &&
          static_cast<double>(count_macs(c, *backend)) * 1e-9 > options.max_gmacs) {
        ++left_out;
        continue;
      }
      fovea::Context ctx(options.threads);
      const Result r = run_case(c, *backend, ctx, options.taps);
      print(c, r, options.taps);
      ++(r.passed() ? passed : failed);
    } catch (const std::exception& e) {
      std::printf("FAILED %s: %s\n", path.c_str(), e.what());
      ++failed;
    }
    std::fflush(stdout);
  }
  if (left_out > 0) std::printf("left out %d cases above %g GMACs\n", left_out, options.max_gmacs);
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  Options options;
  CLI::App app("Compares networks with numeric oracles of the reference implementations.");
  app.add_option("directories", options.directories,
                 "Directories of cases (default: the environment variable FOVEA_ORACLES)");
  app.add_option("--backend", options.backend, "native, reference, eigen or onednn");
  app.add_option("--isa", options.isa, "Instruction set of the native backend");
  app.add_option("--filter", options.filter,
                 "Cases whose name matches this pattern, e.g. 'swin_*'");
  app.add_option("--threads", options.threads, "Threads (default: one per core)");
  app.add_option("--max-gmacs", options.max_gmacs, "Leave out cases above this size");
  app.add_flag("--taps", options.taps, "Also compare inner modules");
  CLI11_PARSE(app, argc, argv);
  if (options.directories.empty()) {
    const char* from_environment = std::getenv("FOVEA_ORACLES");
    if (from_environment == nullptr) {
      std::fprintf(stderr, "oracle_test: name a directory of cases, or set FOVEA_ORACLES\n");
      return 2;
    }
    options.directories.emplace_back(from_environment);
  }
  try {
    return run(options);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "oracle_test: %s\n", e.what());
    return 2;
  }
}
