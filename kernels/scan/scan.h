// SPDX-License-Identifier: Apache-2.0
// Recurrences along a sequence, vectorised over channels: the state of a channel sees nothing of
// its neighbours. Tokens lie a fixed step apart, which may be negative; no alignment is needed. A
// result does not depend on where the channels and the tokens are cut.
#pragma once

#include <cstddef>

namespace fovea {
namespace kernels {

// Operands of a selective scan (S6, arXiv:2312.00752) over `channels` channels whose pointers are
// those of the first token and the first channel. All channels share the same b and c.
struct ScanSteps {
  const float* u = nullptr;
  std::ptrdiff_t u_step = 0;
  const float* r = nullptr;  // (rank)
  const float* b = nullptr;  // (state)
  const float* c = nullptr;  // (state)
  std::ptrdiff_t r_step = 0, b_step = 0, c_step = 0;
  float* y = nullptr;
  std::ptrdiff_t y_step = 0;
  bool add = false;  // to y, rather than overwrite it

  // Rows of `row` floats over all channels, of which `channels` are meant.
  const float* dt_weight = nullptr;  // (rank, row)
  const float* dt_bias = nullptr;    // (row)
  const float* d = nullptr;          // (row), or null for zeros
  std::ptrdiff_t row = 0;

  const float* rate = nullptr;  // (state, h_row): a / ln 2, for powers of two
  float* h = nullptr;           // (state, h_row), in and out
  std::ptrdiff_t h_row = 0;
  int channels = 0, state = 1, rank = 1;
};

// Operands of a gated recurrence with a matrix state S (rows, channels), per token:
//   S[j] = gate[j] S[j] + key[j] weight value,  y = sum over j of query[j] S[j] + skip value
struct GatedSteps {
  const float* query = nullptr;   // (rows)
  const float* key = nullptr;     // (rows)
  const float* gate = nullptr;    // (rows), or one for all
  const float* value = nullptr;   // (channels)
  const float* weight = nullptr;  // one number
  float* y = nullptr;             // (channels)
  std::ptrdiff_t query_step = 0, key_step = 0, gate_step = 0, value_step = 0, weight_step = 0,
                 y_step = 0;
  const float* skip = nullptr;  // (channels), of all tokens; or null for zeros
  bool one_gate = false;
  bool add = false;  // to y, rather than overwrite it

  float* s = nullptr;  // (rows, s_row), in and out
  std::ptrdiff_t s_row = 0;
  int rows = 0, channels = 0;
};

}  // namespace kernels

// For each of `steps` tokens: dt = softplus(dt_weight . r + dt_bias), h = exp(dt a) h + dt b u,
// y = sum over the state of c h, + d u.  a <= 0.
using selective_scan_fn = void(const kernels::ScanSteps& s, std::ptrdiff_t steps) noexcept;
using gated_scan_fn = void(const kernels::GatedSteps& s, std::ptrdiff_t steps) noexcept;
// y = sigmoid(x)^power, the gates of gated linear attention; m rows of n, in place allowed.
using power_gates_fn = void(const float* x, std::ptrdiff_t ldx, float* y, std::ptrdiff_t ldy,
                            float power, std::ptrdiff_t m, int n) noexcept;
// The inputs of a state space with one decay per head: for m rows of n heads, step = softplus(raw +
// bias) and decay = exp(step a).
using softplus_decay_fn = void(const float* raw, std::ptrdiff_t ldr, const float* bias,
                               const float* a, float* step, float* decay, std::ptrdiff_t ld,
                               std::ptrdiff_t m, int n) noexcept;

#define FOVEA_KERNEL(isa, name) \
  namespace isa {               \
  name##_fn name;               \
  }
#include "kernels/scan/kernels.inc"
#undef FOVEA_KERNEL

}  // namespace fovea
