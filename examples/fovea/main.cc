// SPDX-License-Identifier: Apache-2.0
// The command line tool: this file knows the sub-commands and turns errors into exit codes.

#include <exception>
#include <filesystem>
#include <iostream>
#include <new>
#include <string>
#include <vector>

#include "commands.h"
#include "common.h"
#include "fovea/backend/backend.h"
#include "fovea/core/error.h"
#include "fovea/version.h"

namespace fovea::tool {
namespace {

constexpr const char* kFooter = R"(Examples:
  fovea classify --model examples/models/swin photo.jpg
  fovea info swin_tiny_patch4_window7_224
  fovea list 'convnext*'
  fovea validate --model examples/models/swin --data pictures/
  fovea classify --help

Exit codes:
  0  everything was done
  1  the run failed: no memory, an instruction set this machine lacks
  2  wrong usage: an unknown option, name or value
  3  a bad file: missing, malformed, or not what its use asks for; in a batch of
     pictures the others were done)";

std::string joined(const std::vector<std::string_view>& names) {
  std::string text;
  for (const std::string_view name : names) text += (text.empty() ? "" : ", ") + std::string(name);
  return text;
}

std::string version() {
#if defined(__clang__)
  const std::string compiler = "clang " __clang_version__;
#elif defined(__GNUC__)
  const std::string compiler = "GCC " __VERSION__;
#else
  const std::string compiler = "unknown";
#endif
  return "fovea " FOVEA_VERSION "\ncompiler: " + compiler +
         "\nbackends: " + joined(backend_names()) + "\ninstruction sets: " + joined(isa_names()) +
         "; chosen: " + std::string(make_backend("native")->isa());
}

std::string names_of(const std::vector<Command>& commands) {
  std::string text;
  for (const Command& command : commands) {
    text += (text.empty() ? "" : ", ") + command.app->get_name();
  }
  return text;
}

int code_of(const Error& error) {
  switch (error.kind()) {
    case Error::Kind::argument:
      return kUsage;
    case Error::Kind::file:
      return kBadFile;
    case Error::Kind::failed:
      break;
  }
  return kRunFailed;
}

int run(int argc, char** argv) {
  CLI::App app("Vision backbones on CPUs: classify pictures with published checkpoints.", "fovea");
  app.footer(kFooter);
  app.set_version_flag("--version", version, "Print version, compiler, backends, instruction sets");
  app.require_subcommand(1);
  const std::vector<Command> commands = {add_list(app),      add_info(app),     add_classify(app),
                                         add_embed(app),     add_features(app), add_validate(app),
                                         add_benchmark(app), add_inspect(app),  add_convert(app)};
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    const auto given = app.get_subcommands();
    if (given.empty() && argc > 1 && argv[1][0] != '-') {
      report("unknown sub-command \"" + std::string(argv[1]) + "\"; the known ones are " +
             names_of(commands));
      return kUsage;
    }
    report(std::string(error.what()) + "\nTry: fovea " +
           (given.empty() ? "" : given.front()->get_name() + " ") + "--help");
    return kUsage;
  }
  for (const Command& command : commands) {
    if (*command.app) return command.run();
  }
  return kUsage;
}

int guarded(int argc, char** argv) {
  try {
    const int code = run(argc, argv);
    std::cout.flush();
    if (std::cout) return code;
    report("cannot write to standard output");
  } catch (const Error& error) {
    report(error.what());
    return code_of(error);
  } catch (const std::filesystem::filesystem_error& error) {
    report(error.what());
    return kBadFile;
  } catch (const std::bad_alloc&) {
    report("out of memory");
  } catch (const std::exception& error) {
    report(error.what());
  }
  return kRunFailed;
}

}  // namespace
}  // namespace fovea::tool

int main(int argc, char** argv) { return fovea::tool::guarded(argc, argv); }
