// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "bench/kernels/kernel_bench.h"
#include "kernels/norm/norm.h"

namespace fovea::bench {
namespace {

struct Operands {
  explicit Operands(const MapShape& s)
      : m(s.h * s.w),
        c(s.c),
        x(values(m, c)),
        weight(values(1, c)),
        bias(values(1, c)),
        y(static_cast<std::size_t>(m) * c),
        sums(static_cast<std::size_t>(c) + 2) {
    for (int i = 0; i < m; ++i) rows.push_back(x.data() + std::ptrdiff_t{i} * c);
  }

  int m, c;
  FloatBuffer x, weight, bias, y;
  Buffer<double> sums;
  std::vector<const float*> rows;  // of x
};

// For every map: `call(operands)`, which reads and writes `passes` maps' worth of memory.
template <class Call>
void add_norm(const char* kernel, const std::string& level, int passes, const Call& call) {
  for (const MapShape& s : kMaps) {
    add(name_of(kernel, level, s.name), [&s, passes, call](benchmark::State& state) {
      Operands o(s);
      const double seconds = timed(state, [&] { call(o); });
      report_bytes(state, seconds, static_cast<double>(sizeof(float)) * passes * o.m * o.c);
    });
  }
}

}  // namespace

void bench_layer_norm(const KernelTable& t, const std::string& level) {
  add_norm("layer_norm", level, 2, [&t](Operands& o) {
    t.layer_norm(o.x.data(), o.c, o.y.data(), o.c, o.weight.data(), o.bias.data(), 1e-6f, o.m, o.c);
  });
}

void bench_rms_norm(const KernelTable& t, const std::string& level) {
  add_norm("rms_norm", level, 2, [&t](Operands& o) {
    t.rms_norm(o.x.data(), o.c, o.y.data(), o.c, o.weight.data(), nullptr, 1e-6f, o.m, o.c);
  });
}

void bench_moments(const KernelTable& t, const std::string& level) {
  add_norm("moments", level, 1,
           [&t](Operands& o) { t.moments(o.x.data(), o.c, o.m, o.c, o.sums.data()); });
}

void bench_scale_shift(const KernelTable& t, const std::string& level) {
  add_norm("scale_shift", level, 2, [&t](Operands& o) {
    t.scale_shift(o.x.data(), o.c, o.y.data(), o.c, o.weight.data(), o.bias.data(), o.m, o.c);
  });
}

void bench_l2_normalize(const KernelTable& t, const std::string& level) {
  add_norm("l2_normalize", level, 2,
           [&t](Operands& o) { t.l2_normalize(o.rows.data(), o.y.data(), o.c, 1e-12f, o.m, o.c); });
}

void bench_column_sum_squares(const KernelTable& t, const std::string& level) {
  add_norm("column_sum_squares", level, 1,
           [&t](Operands& o) { t.column_sum_squares(o.x.data(), o.c, o.m, o.c, o.sums.data()); });
}

void bench_column_mean(const KernelTable& t, const std::string& level) {
  add_norm("column_mean", level, 1,
           [&t](Operands& o) { t.column_mean(o.x.data(), o.c, o.m, o.c, o.y.data()); });
}

}  // namespace fovea::bench
