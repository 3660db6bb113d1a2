// SPDX-License-Identifier: Apache-2.0
// See pixels.h for the meaning of each word.
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "kernels/simd/unroll.h"

namespace fovea::FOVEA_ISA {

using Ints = __m512i;
constexpr int kBytes = 64;
constexpr int kRowsOfTaps = 2;

FOVEA_INLINE Ints ints_zero() { return _mm512_setzero_si512(); }
FOVEA_INLINE Ints splat_int(int x) { return _mm512_set1_epi32(x); }
FOVEA_INLINE Ints splat_pair(const std::int16_t* p) {
  int pair;
  __builtin_memcpy(&pair, p, sizeof pair);
  return _mm512_set1_epi32(pair);
}
FOVEA_INLINE Ints add(Ints a, Ints b) { return _mm512_add_epi32(a, b); }
template <int kBits>
FOVEA_INLINE Ints shift_left(Ints a) {
  return _mm512_slli_epi32(a, kBits);
}
template <int kBits>
FOVEA_INLINE Ints shift_right(Ints a) {
  return _mm512_srai_epi32(a, kBits);
}
FOVEA_INLINE Ints pair_products(Ints a, Ints b) { return _mm512_madd_epi16(a, b); }

// Unpacking and packing both work inside 128-bit lanes, so one undoes the other.
FOVEA_INLINE void load_row_pairs(const std::uint8_t* a, const std::uint8_t* b, Ints (&p)[4]) {
  const Ints zero = ints_zero();
  const Ints first = _mm512_loadu_si512(a);
  const Ints second = _mm512_loadu_si512(b);
  const Ints lo = _mm512_unpacklo_epi8(first, second);
  const Ints hi = _mm512_unpackhi_epi8(first, second);
  p[0] = _mm512_unpacklo_epi8(lo, zero);
  p[1] = _mm512_unpackhi_epi8(lo, zero);
  p[2] = _mm512_unpacklo_epi8(hi, zero);
  p[3] = _mm512_unpackhi_epi8(hi, zero);
}
FOVEA_INLINE void store_bytes(std::uint8_t* y, Ints s0, Ints s1, Ints s2, Ints s3) {
  _mm512_storeu_si512(y,
                      _mm512_packus_epi16(_mm512_packs_epi32(s0, s1), _mm512_packs_epi32(s2, s3)));
}

// A row in each half.
FOVEA_INLINE __m256i bytes_twice(const void* p) {
  return _mm256_broadcastsi128_si256(_mm_loadu_si128(static_cast<const __m128i*>(p)));
}
FOVEA_INLINE Ints halves(__m256i lo, __m256i hi) {
  return _mm512_inserti64x4(_mm512_castsi256_si512(lo), hi, 1);
}
FOVEA_INLINE Ints load_taps(const std::uint8_t* a, const std::uint8_t* b) {
  const __m256i order =
      _mm256_setr_epi8(0, -1, 3, -1, 1, -1, 4, -1, 2, -1, 5, -1, -1, -1, -1, -1, 6, -1, 9, -1, 7,
                       -1, 10, -1, 8, -1, 11, -1, -1, -1, -1, -1);
  return _mm512_shuffle_epi8(halves(bytes_twice(a), bytes_twice(b)), halves(order, order));
}

struct TapWeights {
  Ints low, high;
};
FOVEA_INLINE TapWeights load_tap_weights(const std::int16_t* w) {
  const __m256i half = bytes_twice(w);
  const Ints both = halves(half, half);
  const __m256i first = _mm256_setr_epi8(0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3,  //
                                         4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7, 4, 5, 6, 7);
  const Ints pairs = halves(first, first);
  return {_mm512_shuffle_epi8(both, pairs),
          _mm512_shuffle_epi8(both, _mm512_add_epi8(pairs, _mm512_set1_epi8(8)))};
}

template <int kBits>
FOVEA_INLINE __m128i folded(__m256i sum, int half) {
  const __m128i s = _mm_add_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
  return _mm_srai_epi32(_mm_add_epi32(s, _mm_set1_epi32(half)), kBits);
}
// Words of two rows.
template <int kBits>
FOVEA_INLINE __m128i folded_rows(Ints sum, int half) {
  return _mm_packs_epi32(folded<kBits>(_mm512_castsi512_si256(sum), half),
                         folded<kBits>(_mm512_extracti64x4_epi64(sum, 1), half));
}
template <int kBits>
FOVEA_INLINE void rounded_pixels(const Ints (&sums)[1], int half, int (&pixels)[4]) {
  const __m128i words = folded_rows<kBits>(sums[0], half);
  pixels[0] = _mm_cvtsi128_si32(_mm_packus_epi16(words, words));
}
template <int kBits>
FOVEA_INLINE void rounded_pixels(const Ints (&sums)[2], int half, int (&pixels)[4]) {
  const __m128i bytes =
      _mm_packus_epi16(folded_rows<kBits>(sums[0], half), folded_rows<kBits>(sums[1], half));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(pixels), bytes);
}

}  // namespace fovea::FOVEA_ISA
