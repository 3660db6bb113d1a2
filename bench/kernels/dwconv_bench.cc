// SPDX-License-Identifier: Apache-2.0
#include "bench/kernels/kernel_bench.h"
#include "kernels/dwconv/dwconv.h"

namespace fovea::bench {
namespace {

void run_dwconv(benchmark::State& state, const KernelTable& t, const MapShape& s, int k,
                int stride) {
  const int pad = k / 2;
  const int oh = (s.h + 2 * pad - k) / stride + 1;
  const int ow = (s.w + 2 * pad - k) / stride + 1;
  const kernels::Window2d window{s.h, s.w, s.c, oh, ow, k, k, stride, stride, pad, pad, 1, 1};
  const FloatBuffer x = values(s.h * s.w, s.c);
  const FloatBuffer w = values(k * k, s.c);
  const FloatBuffer bias = values(1, s.c);
  FloatBuffer y(static_cast<std::size_t>(oh) * ow * s.c);
  kernels::Epilogue e;
  e.bias = bias.data();
  const double seconds = timed(
      state, [&] { t.dwconv(x.data(), s.c, w.data(), s.c, y.data(), s.c, window, 0, oh, e); });
  // As for whole networks, taps on the padding count.
  report_flops(state, seconds, 2.0 * oh * ow * s.c * k * k);
}

}  // namespace

void bench_dwconv(const KernelTable& t, const std::string& level) {
  for (const MapShape& s : kMaps) {
    if (s.h == 1) continue;
    for (const int k : {3, 5, 7}) {
      for (const int stride : {1, 2}) {
        const std::string shape =
            std::string(s.name) + "/k" + std::to_string(k) + "/s" + std::to_string(stride);
        add(name_of("dwconv", level, shape),
            [&t, &s, k, stride](benchmark::State& state) { run_dwconv(state, t, s, k, stride); });
      }
    }
  }
}

}  // namespace fovea::bench
