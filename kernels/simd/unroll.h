// SPDX-License-Identifier: Apache-2.0
// Loops that are expanded by the compiler: accumulators indexed by a constant stay in registers, an
// array indexed by a loop variable may be kept in memory.
#pragma once

#include <utility>

#ifndef FOVEA_ISA
#error "define FOVEA_ISA (generic, avx2, avx512) in the instruction set's own file"
#endif

// A function and a lambda that must never exist out of line: at -O0 they would become calls.
#define FOVEA_INLINE [[gnu::always_inline]] inline
#define FOVEA_INLINE_LAMBDA __attribute__((always_inline))

namespace fovea::FOVEA_ISA {

// A loop index known at compile time.  Not std::integral_constant: its conversion function would be
// a weak symbol outside this namespace.
template <int I>
struct Index {
  static constexpr int value = I;
};

template <class F, int... I>
FOVEA_INLINE void unroll_sequence(const F& f, std::integer_sequence<int, I...>) {
  (f(Index<I>()), ...);
}

// f(Index<0>()), f(Index<1>()), ..., f(Index<N - 1>())
template <int N, class F>
FOVEA_INLINE void unroll(const F& f) {
  unroll_sequence(f, std::make_integer_sequence<int, N>());
}

}  // namespace fovea::FOVEA_ISA
