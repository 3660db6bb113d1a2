// SPDX-License-Identifier: Apache-2.0
#include "bench/kernels/kernel_bench.h"
#include "kernels/pool/pool.h"

namespace fovea::bench {
namespace {

// call(x, y, window) for every map and a square window, in bytes read and written once.
template <class Call>
void add_pool(const char* kernel, const std::string& level, int k, int stride, const Call& call) {
  for (const MapShape& s : kMaps) {
    if (s.h == 1) continue;
    const int pad = k / 2;
    const int oh = (s.h + 2 * pad - k) / stride + 1;
    const int ow = (s.w + 2 * pad - k) / stride + 1;
    const kernels::Window2d window{s.h, s.w, s.c, oh, ow, k, k, stride, stride, pad, pad, 1, 1};
    const std::string shape =
        std::string(s.name) + "/k" + std::to_string(k) + "/s" + std::to_string(stride);
    add(name_of(kernel, level, shape), [window, call](benchmark::State& state) {
      const kernels::Window2d& o = window;
      const FloatBuffer x = values(o.h * o.w, o.c);
      FloatBuffer y = values(o.out_h * o.out_w, o.c);
      const double seconds = timed(state, [&] { call(x.data(), y.data(), o); });
      report_bytes(state, seconds, bytes_of(x) + bytes_of(y));
    });
  }
}

}  // namespace

void bench_average_pool(const KernelTable& t, const std::string& level) {
  add_pool("average_pool", level, 3, 1, [&t](const float* x, float* y, const kernels::Window2d& w) {
    t.average_pool(x, w.c, y, w.c, w, false, 0, w.out_h);
  });
}

void bench_max_pool(const KernelTable& t, const std::string& level) {
  add_pool("max_pool", level, 3, 2, [&t](const float* x, float* y, const kernels::Window2d& w) {
    t.max_pool(x, w.c, y, w.c, w, 0, w.out_h);
  });
}

void bench_pool_mix(const KernelTable& t, const std::string& level) {
  add_pool("pool_mix", level, 3, 1, [&t](const float* x, float* y, const kernels::Window2d& w) {
    kernels::Epilogue e;
    e.residual = x;
    e.ldr = w.c;
    t.pool_mix(x, w.c, y, w.c, w.h, w.w, w.c, w.kernel_h, 0, w.h, e);
  });
}

}  // namespace fovea::bench
