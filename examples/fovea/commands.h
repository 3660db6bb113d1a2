// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace fovea::tool {

// What the process returns; documented in --help and docs/cli.md.
enum ExitCode { kOk = 0, kRunFailed = 1, kUsage = 2, kBadFile = 3 };

// A sub-command: where its options were declared, and what runs when it was given.
struct Command {
  CLI::App* app;
  std::function<int()> run;  // returns an ExitCode, throws fovea::Error
};

Command add_list(CLI::App& app);
Command add_info(CLI::App& app);
Command add_classify(CLI::App& app);
Command add_embed(CLI::App& app);
Command add_features(CLI::App& app);
Command add_validate(CLI::App& app);
Command add_benchmark(CLI::App& app);
Command add_inspect(CLI::App& app);
Command add_convert(CLI::App& app);

}  // namespace fovea::tool
