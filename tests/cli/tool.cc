// SPDX-License-Identifier: Apache-2.0
#include "tests/cli/tool.h"

#include <stdlib.h>
#include <sys/wait.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

namespace fovea::test {
namespace {

namespace fs = std::filesystem;

std::string quoted(const std::string& text) {
  std::string shell = "'";
  for (const char c : text) {
    if (c == '\'') {
      shell += "'\\''";
    } else {
      shell += c;
    }
  }
  return shell + "'";
}

Outcome run(const std::string& prefix, const std::vector<std::string>& args) {
  const TemporaryFolder folder;
  std::string command = prefix + quoted(FOVEA_TOOL);
  for (const std::string& arg : args) command += " " + quoted(arg);
  command += " > " + quoted(folder / "out") + " 2> " + quoted(folder / "err") + " < /dev/null";
  const int status = std::system(command.c_str());
  Outcome outcome;
  if (WIFEXITED(status)) outcome.code = WEXITSTATUS(status);
  outcome.out = read_file(folder / "out");
  outcome.err = read_file(folder / "err");
  return outcome;
}

}  // namespace

Outcome fovea_tool(const std::vector<std::string>& args) { return run("", args); }

Outcome fovea_tool_with_isa(const std::string& isa, const std::vector<std::string>& args) {
  return run("FOVEA_ISA=" + quoted(isa) + " ", args);
}

std::string demo_model(const std::string& name) {
  return std::string(FOVEA_TEST_EXAMPLES) + "/models/" + name;
}

std::string demo_image(const std::string& name) {
  return std::string(FOVEA_TEST_EXAMPLES) + "/images/" + name;
}

TemporaryFolder::TemporaryFolder() {
  std::string name = (fs::temp_directory_path() / "fovea_cli_XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary folder " + name);
  path_ = name;
}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  fs::remove_all(path_, ignored);
}

std::string TemporaryFolder::write(const std::string& name, const std::string& content) const {
  const fs::path file = path_ / name;
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << content;
  return file.string();
}

std::string read_file(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(in), {}};
}

}  // namespace fovea::test
