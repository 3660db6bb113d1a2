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
  if constexpr (kAct == Act::none) return x;
  if constexpr (kAct == Act::relu) return max(splat(0.0f), x);
  if constexpr (kAct == Act::gelu) return gelu(x);
  if constexpr (kAct == Act::gelu_tanh) {
    const Vec half = mul(splat(0.5f), x);
    const Vec inner = mul(x, fma(mul(x, x), splat(0.044715f * 0.79788456f), splat(0.79788456f)));
    return fma(half, tanh(inner), half);
  }
  if constexpr (kAct == Act::silu) return silu(x);
  if constexpr (kAct == Act::quick_gelu) {
    constexpr float kSlope = 1.702f;
    return mul(silu(mul(splat(kSlope), x)), splat(1.0f / kSlope));
  }
  if constexpr (kAct == Act::star_relu) {
    const Vec r = max(splat(0.0f), x);
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
  const RowsAhead ahead(ldx, n);
  for (std::ptrdiff_t i = 0; i < m; ++i) {
    ahead.fetch(x + i * ldx);
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

// acc(i, j) = f(acc(i, j), index i, index j) for all vectors of a tile.
template <int M, int NV, class F>
FOVEA_INLINE void update_tile(Vec (&acc)[M][NV], const F& f) {
  unroll<M>([&](auto i) FOVEA_INLINE_LAMBDA {
    unroll<NV>([&](auto j) FOVEA_INLINE_LAMBDA {
      Vec& v = acc[decltype(i)::value][decltype(j)::value];
      v = f(v, i, j);
    });
  });
}

// act() of a buffer of `vectors` vectors, an even number, in place: two at a time, so that one's
// arithmetic fills the other's latencies.
template <Act kAct>
[[gnu::noinline]] void activate_buffer_by(float* x, int vectors, const Epilogue& e) {
  for (int v = 0; v < vectors; v += 2, x += 2 * Vec::kLanes) {
    const Vec a = activate<kAct>(load(x), e);
    const Vec b = activate<kAct>(load(x + Vec::kLanes), e);
    store(x, a);
    store(x + Vec::kLanes, b);
  }
}

FOVEA_INLINE void activate_buffer(float* x, int vectors, const Epilogue& e) {
  switch (e.act) {
    case Act::none:
      return;
    case Act::relu:
      return activate_buffer_by<Act::relu>(x, vectors, e);
    case Act::gelu:
      return activate_buffer_by<Act::gelu>(x, vectors, e);
    case Act::gelu_tanh:
      return activate_buffer_by<Act::gelu_tanh>(x, vectors, e);
    case Act::quick_gelu:
      return activate_buffer_by<Act::quick_gelu>(x, vectors, e);
    case Act::silu:
      return activate_buffer_by<Act::silu>(x, vectors, e);
    case Act::star_relu:
      return activate_buffer_by<Act::star_relu>(x, vectors, e);
    case Act::sigmoid:
      return activate_buffer_by<Act::sigmoid>(x, vectors, e);
    case Act::tanh:
      return activate_buffer_by<Act::tanh>(x, vectors, e);
  }
}

// act() of a tile.  Through a buffer that stays in L1: expanding an activation M * NV times would
// multiply the code without gaining time.
template <int M, int NV>
FOVEA_INLINE void activate_tile(Vec (&acc)[M][NV], const Epilogue& e) {
  constexpr int kVectors = (M * NV + 1) / 2 * 2;
  alignas(64) float buffer[kVectors * Vec::kLanes];
  if constexpr (M * NV < kVectors) store(buffer + M * NV * Vec::kLanes, splat(0.0f));
  const auto place = [&](auto i, auto j) FOVEA_INLINE_LAMBDA {
    return buffer + (decltype(i)::value * NV + decltype(j)::value) * Vec::kLanes;
  };
  update_tile(acc, [&](Vec v, auto i, auto j) FOVEA_INLINE_LAMBDA {
    store(place(i, j), v);
    return v;
  });
  activate_buffer(buffer, kVectors, e);
  update_tile(acc, [&](Vec, auto i, auto j) FOVEA_INLINE_LAMBDA { return load(place(i, j)); });
}

// The epilogue on a tile in registers, and its store.  One pass over the registers for each part
// that is there: the branches stand outside of the unrolled code.  `last` are the lanes of a row's
// last vector.
template <int M, int NV, class Last>
FOVEA_INLINE void epilogue_registers(Vec (&acc)[M][NV], float* y, std::ptrdiff_t ldy, Last last,
                                     const Epilogue& e) {
  const auto load_part = [&](const float* p, auto j) FOVEA_INLINE_LAMBDA {
    constexpr int kVec = decltype(j)::value;
    if constexpr (kVec == NV - 1) {
      return load(p + kVec * Vec::kLanes, last);
    } else {
      return load(p + kVec * Vec::kLanes);
    }
  };
  if (e.bias != nullptr) {
    update_tile(
        acc, [&](Vec v, auto, auto j) FOVEA_INLINE_LAMBDA { return add(v, load_part(e.bias, j)); });
  }
  if (e.act == Act::relu) {
    update_tile(acc, [&](Vec v, auto, auto) FOVEA_INLINE_LAMBDA { return max(splat(0.0f), v); });
  } else if (e.act != Act::none) {
    activate_tile(acc, e);
  }
  if (e.scale != nullptr) {
    update_tile(acc, [&](Vec v, auto, auto j)
                         FOVEA_INLINE_LAMBDA { return mul(v, load_part(e.scale, j)); });
  }
  if (e.residual != nullptr && e.residual_scale != nullptr) {
    update_tile(acc, [&](Vec v, auto i, auto j) FOVEA_INLINE_LAMBDA {
      const Vec r = load_part(e.residual + decltype(i)::value * e.ldr, j);
      return fma(r, load_part(e.residual_scale, j), v);
    });
  } else if (e.residual != nullptr) {
    update_tile(acc, [&](Vec v, auto i, auto j) FOVEA_INLINE_LAMBDA {
      return add(v, load_part(e.residual + decltype(i)::value * e.ldr, j));
    });
  }
  update_tile(acc, [&](Vec v, auto i, auto j) FOVEA_INLINE_LAMBDA {
    constexpr int kVec = decltype(j)::value;
    float* const to = y + decltype(i)::value * ldy + kVec * Vec::kLanes;
    if constexpr (kVec == NV - 1) {
      store(to, last, v);
    } else {
      store(to, v);
    }
    return v;
  });
}

// Stores the epilogue of M rows of NV vectors, of which n columns exist: (NV - 1) kLanes < n <= NV
// kLanes.
template <int M, int NV>
FOVEA_INLINE void epilogue_tile(Vec (&acc)[M][NV], float* y, std::ptrdiff_t ldy, int n,
                                const Epilogue& e) {
  if (n == NV * Vec::kLanes) {
    epilogue_registers(acc, y, ldy, AllLanes(), e);
  } else {
    epilogue_registers(acc, y, ldy, FirstLanes{n - (NV - 1) * Vec::kLanes}, e);
  }
}

}  // namespace fovea::FOVEA_ISA
