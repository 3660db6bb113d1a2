// SPDX-License-Identifier: Apache-2.0
// Words for 8-bit pixels under 32-bit sums, of the levels that have wide 16-bit multiplications
// (avx2, avx512). As in simd.h, everything lives in namespace fovea::<isa>.
//
//   Ints                   32-bit lanes, or twice as many of 16 bits: pairs
//   kBytes                 bytes that a block of four Ints of sums makes
//   ints_zero, splat_int   all lanes alike
//   splat_pair             two 16-bit numbers from memory, alike in all lanes
//   add, shift_left, shift_right   of 32-bit lanes; right: the sign enters
//   pair_products          a.first * b.first + a.second * b.second of 16-bit pairs, into 32 bits
//   load_row_pairs(a, b, p)     kBytes bytes each of two rows, as pairs (a, b), in an order that
//   store_bytes(y, s0, ...)     undoes, clamping to 0 .. 255
//   kRowsOfTaps            rows whose next four RGB pixels a register holds
//   load_taps(a, b)        those pixels of row a, and of b where there is room for two rows. 16
//                          bytes are read of each. Pairs of pixels (0, 1) and (2, 3):
//                          R0 R1, G0 G1, B0 B1, 0 0, R2 R3, G2 G3, B2 B3, 0 0
//   load_tap_weights(w)    the weights of those, from low[4], high[4]
//   rounded_pixels(sums, half, p)  the sums of one or four rows to one RGB0 pixel each
#pragma once

#include "kernels/simd/unroll.h"

namespace fovea::FOVEA_ISA {

constexpr int smaller_of(int a, int b) { return a < b ? a : b; }

}  // namespace fovea::FOVEA_ISA

#define FOVEA_SIMD_STRING_(x) #x
#define FOVEA_SIMD_STRING(x) FOVEA_SIMD_STRING_(x)
#define FOVEA_SIMD_PIXELS_(x) pixels_##x.h
#define FOVEA_SIMD_PIXELS(x) FOVEA_SIMD_PIXELS_(x)
// pixels_avx2.h or pixels_avx512.h beside this file.
#include FOVEA_SIMD_STRING(FOVEA_SIMD_PIXELS(FOVEA_ISA))
#undef FOVEA_SIMD_PIXELS
#undef FOVEA_SIMD_PIXELS_
#undef FOVEA_SIMD_STRING
#undef FOVEA_SIMD_STRING_
