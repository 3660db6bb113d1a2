// SPDX-License-Identifier: Apache-2.0
#include "bench/kernels/kernel_bench.h"
#include "kernels/softmax/softmax.h"

namespace fovea::bench {

void bench_softmax(const KernelTable& t, const std::string& level) {
  for (const RowsShape& s : kScores) {
    add(name_of("softmax", level, s.name), [&t, &s](benchmark::State& state) {
      const FloatBuffer x = values(s.rows, s.columns);
      FloatBuffer y(x.size());
      const double seconds = timed(
          state, [&] { t.softmax(x.data(), s.columns, y.data(), s.columns, s.rows, s.columns); });
      report_bytes(state, seconds, sizeof(float) * 2.0 * s.rows * s.columns);
    });
  }
}

}  // namespace fovea::bench
