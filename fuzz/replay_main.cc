// SPDX-License-Identifier: Apache-2.0
//
// fuzz_replay TARGET [FILE|FOLDER]...: runs a target once on each of its seeds and on each file.
// What libFuzzer found once is found again here, in any build. fuzz_replay --seeds TARGET FOLDER:
// writes the seeds of a target.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "fuzz/mutate.h"
#include "fuzz/targets.h"

namespace fovea::fuzz {
namespace {

namespace fs = std::filesystem;

const NamedTarget& find_target(std::string_view name) {
  const auto all = targets();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const auto& target) { return target.name == name; });
  if (found == all.end()) {
    std::fprintf(stderr, "fuzz_replay: there is no target %s\n", std::string(name).c_str());
    std::exit(2);
  }
  return *found;
}

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "fuzz_replay: cannot read %s\n", path.c_str());
    std::exit(2);
  }
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_file(const fs::path& path, const std::string& content) {
  std::ofstream file(path, std::ios::binary);
  file << content;
  if (!file.flush()) {
    std::fprintf(stderr, "fuzz_replay: cannot write %s\n", path.c_str());
    std::exit(1);
  }
}

std::vector<fs::path> files_of(const std::vector<std::string>& arguments) {
  std::vector<fs::path> files;
  for (const fs::path path : arguments) {
    if (!fs::is_directory(path)) {
      files.push_back(path);
      continue;
    }
    for (const auto& entry : fs::directory_iterator(path)) files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

// A finding ends the process, so the name goes first. The copy has exactly the file's size: a
// sanitizer sees the first byte read behind it.
void run(const NamedTarget& target, const std::string& name, const std::string& content) {
  std::fprintf(stderr, "%s\n", name.c_str());
  const std::vector<char> copy(content.begin(), content.end());
  target.run(std::as_bytes(std::span(copy)));
}

// The checksums of PNG files are set right after three of four mutations.
void run_mutations(const NamedTarget& target, const std::vector<Seed>& seeds, int count) {
  const bool png = target.name.starts_with("png");
  for (int i = 0; i < count; ++i) {
    const std::size_t number = static_cast<std::size_t>(i);
    const Seed& seed = seeds[number % seeds.size()];
    const Seed& other = seeds[(number / seeds.size()) % seeds.size()];
    std::string content = mutated(seed.content, other.content, number);
    if (png && i % 4 != 0) repair_png(std::as_writable_bytes(std::span(content)));
    run(target, seed.name + ", mutation " + std::to_string(i), content);
  }
}

int replay(std::string_view name, int mutations, const std::vector<std::string>& paths) {
  const NamedTarget& target = find_target(name);
  const std::vector<Seed> seeds = seeds_of(name);
  for (const Seed& seed : seeds) run(target, seed.name, seed.content);
  const std::vector<fs::path> files = files_of(paths);
  for (const fs::path& file : files) run(target, file.string(), read_file(file));
  if (seeds.empty()) return 1;  // a target without seeds proves nothing
  run_mutations(target, seeds, mutations);
  std::printf("%s: %zu seeds, %zu files, %d mutations\n", std::string(name).c_str(), seeds.size(),
              files.size(), mutations);
  return 0;
}

int write_seeds(std::string_view name, const fs::path& folder) {
  find_target(name);
  fs::create_directories(folder);
  int number = 0;
  for (const Seed& seed : seeds_of(name)) {
    write_file(folder / ("seed" + std::to_string(number++)), seed.content);
  }
  return 0;
}

}  // namespace
}  // namespace fovea::fuzz

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments.size() == 3 && arguments[0] == "--seeds") {
    return fovea::fuzz::write_seeds(arguments[1], arguments[2]);
  }
  if (arguments.size() < 2 || arguments[0].starts_with("-")) {
    std::fprintf(stderr,
                 "usage: fuzz_replay TARGET MUTATIONS [FILE|FOLDER]...\n"
                 "       fuzz_replay --seeds TARGET FOLDER\n");
    return 2;
  }
  return fovea::fuzz::replay(arguments[0], std::atoi(arguments[1].c_str()),
                             {arguments.begin() + 2, arguments.end()});
}
