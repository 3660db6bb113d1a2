// SPDX-License-Identifier: Apache-2.0
#include "bench/kernels/kernel_bench.h"
#include "kernels/gemm/gemm.h"

namespace fovea::bench {
namespace {

void run_gemm(benchmark::State& state, const KernelTable& t, const GemmShape& s, kernels::Act act) {
  const FloatBuffer a = values(s.m, s.k);
  const FloatBuffer w = values(s.n, s.k);
  const FloatBuffer bias = values(1, s.n);
  FloatBuffer b(static_cast<std::size_t>(t.packed_size(s.n, s.k)));
  FloatBuffer c(static_cast<std::size_t>(s.m) * s.n);
  t.pack_nk(w.data(), s.k, s.n, s.k, b.data());
  kernels::Epilogue e;
  e.bias = bias.data();
  e.act = act;
  const double seconds =
      timed(state, [&] { t.gemm(a.data(), s.k, b.data(), c.data(), s.n, s.m, s.n, s.k, e, {}); });
  report_flops(state, seconds, 2.0 * s.m * s.n * s.k);
}

// Keys times values of 128 tokens.
void run_transposed(benchmark::State& state, const KernelTable& t) {
  constexpr int kTokens = 128, kWidth = 64;
  const FloatBuffer keys = values(kTokens, kWidth);
  FloatBuffer packed(static_cast<std::size_t>(t.packed_size(kWidth, kTokens)));
  FloatBuffer sums(kWidth * kWidth);
  t.pack_kn(keys.data(), kWidth, kWidth, kTokens, packed.data());
  const double seconds = timed(state, [&] {
    t.gemm_transposed(keys.data(), kWidth, packed.data(), sums.data(), kWidth, kWidth, kWidth,
                      kTokens, {}, {});
  });
  report_flops(state, seconds, 2.0 * kTokens * kWidth * kWidth);
}

// The 3 x 3 convolution of a stem, 32 channels to 32 on one line of 112 pixels and its neighbours.
void run_indirect(benchmark::State& state, const KernelTable& t) {
  constexpr int kPixels = 112, kChannels = 32, kLine = 3 * kChannels;
  const FloatBuffer map = values(3 * (kPixels + 2), kChannels);
  const FloatBuffer w = values(kChannels, 3 * kLine);
  FloatBuffer b(static_cast<std::size_t>(t.packed_size(kChannels, 3 * kLine)));
  FloatBuffer c(static_cast<std::size_t>(kPixels) * kChannels);
  t.pack_nk(w.data(), 3 * kLine, kChannels, 3 * kLine, b.data());
  std::vector<const float*> pieces;
  for (int i = 0; i < 3 * kPixels; ++i) {
    pieces.push_back(map.data() + (i / kPixels * (kPixels + 2) + i % kPixels) * kChannels);
  }
  const double seconds = timed(state, [&] {
    t.gemm_indirect(pieces.data(), kPixels, 3, kLine, b.data(), c.data(), kChannels, kPixels,
                    kChannels, {}, {});
  });
  report_flops(state, seconds, 2.0 * kPixels * kChannels * 3 * kLine);
}

template <class Pack>
void run_pack(benchmark::State& state, const KernelTable& t, const GemmShape& s, Pack* pack,
              int ldw) {
  const FloatBuffer w = values(s.n, s.k);
  FloatBuffer packed(static_cast<std::size_t>(t.packed_size(s.n, s.k)));
  const double seconds = timed(state, [&] { pack(w.data(), ldw, s.n, s.k, packed.data()); });
  report_bytes(state, seconds, sizeof(float) * 2.0 * s.n * s.k);
}

}  // namespace

void bench_gemm(const KernelTable& t, const std::string& level) {
  for (const GemmShape& s : kGemms) {
    add(name_of("gemm", level, s.name),
        [&t, &s](benchmark::State& state) { run_gemm(state, t, s, kernels::Act::none); });
  }
  for (const GemmShape& s : {kGemms[2], kGemms[8]}) {
    add(name_of("gemm", level, std::string(s.name) + "/gelu"),
        [&t, s](benchmark::State& state) { run_gemm(state, t, s, kernels::Act::gelu); });
  }
}

void bench_gemm_transposed(const KernelTable& t, const std::string& level) {
  add(name_of("gemm_transposed", level, "keys"),
      [&t](benchmark::State& state) { run_transposed(state, t); });
}

void bench_gemm_indirect(const KernelTable& t, const std::string& level) {
  add(name_of("gemm_indirect", level, "stem"),
      [&t](benchmark::State& state) { run_indirect(state, t); });
}

void bench_pack_nk(const KernelTable& t, const std::string& level) {
  for (const GemmShape& s : kGemms) {
    add(name_of("pack_nk", level, s.name),
        [&t, &s](benchmark::State& state) { run_pack(state, t, s, t.pack_nk, s.k); });
  }
}

void bench_pack_kn(const KernelTable& t, const std::string& level) {
  for (const GemmShape& s : kGemms) {
    add(name_of("pack_kn", level, s.name),
        [&t, &s](benchmark::State& state) { run_pack(state, t, s, t.pack_kn, s.n); });
  }
}

}  // namespace fovea::bench
