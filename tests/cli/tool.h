// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

namespace fovea::test {

// What one call of the built tool gave.
struct Outcome {
  int code = -1;  // exit code, -1 when it did not exit by itself
  std::string out, err;

  nlohmann::json json() const { return nlohmann::json::parse(out); }
};

Outcome fovea_tool(const std::vector<std::string>& args);
// With the environment variable FOVEA_ISA set.
Outcome fovea_tool_with_isa(const std::string& isa, const std::vector<std::string>& args);

// examples/models/<name> and examples/images/<name>.
std::string demo_model(const std::string& name);
std::string demo_image(const std::string& name);

// A folder of its own for each test, removed at the end.
class TemporaryFolder {
 public:
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  std::filesystem::path path() const { return path_; }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  // Writes a file, with the folders above it; returns its path.
  std::string write(const std::string& name, const std::string& content) const;

 private:
  std::filesystem::path path_;
};

std::string read_file(const std::filesystem::path& path);

}  // namespace fovea::test
