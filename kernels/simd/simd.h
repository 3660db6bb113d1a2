// SPDX-License-Identifier: Apache-2.0
// The vector type of the instruction set that the including file is compiled for.
//
// A file kernels/<family>/<isa>.cc says `#define FOVEA_ISA <isa>` and includes the family's
// template; the template includes this header.  Everything below lives in namespace fovea::<isa>,
// so that no two instruction sets ever share a symbol.  Each level offers the same words:
//
//   Vec                 float lanes; Vec::kLanes of them
//   Mask                result of a comparison, one truth value a lane
//   Wide                the same number of double lanes, for sums
//   load, store         whole vectors, no alignment needed
//   load_n, store_n     the first n lanes, 0 <= n <= kLanes; other lanes read `other`, or are not
//                       written
//   splat, iota         all lanes alike; 0, 1, 2, ...
//   add, sub, mul, div, sqrt, fma(a, b, c) = a * b + c, nfma(a, b, c) = c - a * b
//   min, max            the second operand where the lanes are unordered: max(floor, x) keeps a
//                       NaN x
//   abs, round          round: to nearest even, for |x| < 2^22
//   less, select        select(mask, a, b) = mask ? a : b
//   scale_pow2          x * 2^n for integral n in [-252, 254], right for results that are subnormal
//   shift_exponent      the same where x in [1/2, 2) and n in [-125, 125] make a normal result,
//   given
//                       n and n + 1.5 * 2^23, of which one will do
//   lookup              lanes of a table chosen by the last bits of an index's lanes (16 lanes
//   only) swap_pairs          lanes 1, 0, 3, 2, ... fma_alternating     a * b - c in even lanes, a
//   * b + c in odd ones reduce_add, reduce_max  over all lanes, in a fixed order widen to Wide;
//   with add, fma and reduce_add on Wide
#pragma once

#include "kernels/simd/unroll.h"

#define FOVEA_SIMD_STRING_(x) #x
#define FOVEA_SIMD_STRING(x) FOVEA_SIMD_STRING_(x)
// One of generic.h, avx2.h, avx512.h beside this file.
#include FOVEA_SIMD_STRING(FOVEA_ISA.h)
#undef FOVEA_SIMD_STRING
#undef FOVEA_SIMD_STRING_
