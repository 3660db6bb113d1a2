// SPDX-License-Identifier: Apache-2.0
// The work of a token is one long chain of dependent operations: dt, softplus, exp, the state. A
// processor's window holds only a few tokens of it; done in three short loops over a few dozen
// tokens, several chains overlap in each. Channels go some vectors at a time for the sake of what
// they share, the token's r, b and c.
#pragma once

#include "kernels/scan/scan.h"
#include "kernels/simd/loop.h"
#include "kernels/simd/math.h"

namespace fovea::FOVEA_ISA {

using kernels::GatedSteps;
using kernels::ScanSteps;

inline constexpr int kScanVecs = Vec::kLanes == 16 ? 3 : 2;  // as many as registers hold
inline constexpr int kScanTokens = 32;                       // of a block, at most
inline constexpr int kGatedAhead = 8;  // tokens until what is asked for is wanted

// What the scan of `count` channels from j on reads of a token, and where it writes. They are asked
// for a block of tokens ahead, half of it in each of the loops below: all at once would be more
// than the cache can wait for. r, b and c are asked for as if b and c followed r, which they
// usually do.
FOVEA_INLINE void fetch_inputs(const ScanSteps& s, std::ptrdiff_t t, int j, int count) {
  fetch(s.u + t * s.u_step + j, count);
  if (j == 0) fetch(s.r + t * s.r_step, s.rank + 2 * s.state);
}
FOVEA_INLINE void fetch_output(const ScanSteps& s, std::ptrdiff_t t, int j, int count) {
  fetch(s.y + t * s.y_step + j, count);
}

// dt (tokens, kVecs vectors) of the channels from j on.
template <int kVecs, class Lanes>
FOVEA_INLINE void scan_time_steps(const ScanSteps& s, std::ptrdiff_t first, int tokens, int j,
                                  Lanes lanes, float* dt) {
  constexpr int kLanes = Vec::kLanes;
  const float* const weight = s.dt_weight + j;
  Vec bias[kVecs];
  unroll<kVecs>([&](auto v) FOVEA_INLINE_LAMBDA {
    constexpr int kVec = decltype(v)::value;
    bias[kVec] = load(s.dt_bias + j + kVec * kLanes, lanes);
  });
  for (int t = 0; t < tokens; ++t) {
    const float* const r = s.r + (first + t) * s.r_step;
    if (first == 0) {
      fetch_inputs(s, t, j, kVecs * kLanes);
      fetch_output(s, t, j, kVecs * kLanes);
    }
    if (s.state == 1) fetch_inputs(s, first + t + tokens, j, kVecs * kLanes);
    Vec sum[kVecs];
    unroll<kVecs>([&](auto v)
                      FOVEA_INLINE_LAMBDA { sum[decltype(v)::value] = bias[decltype(v)::value]; });
    for (int k = 0; k < s.rank; ++k) {
      const Vec factor = splat(r[k]);
      unroll<kVecs>([&](auto v) FOVEA_INLINE_LAMBDA {
        constexpr int kVec = decltype(v)::value;
        sum[kVec] = fma(factor, load(weight + k * s.row + kVec * kLanes, lanes), sum[kVec]);
      });
    }
    unroll<kVecs>([&](auto v) FOVEA_INLINE_LAMBDA {
      constexpr int kVec = decltype(v)::value;
      store(dt + (t * kVecs + kVec) * kLanes, sum[kVec]);
    });
  }
  for (int i = 0; i < tokens * kVecs * kLanes; i += kLanes) store(dt + i, softplus(load(dt + i)));
}

// Channels j .. j + kVecs vectors of a block of tokens.
template <int kVecs, bool kOneState, class Lanes>
FOVEA_INLINE void scan_block(const ScanSteps& s, std::ptrdiff_t first, int tokens, int j,
                             Lanes lanes, const float* dt) {
  constexpr int kLanes = Vec::kLanes;
  const float* const a = s.rate + j;
  float* const h = s.h + j;
  Vec skip[kVecs], state[kVecs], rate[kVecs];
  unroll<kVecs>([&](auto v) FOVEA_INLINE_LAMBDA {
    constexpr int kVec = decltype(v)::value;
    skip[kVec] = s.d != nullptr ? load(s.d + j + kVec * kLanes, lanes) : splat(0.0f);
    if constexpr (kOneState) {
      state[kVec] = load(h + kVec * kLanes, lanes);
      rate[kVec] = load(a + kVec * kLanes, lanes);
    }
  });
  for (std::ptrdiff_t t = first; t < first + tokens; ++t, dt += kVecs * kLanes) {
    const float* const u = s.u + t * s.u_step + j;
    const float* const b = s.b + t * s.b_step;
    const float* const c = s.c + t * s.c_step;
    float* const y = s.y + t * s.y_step + j;
    fetch_output(s, t + tokens, j, kVecs * kLanes);
    if constexpr (!kOneState) fetch_inputs(s, t + tokens, j, kVecs * kLanes);
    Vec in[kVecs], out[kVecs];
    unroll<kVecs>([&](auto v) FOVEA_INLINE_LAMBDA {
      constexpr int kVec = decltype(v)::value;
      const Vec x = load(u + kVec * kLanes, lanes);
      in[kVec] = mul(load(dt + kVec * kLanes), x);
      out[kVec] = mul(skip[kVec], x);
    });
    if constexpr (kOneState) {
      const Vec write = splat(b[0]), read = splat(c[0]);
      unroll<kVecs>([&](auto v) FOVEA_INLINE_LAMBDA {
        constexpr int kVec = decltype(v)::value;
        const Vec decay = exp2_negative(mul(load(dt + kVec * kLanes), rate[kVec]));
        state[kVec] = fma(decay, state[kVec], mul(write, in[kVec]));
        out[kVec] = fma(read, state[kVec], out[kVec]);
      });
    } else {
      for (int n = 0; n < s.state; ++n) {
        const Vec write = splat(b[n]), read = splat(c[n]);
        unroll<kVecs>([&](auto v) FOVEA_INLINE_LAMBDA {
          constexpr int kVec = decltype(v)::value;
          float* const at = h + n * s.h_row + kVec * kLanes;
          const Vec rate_n = load(a + n * s.h_row + kVec * kLanes, lanes);
          const Vec decay = exp2_negative(mul(load(dt + kVec * kLanes), rate_n));
          const Vec next = fma(decay, load(at, lanes), mul(write, in[kVec]));
          store(at, lanes, next);
          out[kVec] = fma(read, next, out[kVec]);
        });
      }
    }
    unroll<kVecs>([&](auto v) FOVEA_INLINE_LAMBDA {
      constexpr int kVec = decltype(v)::value;
      float* const to = y + kVec * kLanes;
      store(to, lanes, s.add ? add(load(to, lanes), out[kVec]) : out[kVec]);
    });
  }
  if constexpr (kOneState) {
    unroll<kVecs>([&](auto v) FOVEA_INLINE_LAMBDA {
      constexpr int kVec = decltype(v)::value;
      store(h + kVec * kLanes, lanes, state[kVec]);
    });
  }
}

void selective_scan(const ScanSteps& s, std::ptrdiff_t steps) noexcept {
  alignas(64) float dt[kScanTokens * kScanVecs * Vec::kLanes];
  // The columns of wide maps, whose rows are often a multiple of 4 KiB long, compete for a few sets
  // of each cache: there fewer tokens are in flight.
  constexpr std::ptrdiff_t kFar = 1024;
  const int most = s.u_step >= kFar || s.u_step <= -kFar ? 8 : kScanTokens;
  for (std::ptrdiff_t first = 0; first < steps; first += most) {
    const int tokens = steps - first < most ? static_cast<int>(steps - first) : most;
    for_vector_groups<kScanVecs>(s.channels,
                                 [&](int j, auto vectors, auto lanes) FOVEA_INLINE_LAMBDA {
                                   constexpr int kVecs = decltype(vectors)::value;
                                   scan_time_steps<kVecs>(s, first, tokens, j, lanes, dt);
                                   if (s.state == 1) {
                                     scan_block<kVecs, true>(s, first, tokens, j, lanes, dt);
                                   } else {
                                     scan_block<kVecs, false>(s, first, tokens, j, lanes, dt);
                                   }
                                 });
  }
}

// Channels j .. j + kVecs vectors; the rows of the state pass through registers once a token.
template <int kVecs, class Lanes>
FOVEA_INLINE void gated_channels(const GatedSteps& g, std::ptrdiff_t steps, int j, Lanes lanes) {
  constexpr int kLanes = Vec::kLanes;
  const float* query = g.query;
  const float* key = g.key;
  const float* gate = g.gate;
  const std::ptrdiff_t next_gate = g.one_gate ? 0 : 1;
  for (std::ptrdiff_t t = 0; t < steps; ++t) {
    const float* const value = g.value + t * g.value_step + j;
    float* const y = g.y + t * g.y_step + j;
    const Vec weight = splat(g.weight[t * g.weight_step]);
    fetch(value + kGatedAhead * g.value_step, kVecs * kLanes);
    fetch(y + kGatedAhead * g.y_step, kVecs * kLanes);
    fetch(key + kGatedAhead * g.key_step, g.rows);
    fetch(query + kGatedAhead * g.query_step, g.rows);
    Vec in[kVecs], out[kVecs];
    unroll<kVecs>([&](auto v) FOVEA_INLINE_LAMBDA {
      constexpr int kVec = decltype(v)::value;
      const Vec x = load(value + kVec * kLanes, lanes);
      in[kVec] = mul(weight, x);
      out[kVec] = g.add ? load(y + kVec * kLanes, lanes) : splat(0.0f);
      if (g.skip != nullptr) out[kVec] = fma(load(g.skip + j + kVec * kLanes, lanes), x, out[kVec]);
    });
    float* s = g.s + j;
    for (int i = 0; i < g.rows; ++i, s += g.s_row) {
      const Vec keep_share = splat(gate[i * next_gate]), write = splat(key[i]),
                read = splat(query[i]);
      unroll<kVecs>([&](auto v) FOVEA_INLINE_LAMBDA {
        constexpr int kVec = decltype(v)::value;
        const Vec next = fma(keep_share, load(s + kVec * kLanes, lanes), mul(write, in[kVec]));
        store(s + kVec * kLanes, lanes, next);
        out[kVec] = fma(read, next, out[kVec]);
      });
    }
    unroll<kVecs>([&](auto v) FOVEA_INLINE_LAMBDA {
      constexpr int kVec = decltype(v)::value;
      store(y + kVec * kLanes, lanes, out[kVec]);
    });
    query += g.query_step;
    key += g.key_step;
    gate += g.gate_step;
  }
}

void gated_scan(const GatedSteps& g, std::ptrdiff_t steps) noexcept {
  for_vector_groups<4>(g.channels, [&](int j, auto vectors, auto lanes) FOVEA_INLINE_LAMBDA {
    gated_channels<decltype(vectors)::value>(g, steps, j, lanes);
  });
}

void power_gates(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy, float power,
                 std::ptrdiff_t m, int n) noexcept {
  const RowsAhead ahead(ldx, n);
  for (std::ptrdiff_t i = 0; i < m; ++i) {
    ahead.fetch(x + i * ldx);
    for_vectors(n, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
      const Vec minus_log = softplus(sub(splat(0.0f), load(x + i * ldx + j, lanes)));
      store(y + i * ldy + j, lanes, exp2_negative(mul(splat(-power * kLog2e), minus_log)));
    });
  }
}

void softplus_decay(const float* raw, std::ptrdiff_t ldr, const float* bias, const float* a,
                    float* step, float* decay, std::ptrdiff_t ld, std::ptrdiff_t m,
                    int n) noexcept {
  const RowsAhead ahead(ldr, n);
  for (std::ptrdiff_t i = 0; i < m; ++i) {
    ahead.fetch(raw + i * ldr);
    for_vectors(n, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
      const Vec dt = softplus(add(load(raw + i * ldr + j, lanes), load(bias + j, lanes)));
      store(step + i * ld + j, lanes, dt);
      store(decay + i * ld + j, lanes,
            exp2_negative(mul(dt, mul(splat(kLog2e), load(a + j, lanes)))));
    });
  }
}

}  // namespace fovea::FOVEA_ISA
