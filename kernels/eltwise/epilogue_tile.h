// SPDX-License-Identifier: Apache-2.0
// The fixed epilogue on vectors, rows and register tiles.  Every path does the same operations in
// the same order to an element, so a result does not depend on the tile that it fell into.
#pragma once

#include "kernels/epilogue.h"
#include "kernels/simd/loop.h"
#include "kernels/simd/math.h"

namespace fovea::FOVEA_ISA {

using kernels::Act;
using kernels::Epilogue;

template <Act kAct>
FOVEA_INLINE Vec activate(Vec x, const Epilogue& e) {
  const Vec zero = splat(0.0f);
  const Vec one = splat(1.0f);
  if constexpr (kAct == Act::none) return x;
  if constexpr (kAct == Act::relu) return max(zero, x);
  if constexpr (kAct == Act::gelu) {
    const Vec half = mul(splat(0.5f), x);
    return fma(half, erf(mul(x, splat(0.70710678f))), half);
  }
  if constexpr (kAct == Act::gelu_tanh) {
    const Vec half = mul(splat(0.5f), x);
    const Vec inner = mul(x, fma(mul(x, x), splat(0.044715f * 0.79788456f), splat(0.79788456f)));
    return fma(half, tanh(inner), half);
  }
  // x / (1 + e^-x) rather than x sigmoid(x): one rounding less.
  if constexpr (kAct == Act::silu) return div(x, add(one, exp(sub(zero, x))));
  if constexpr (kAct == Act::quick_gelu) return div(x, add(one, exp(mul(splat(-1.702f), x))));
  if constexpr (kAct == Act::star_relu) {
    const Vec r = max(zero, x);
    return fma(mul(r, r), splat(e.act_scale), splat(e.act_bias));
  }
  if constexpr (kAct == Act::sigmoid) return sigmoid(x);
  if constexpr (kAct == Act::tanh) return tanh(x);
}

// One vector, at row i and column j of the epilogue's block.
template <Act kAct, class Lanes>
FOVEA_INLINE Vec epilogue_vector(Vec x, std::ptrdiff_t i, int j, Lanes lanes, const Epilogue& e) {
  if (e.bias != nullptr) x = add(x, load(e.bias + j, lanes));
  x = activate<kAct>(x, e);
  if (e.scale != nullptr) x = mul(x, load(e.scale + j, lanes));
  if (e.residual != nullptr) {
    const Vec r = load(e.residual + i * e.ldr + j, lanes);
    x = e.residual_scale != nullptr ? fma(r, load(e.residual_scale + j, lanes), x) : add(x, r);
  }
  return x;
}

// y(m, n) = epilogue(x(m, n)); y may be x.
template <Act kAct>
[[gnu::noinline]] void epilogue_rows_of(const float* x, std::ptrdiff_t ldx, float* y,
                                        std::ptrdiff_t ldy, std::ptrdiff_t m, int n,
                                        const Epilogue& e) {
  for (std::ptrdiff_t i = 0; i < m; ++i) {
    for_vectors(n, [&](int j, auto lanes) FOVEA_INLINE_LAMBDA {
      store(y + i * ldy + j, lanes,
            epilogue_vector<kAct>(load(x + i * ldx + j, lanes), i, j, lanes, e));
    });
  }
}

FOVEA_INLINE void epilogue_rows(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy,
                                std::ptrdiff_t m, int n, const Epilogue& e) {
  switch (e.act) {
    case Act::none:
      return epilogue_rows_of<Act::none>(x, ldx, y, ldy, m, n, e);
    case Act::relu:
      return epilogue_rows_of<Act::relu>(x, ldx, y, ldy, m, n, e);
    case Act::gelu:
      return epilogue_rows_of<Act::gelu>(x, ldx, y, ldy, m, n, e);
    case Act::gelu_tanh:
      return epilogue_rows_of<Act::gelu_tanh>(x, ldx, y, ldy, m, n, e);
    case Act::quick_gelu:
      return epilogue_rows_of<Act::quick_gelu>(x, ldx, y, ldy, m, n, e);
    case Act::silu:
      return epilogue_rows_of<Act::silu>(x, ldx, y, ldy, m, n, e);
    case Act::star_relu:
      return epilogue_rows_of<Act::star_relu>(x, ldx, y, ldy, m, n, e);
    case Act::sigmoid:
      return epilogue_rows_of<Act::sigmoid>(x, ldx, y, ldy, m, n, e);
    case Act::tanh:
      return epilogue_rows_of<Act::tanh>(x, ldx, y, ldy, m, n, e);
  }
}

// Stores M rows of NV vectors, of which n columns exist: (NV - 1) kLanes < n <= NV kLanes.  The
// cheap activations happen in registers.  The others go through a buffer that stays in L1:
// expanding them M * NV times would multiply the code without gaining time.
template <int M, int NV>
FOVEA_INLINE void epilogue_tile(const Vec (&acc)[M][NV], float* y, std::ptrdiff_t ldy, int n,
                                const Epilogue& e) {
  const auto direct = [&](auto act, auto last_lanes) FOVEA_INLINE_LAMBDA {
    unroll<M>([&](auto i) FOVEA_INLINE_LAMBDA {
      unroll<NV>([&](auto j) FOVEA_INLINE_LAMBDA {
        constexpr int kRow = decltype(i)::value;
        constexpr int kVec = decltype(j)::value;
        constexpr Act kAct = static_cast<Act>(decltype(act)::value);
        const auto put = [&](auto lanes) FOVEA_INLINE_LAMBDA {
          constexpr int kColumn = kVec * Vec::kLanes;
          store(y + kRow * ldy + kColumn, lanes,
                epilogue_vector<kAct>(acc[kRow][kVec], kRow, kColumn, lanes, e));
        };
        if constexpr (kVec == NV - 1) {
          put(last_lanes);
        } else {
          put(AllLanes());
        }
      });
    });
  };
  const auto any_width = [&](auto act) FOVEA_INLINE_LAMBDA {
    if (n == NV * Vec::kLanes) {
      direct(act, AllLanes());
    } else {
      direct(act, FirstLanes{n - (NV - 1) * Vec::kLanes});
    }
  };
  if (e.act == Act::none) return any_width(Index<static_cast<int>(Act::none)>());
  if (e.act == Act::relu) return any_width(Index<static_cast<int>(Act::relu)>());
  constexpr int kWidth = NV * Vec::kLanes;
  alignas(64) float tile[M * kWidth];
  unroll<M>([&](auto i) FOVEA_INLINE_LAMBDA {
    unroll<NV>([&](auto j) FOVEA_INLINE_LAMBDA {
      constexpr int kRow = decltype(i)::value;
      constexpr int kVec = decltype(j)::value;
      store(tile + kRow * kWidth + kVec * Vec::kLanes, acc[kRow][kVec]);
    });
  });
  epilogue_rows(tile, kWidth, y, ldy, M, n, e);
}

}  // namespace fovea::FOVEA_ISA
