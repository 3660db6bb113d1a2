// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "bench/kernels/kernel_bench.h"
#include "kernels/eltwise/eltwise.h"

namespace fovea::bench {
namespace {

using kernels::Act;

void run_map(benchmark::State& state, const KernelTable& t, const MapShape& s, Act act) {
  const int m = s.h * s.w;
  const FloatBuffer x = values(m, s.c);
  FloatBuffer y(x.size());
  kernels::Epilogue e;
  e.act = act;
  const double seconds =
      timed(state, [&] { t.epilogue_map(x.data(), s.c, y.data(), s.c, m, s.c, e); });
  report_bytes(state, seconds, sizeof(float) * 2.0 * m * s.c);
}

void add_binary(const char* kernel, const std::string& level, multiply_fn* call) {
  for (const MapShape& s : kMaps) {
    add(name_of(kernel, level, s.name), [&s, call](benchmark::State& state) {
      const int m = s.h * s.w;
      const FloatBuffer a = values(m, s.c);
      const FloatBuffer b = values(m, s.c);
      FloatBuffer y(a.size());
      const double seconds =
          timed(state, [&] { call(a.data(), s.c, b.data(), s.c, y.data(), s.c, m, s.c); });
      report_bytes(state, seconds, sizeof(float) * 3.0 * m * s.c);
    });
  }
}

}  // namespace

void bench_epilogue_map(const KernelTable& t, const std::string& level) {
  const std::pair<const char*, Act> kActs[] = {
      {"copy", Act::none}, {"gelu", Act::gelu}, {"silu", Act::silu}, {"star_relu", Act::star_relu}};
  for (const auto& [name, act] : kActs) {
    for (const MapShape& s : kMaps) {
      const Act which = act;
      add(name_of("epilogue_map", level, std::string(s.name) + "/" + name),
          [&t, &s, which](benchmark::State& state) { run_map(state, t, s, which); });
    }
  }
}

void bench_multiply(const KernelTable& t, const std::string& level) {
  add_binary("multiply", level, t.multiply);
}

void bench_add_rows(const KernelTable& t, const std::string& level) {
  add_binary("add_rows", level, t.add_rows);
}

void bench_blend(const KernelTable& t, const std::string& level) {
  for (const MapShape& s : kMaps) {
    add(name_of("blend", level, s.name), [&t, &s](benchmark::State& state) {
      const int m = s.h * s.w;
      const FloatBuffer x = values(m, s.c);
      FloatBuffer y(x.size());
      const float weights[4] = {0.1f, 0.2f, 0.3f, 0.4f};
      const double seconds = timed(state, [&] {
        for (std::ptrdiff_t i = 0; i + 4 <= m; ++i) {
          const float* const row = x.data() + i * s.c;
          const float* const corners[4] = {row, row + s.c, row + 2 * s.c, row + 3 * s.c};
          t.blend(corners, weights, y.data() + i * s.c, s.c);
        }
      });
      report_bytes(state, seconds, sizeof(float) * 2.0 * m * s.c);
    });
  }
}

}  // namespace fovea::bench
