// SPDX-License-Identifier: Apache-2.0
#include "bench/kernels/kernel_bench.h"
#include "kernels/scan/scan.h"

namespace fovea::bench {
namespace {

// A sequence of `tokens`, read along rows of a map `stride` tokens wide, or down its columns.
struct ScanShape {
  const char* name;
  int tokens, stride, channels, state, rank;
};
constexpr ScanShape kScans[] = {
    {"vmamba_tiny_s1l8/0/rows", 3136, 1, 96, 1, 6},
    {"vmamba_tiny_s1l8/0/columns", 3136, 56, 96, 1, 6},
    {"vmamba_tiny_s1l8/2/rows", 196, 1, 384, 1, 24},
    {"vanilla_vmamba_tiny/0/rows", 3136, 1, 192, 16, 6},
    {"vanilla_vmamba_tiny/2/columns", 196, 14, 768, 16, 24},
    {"pixels/rows", 50176, 1, 96, 1, 6},
    {"pixels/columns", 50176, 224, 96, 1, 6},
};

// How many states were updated a second, in thousand millions.
void report_updates(benchmark::State& state, double seconds, double updates) {
  state.counters["Gupdates/s"] = updates / seconds * 1e-9;
}

void run_scan(benchmark::State& state, const KernelTable& t, const ScanShape& shape) {
  constexpr int kBlock = 32;  // channels that go together
  const int width = shape.rank + 2 * shape.state;
  const FloatBuffer u = values(shape.tokens, shape.channels), p = values(shape.tokens, width);
  FloatBuffer y = values(shape.tokens, shape.channels);
  const FloatBuffer weight = values(shape.rank, shape.channels), bias = values(1, shape.channels);
  FloatBuffer rate(static_cast<std::size_t>(shape.state) * kBlock), h(rate.size());
  for (float& r : rate) r = -1.5f;
  kernels::ScanSteps s;
  s.row = shape.channels;
  s.rate = rate.data();
  s.h = h.data();
  s.h_row = kBlock;
  s.channels = kBlock;
  s.state = shape.state;
  s.rank = shape.rank;
  s.u_step = s.y_step = static_cast<std::ptrdiff_t>(shape.stride) * shape.channels;
  s.r_step = s.b_step = s.c_step = static_cast<std::ptrdiff_t>(shape.stride) * width;
  const double seconds = timed(state, [&] {
    for (int first = 0; first < shape.channels; first += kBlock) {
      s.dt_weight = weight.data() + first;
      s.dt_bias = s.d = bias.data() + first;
      for (float& value : h) value = 0.0f;
      for (std::ptrdiff_t column = 0; column < shape.stride; ++column) {
        s.u = u.data() + column * shape.channels + first;
        s.y = y.data() + column * shape.channels + first;
        s.r = p.data() + column * width;
        s.b = s.r + shape.rank;
        s.c = s.b + shape.state;
        t.selective_scan(s, shape.tokens / shape.stride);
      }
    }
  });
  report_updates(state, seconds, static_cast<double>(shape.tokens) * shape.channels * shape.state);
}

}  // namespace

void bench_selective_scan(const KernelTable& t, const std::string& level) {
  for (const ScanShape& shape : kScans) {
    add(name_of("selective_scan", level, shape.name),
        [&t, &shape](benchmark::State& state) { run_scan(state, t, shape); });
  }
}

void bench_gated_scan(const KernelTable& t, const std::string& level) {
  const struct {
    const char* name;
    int tokens, rows, channels;
  } shapes[] = {{"vig_tiny", 196, 32, 64}, {"adventurer_tiny", 4097, 64, 64}};
  for (const auto& shape : shapes) {
    add(name_of("gated_scan", level, shape.name), [&t, shape](benchmark::State& state) {
      const FloatBuffer q = values(shape.tokens, shape.rows), k = values(shape.tokens, shape.rows);
      const FloatBuffer v = values(shape.tokens, shape.channels);
      FloatBuffer y(v.size()), s = values(shape.rows, shape.channels);
      const FloatBuffer gate = values(shape.tokens, shape.rows);
      const float weight = 0.5f;
      kernels::GatedSteps g;
      g.query = q.data();
      g.key = k.data();
      g.gate = gate.data();
      g.query_step = g.key_step = g.gate_step = shape.rows;
      g.value = v.data();
      g.y = y.data();
      g.value_step = g.y_step = g.s_row = shape.channels;
      g.weight = &weight;
      g.s = s.data();
      g.rows = shape.rows;
      g.channels = shape.channels;
      const double seconds = timed(state, [&] { t.gated_scan(g, shape.tokens); });
      report_flops(state, seconds, 6.0 * shape.tokens * shape.rows * shape.channels);
    });
  }
}

void bench_power_gates(const KernelTable& t, const std::string& level) {
  add(name_of("power_gates", level, "vig_tiny"), [&t](benchmark::State& state) {
    const FloatBuffer x = values(196, 192);
    FloatBuffer y(x.size());
    const double seconds =
        timed(state, [&] { t.power_gates(x.data(), 192, y.data(), 192, 0.0625f, 196, 192); });
    report_bytes(state, seconds, 2 * bytes_of(x));
  });
}

void bench_softplus_decay(const KernelTable& t, const std::string& level) {
  add(name_of("softplus_decay", level, "vssd_tiny/0"), [&t](benchmark::State& state) {
    const FloatBuffer x = values(3136, 8), bias = values(1, 8), a = values(1, 8);
    FloatBuffer step(x.size()), decay(x.size());
    const double seconds = timed(state, [&] {
      t.softplus_decay(x.data(), 8, bias.data(), a.data(), step.data(), decay.data(), 8, 3136, 8);
    });
    report_bytes(state, seconds, 3 * bytes_of(x));
  });
}

}  // namespace fovea::bench
