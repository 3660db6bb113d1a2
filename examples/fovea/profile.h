// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common.h"
#include "fovea/core/map.h"
#include "measure.h"

namespace fovea::tool {

// One operator of one forward.
struct OperatorCall {
  std::string_view op;
  CMapF output;               // for its shape; the data are gone
  std::string module;         // path of the innermost module whose output it helped to make
  double begin = 0, end = 0;  // milliseconds since the forward began
  double gmacs = 0;

  double milliseconds() const { return end - begin; }
};

// Where the time of one forward went.
struct Profile {
  std::vector<OperatorCall> calls;  // in order
  double milliseconds = 0;          // of the forward
  double peak_gflops = 0;

  // Sums over the calls of one name, of one name and output shape, of one module; in the order of
  // their first calls. `name` of the first two is the operator's.
  struct Group {
    std::string name, output;
    int calls = 0;
    double milliseconds = 0, gmacs = 0;
  };
  // With an entry for the time between operators, so that the times add up to the forward's.
  std::vector<Group> operators() const;
  std::vector<Group> shapes() const;
  std::vector<Group> modules() const;
};

// The forward of median duration among `forwards` of a warm workload.
Profile profile(Workload& workload, int forwards, double peak_gflops);

// {"milliseconds", "operators", "shapes", "modules"}, each of the last three a list of "name",
// "output" (shapes only), "calls", "milliseconds", "percent_of_time", "gmacs", "percent_of_peak".
Json to_json(const Profile& profile);
std::string to_text(const Profile& profile);
// Events of chrome://tracing and Perfetto, appended to `events`: modules, and in them operators.
void add_trace(const Profile& profile, const std::string& model, Json& events);

}  // namespace fovea::tool
