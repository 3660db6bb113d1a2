// SPDX-License-Identifier: Apache-2.0
#include "measure.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "fovea/backend/peak.h"
#include "fovea/core/generator.h"
#include "pictures.h"

namespace fovea::tool {
namespace {

using Clock = std::chrono::steady_clock;

double milliseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double count_gmacs(const Model& model, const CMapF& images, const MapF& outputs) {
  Context ctx(1);
  ctx.set_dry_run(true);
  model.backbone().logits(images, outputs, ctx);
  return static_cast<double>(ctx.macs()) * 1e-9 / images.n;
}

}  // namespace

Workload::Workload(const Model& model, const MeasureOptions& options)
    : model_(model), pool_(std::make_shared<ThreadPool>(options.threads)), ctx_(pool_) {
  const int h = model.preprocess_config().height;
  const int w = model.preprocess_config().width;
  const int outputs = model.backbone().num_outputs();
  pixels_ = FloatBuffer(static_cast<std::size_t>(options.batch) * h * w * 3);
  logits_ = FloatBuffer(static_cast<std::size_t>(options.batch) * outputs);
  // The range of normalised pixels.
  const std::uint64_t state = fnv1a("pixels");
  for (std::size_t i = 0; i < pixels_.size(); ++i) {
    pixels_[i] = generated_value(state, i, -2.0, 2.0);
  }
  images_ = CMapF(pixels_.data(), options.batch, h, w, 3);
  outputs_ = MapF(logits_.data(), options.batch, 1, 1, outputs);
  gmacs_ = count_gmacs(model, images_, outputs_);
  reserve_workspace(model, options.batch, ctx_);
  forward();
}

void Workload::forward() { model_.backbone().logits(images_, outputs_, ctx_); }

double Timing::quantile(double q) const {
  const double rank = std::ceil(q * static_cast<double>(milliseconds.size()));
  return milliseconds[static_cast<std::size_t>(std::max(rank, 1.0)) - 1];
}

Timing measure(Workload& workload, const MeasureOptions& options,
               const std::function<void(int)>& progress) {
  // Both kinds of measurement see the same clocks, yet most of the time goes to forwards.
  constexpr double kBetweenPeaks = 250;  // milliseconds
  constexpr int kForwardsBetweenPeaks = 4;
  for (int i = 0; i < options.warm_iterations; ++i) {
    progress(0);
    workload.forward();
  }
  PeakMeter peak(workload.pool());
  Timing timing;
  double spent = 0;
  double since_peak = kBetweenPeaks;
  int forwards = kForwardsBetweenPeaks;
  while (static_cast<int>(timing.milliseconds.size()) < options.bench_iterations ||
         spent < options.seconds * 1e3) {
    if (since_peak >= kBetweenPeaks && forwards >= kForwardsBetweenPeaks) {
      peak.sample();
      workload.forward();  // puts caches and threads of the backend's library back
      since_peak = 0;
      forwards = 0;
    }
    progress(static_cast<int>(timing.milliseconds.size()));
    const auto start = Clock::now();
    workload.forward();
    timing.milliseconds.push_back(milliseconds_since(start));
    spent += timing.milliseconds.back();
    since_peak += timing.milliseconds.back();
    ++forwards;
  }
  peak.sample();
  std::sort(timing.milliseconds.begin(), timing.milliseconds.end());
  timing.peak_gflops = peak.gflops();
  return timing;
}

double percent_of_peak(double gmacs, double milliseconds, double peak_gflops) {
  return 100.0 * 2.0 * gmacs / (milliseconds * 1e-3) / peak_gflops;
}

}  // namespace fovea::tool
