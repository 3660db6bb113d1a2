// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "fovea/fovea.h"

namespace fovea::oracle {

// What the reference computed of one tensor: statistics of all of it, and samples at the flat
// indices floor((k + 0.5) * numel / samples).
struct TensorRecord {
  std::string name;
  Shape shape;
  double mean = 0, rms = 0;
  std::vector<double> samples;
};

// One file of the oracles; its format is described there.
struct Case {
  std::filesystem::path path;
  std::string name, family;
  std::string architecture;  // "" when the arguments say everything
  ModelArgs args;
  double single = 0;  // relative L2 distance between the reference's own two precisions
  Shape input_shape;  // (n, channels, h, w)
  double input_lo = 0, input_hi = 0;
  std::vector<ParamLog::Entry> parameters;
  std::vector<std::string> buffers;
  GeneratedSource weights;
  std::vector<TensorRecord> outputs, taps;

  // The error that fp32 may have: the formula of the design, for every case alike.
  double tolerance() const;
  std::string input_name;
};

// Throws Error(file).
Case read_case(const std::filesystem::path& path);

struct OutputError {
  std::string name;
  double error = 0;  // relative L2 over the samples, or the relative error of rms if that is worse
};

struct Result {
  std::vector<OutputError> outputs;   // worst first
  std::vector<OutputError> taps;      // in the order of execution; only when asked for
  std::vector<std::string> problems;  // anything else that is wrong
  double tolerance = 0;

  bool passed() const;
  double worst() const { return outputs.empty() ? 0 : outputs.front().error; }
};

// The network of a case: by name, or by family and arguments. Throws Error(argument).
ModelSpec find_spec(const Case& c);

// Multiply-accumulates of the case's forward.
std::int64_t count_macs(const Case& c, const Backend& backend);

// Builds the network, checks its parameter list, runs it and compares every output.
Result run_case(const Case& c, const Backend& backend, Context& ctx, bool with_taps);

}  // namespace fovea::oracle
