// SPDX-License-Identifier: Apache-2.0
// Attention of one head, fp32:
//
//   y(i) = sum over the keys j of softmax_j(scale q(i) . k(j) + bias(i, j) + mask(i, j)) v(j)
//
// Rows are given by pointers: those of a window lie in lines of a map, and need not be copied.
// Queries pass in tiles whose scores stay in L1 between the two products.  The result of a query
// depends neither on the others nor on its place among them.
#pragma once

#include <cstddef>

#include "kernels/gemm/gemm.h"

namespace fovea {
namespace kernels {

struct AttentionRows {
  const float* const* q = nullptr;  // (rows): d floats each
  float* const* y = nullptr;        // (rows): dv floats each; must not overlap the others
  const float* packed = nullptr;    // what pack_attention made of the keys and values
  int keys = 0, d = 0, dv = 0;      // at least 1
  float scale = 1.0f;
  const float* bias = nullptr;  // (rows, keys), rows ldb apart; or null
  std::ptrdiff_t ldb = 0;
  const float* mask = nullptr;  // (rows, keys), rows ldm apart; or null
  std::ptrdiff_t ldm = 0;
  float* scores = nullptr;  // scratch: (the tile's rows, keys rounded up to 16)
};

}  // namespace kernels

using attention_fn = void(const kernels::AttentionRows& a, std::ptrdiff_t rows,
                          const kernels::Ahead& ahead) noexcept;
// Keys k(keys, d) and values v(keys, dv) in the order in which attention reads them: at most keys
// rounded up to 16, times d, and dv rounded up to 16, times keys floats.
using pack_attention_fn = void(const float* const* k, const float* const* v, int keys, int d,
                               int dv, float* packed) noexcept;

#define FOVEA_KERNEL(isa, name) \
  namespace isa {               \
  name##_fn name;               \
  }
#include "kernels/attention/kernels.inc"
#undef FOVEA_KERNEL

}  // namespace fovea
