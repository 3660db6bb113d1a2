// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "fovea/core/buffer.h"
#include "fovea/core/context.h"
#include "fovea/model.h"

namespace fovea::tool {

// How long to measure: both the iterations and the time must be reached.
struct MeasureOptions {
  int batch = 1;
  int threads = 0;
  int warm_iterations = 10;
  int bench_iterations = 40;
  double seconds = 1.0;
};

// One network on made-up pictures, ready to run: what is timed and what is profiled.
class Workload {
 public:
  // The first forward, which takes memory, is done here.
  Workload(const Model& model, const MeasureOptions& options);

  void forward();
  Context& context() { return ctx_; }
  const std::shared_ptr<const ThreadPool>& pool() const { return pool_; }
  double gmacs() const { return gmacs_; }  // of one picture

 private:
  const Model& model_;
  std::shared_ptr<const ThreadPool> pool_;
  Context ctx_;
  FloatBuffer pixels_, logits_;
  CMapF images_;
  MapF outputs_;
  double gmacs_ = 0;
};

struct Timing {
  std::vector<double> milliseconds;  // of each forward, sorted
  double peak_gflops = 0;            // of the processor, on as many threads, in the same minutes

  double median() const { return quantile(0.5); }
  // Nearest rank: a time that was measured.
  double quantile(double q) const;
};

// Warms up, then times forwards, with samples of the processor's peak in between. `progress` is
// called before each forward, with how many were timed.
Timing measure(Workload& workload, const MeasureOptions& options,
               const std::function<void(int)>& progress);

// 0-100: `gmacs` done in `milliseconds`, as a share of `peak_gflops`.
double percent_of_peak(double gmacs, double milliseconds, double peak_gflops);

}  // namespace fovea::tool
