// SPDX-License-Identifier: Apache-2.0
#include <vector>

#include "bench/kernels/kernel_bench.h"
#include "kernels/attention/attention.h"

namespace fovea::bench {
namespace {

// One head whose rows lie as in a qkv map of `heads` heads.
struct Head {
  Head(const KernelTable& t, const AttentionShape& s)
      : qkv(values(s.tokens, 3 * s.heads * s.width)),
        y(values(s.tokens, s.width)),
        bias(values(s.tokens, s.tokens)),
        packed(static_cast<std::size_t>(t.packed_attention_size(s.tokens, s.width, s.width))),
        scores(static_cast<std::size_t>(t.attention_scores_size(s.tokens))) {
    for (int i = 0; i < s.tokens; ++i) {
      const float* const row = qkv.data() + std::ptrdiff_t{i} * 3 * s.heads * s.width;
      q.push_back(row);
      k.push_back(row + s.heads * s.width);
      v.push_back(row + 2 * s.heads * s.width);
      out.push_back(y.data() + std::ptrdiff_t{i} * s.width);
    }
    t.pack_attention(k.data(), v.data(), s.tokens, s.width, s.width, packed.data());
    rows.q = q.data();
    rows.y = out.data();
    rows.packed = packed.data();
    rows.keys = s.tokens;
    rows.d = rows.dv = s.width;
    if (s.bias) rows.bias = bias.data();
    rows.ldb = s.tokens;
    rows.scores = scores.data();
  }

  FloatBuffer qkv, y, bias, packed, scores;
  std::vector<const float*> q, k, v;
  std::vector<float*> out;
  kernels::AttentionRows rows;
};

}  // namespace

void bench_attention(const KernelTable& t, const std::string& level) {
  for (const AttentionShape& s : kAttentions) {
    add(name_of("attention", level, s.name), [&t, &s](benchmark::State& state) {
      const Head head(t, s);
      const double seconds = timed(state, [&] { t.attention(head.rows, s.tokens, {}); });
      report_flops(state, seconds, 4.0 * s.tokens * s.tokens * s.width);
    });
  }
}

void bench_pack_attention(const KernelTable& t, const std::string& level) {
  for (const AttentionShape& s : kAttentions) {
    add(name_of("pack_attention", level, s.name), [&t, &s](benchmark::State& state) {
      Head head(t, s);
      const double seconds = timed(state, [&] {
        t.pack_attention(head.k.data(), head.v.data(), s.tokens, s.width, s.width,
                         head.packed.data());
      });
      report_bytes(state, seconds, sizeof(float) * 4.0 * s.tokens * s.width);
    });
  }
}

}  // namespace fovea::bench
