// SPDX-License-Identifier: Apache-2.0
#include <utility>

#include "bench/kernels/kernel_bench.h"
#include "kernels/features/features.h"

namespace fovea::bench {
namespace {

// A tile of keys: what linear attention handles at a time.
constexpr int kRows = 128, kColumns = 64;

template <class Call>
void add_tile(const std::string& name, const Call& call) {
  add(name, [call](benchmark::State& state) {
    const FloatBuffer x = values(kRows, kColumns), table = values(kRows, kColumns);
    FloatBuffer y(x.size());
    const double seconds = timed(state, [&] { call(x.data(), table.data(), y.data()); });
    report_bytes(state, seconds, 2 * bytes_of(x));
  });
}

}  // namespace

void bench_map_features(const KernelTable& t, const std::string& level) {
  using kernels::Feature;
  for (const auto& [name, feature] : {std::pair("relu", Feature::relu),
                                      {"elu_plus_one", Feature::elu_plus_one},
                                      {"exp", Feature::exp},
                                      {"focused", Feature::focused}}) {
    const Feature which = feature;
    add_tile(name_of("map_features", level, name),
             [&t, which](const float* x, const float*, float* y) {
               t.map_features(which, x, kColumns, nullptr, 0, y, kColumns, kRows, kColumns);
             });
  }
}

void bench_rotate_pairs(const KernelTable& t, const std::string& level) {
  for (const bool interleaved : {false, true}) {
    add_tile(name_of("rotate_pairs", level, interleaved ? "interleaved" : "halves"),
             [&t, interleaved](const float* x, const float* table, float* y) {
               t.rotate_pairs(x, kColumns, table, table, kColumns, interleaved, y, kColumns, kRows,
                              kColumns);
             });
  }
}

void bench_row_dots(const KernelTable& t, const std::string& level) {
  add_tile(name_of("row_dots", level, "tile"), [&t](const float* x, const float* table, float* y) {
    t.row_dots(x, kColumns, table, 0, y, kRows, kColumns);
  });
}

void bench_scale_rows(const KernelTable& t, const std::string& level) {
  add_tile(name_of("scale_rows", level, "tile"), [&t](const float* x, const float* s, float* y) {
    t.scale_rows(x, kColumns, s, 1, y, kColumns, kRows, kColumns);
  });
}

}  // namespace fovea::bench
