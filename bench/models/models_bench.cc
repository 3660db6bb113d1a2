// SPDX-License-Identifier: Apache-2.0
// Whole networks with zero weights, for every backend that could be fast and number of threads.
#include <memory>

#include "bench/bench.h"
#include "bench/shapes.h"
#include "fovea/fovea.h"

namespace fovea::bench {
namespace {

void run_network(benchmark::State& state, const char* name, const std::string& backend,
                 int threads) {
  LoadOptions options;
  options.backend = make_backend(backend);
  const Model model = Model::untrained(name, options);
  const PreprocessConfig& config = model.preprocess_config();
  const FloatBuffer pixels = values(config.height * config.width, 3);
  FloatBuffer logits(static_cast<std::size_t>(model.backbone().num_outputs()));
  const CMapF x(pixels.data(), 1, config.height, config.width, 3);
  const MapF y(logits.data(), 1, 1, 1, model.backbone().num_outputs());
  Context ctx(threads);
  model.backbone().logits(x, y, ctx);
  const auto macs = static_cast<double>(ctx.macs());
  const double seconds = timed(state, CLOCK_MONOTONIC, [&] { model.backbone().logits(x, y, ctx); });
  report_flops(state, seconds, 2 * macs, threads);
}

}  // namespace
}  // namespace fovea::bench

int main(int argc, char** argv) {
  namespace bench = fovea::bench;
  for (const char* name : bench::kNetworks) {
    for (const std::string_view backend : fovea::backend_names()) {
      if (backend == "reference") continue;
      for (const int threads : bench::thread_counts()) {
        const std::string who(backend);
        bench::add(std::string(name) + "/" + who + "/threads:" + std::to_string(threads),
                   [name, who, threads](benchmark::State& state) {
                     bench::run_network(state, name, who, threads);
                   })
            ->UseRealTime()
            ->Unit(benchmark::kMillisecond);
      }
    }
  }
  return bench::run(argc, argv);
}
