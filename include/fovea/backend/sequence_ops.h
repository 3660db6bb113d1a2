// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <span>

#include "fovea/core/map.h"

// What the operators whose cost grows linearly with the number of tokens are told: selective scan,
// state space duality, linear attention, gated linear attention.
namespace fovea {

// The order in which a scan visits the tokens of a map: straight lines from left to right and down
// the map, or boustrophedon (every second line backwards), along rows or columns; reversed, the
// same tokens from the last to the first.
struct ScanWalk {
  enum class Along : std::uint8_t { rows, columns, snake_rows, snake_columns };
  Along along = Along::rows;
  bool reversed = false;
};

// A part of a walk: `count` tokens from `start` on, `stride` apart.
struct ScanRun {
  int start = 0, stride = 1, count = 0;
};

// How many runs a walk over an (h, w) map consists of, and the i-th of them.
int scan_runs(const ScanWalk& walk, int h, int w);
ScanRun scan_run(const ScanWalk& walk, int h, int w, int i);

// One direction of a selective scan: Mamba's S6 (arXiv:2312.00752). In the order of `walks`, one
// after the other without a break of the state, for every channel c with N state values each:
//
//   dt  = softplus(dt_weight[:, c] . r + dt_bias[c])
//   h_n = exp(dt a[n, c]) h_n + dt b_n u
//   y   = sum over n of c_n h_n + d[c] u
//
// b and c hold G groups of N values; channel c reads group c / (channels / G). Paths that are
// scanned together have equal groups.
struct ScanPath {
  std::span<const ScanWalk> walks;
  CMapF r;                           // (n, h, w, R)
  CMapF b, c;                        // (n, h, w, G * N)
  const float* dt_weight = nullptr;  // (R, channels)
  const float* dt_bias = nullptr;    // (channels)
  const float* a = nullptr;          // (N, channels): negative
  const float* d = nullptr;          // (channels), or null
  const float* initial = nullptr;    // (n, N, channels): the state before the first token, or null
  // r, b and c of the t-th step stand at token t, whichever token the walk takes u from
  // (PlainMamba). Then there is one walk only.
  bool by_step = false;
};

// State space duality (Mamba-2, arXiv:2405.21060): scalar decay per head, state N x P. With
// dt = softplus(raw dt + dt_bias), head h, and b, c in groups of heads:
//
//   causal:      S_t = exp(dt_t a[h]) S_{t-1} + dt_t b_t x_t^T,  y_t = c_t S_t + d x_t
//   non-causal:  S = sum over t of dt_t a[h] b_t x_t^T,          y_t = c_t S + d x_t
//
// The non-causal form, the same state for every token, is that of VSSD (arXiv:2407.18559).
struct StateSpaceSpec {
  int heads = 1;
  int groups = 1;  // of b and c
  bool causal = true;
  const float* dt_bias = nullptr;  // (heads)
  const float* a = nullptr;        // (heads)
  const float* d = nullptr;        // (heads * P), or null
};

// What linear attention applies to queries and keys before their products.
enum class FeatureMap : std::uint8_t {
  none,
  relu,
  elu_plus_one,  // elu(x) + 1 (arXiv:2006.16236)
  exp,
  focused,  // relu(x)^3, scaled back to the length of relu(x) per head (arXiv:2308.00442)
  // exp(W x - |x|^2 / 2) / sqrt(features), whose products approximate exp(q . k) for random rows of
  // W (arXiv:2009.14794)
  performer,
};

// A table of rotations for rotary position embedding, (tokens, head_dim) each: y = x cos + rot(x)
// sin. Interleaved: rot(x) = (-x1, x0, -x3, x2, ...); else rot(x) = (-second half, first half).
struct RotarySpec {
  const float* cos = nullptr;
  const float* sin = nullptr;
  bool interleaved = true;
};

// Linear attention, per image and head, with q' = map(q), k' = map(k + k_bias):
//
//   S = sum over j of rot(k'_j) v_j^T,  y_i = rot(q'_i) S / (q'_i . sum over j of k'_j + eps)
//
// without the division when `normalize` is false. With `mean`, both sums are means. With `augment`
// (rank-augmented, arXiv:2411.07635) keys are weighted first: k'_j *= L softmax over j of
// (augment_scale * mean(q') . k'_j), L tokens. rot() is the identity without a table.
struct LinearAttentionSpec {
  int heads = 1;
  FeatureMap map = FeatureMap::none;
  const float* k_bias = nullptr;  // (tokens, channels of k), or null
  bool normalize = true;
  bool mean = false;
  float eps = 1e-6f;
  bool augment = false;
  float augment_scale = 1.0f;
  RotarySpec rotary{};                // over the features
  const float* projection = nullptr;  // W of performer, (features, channels of a head)
  int features = 0;                   // of a head with performer, else 0
};

// Gated linear attention (arXiv:2312.06635), bidirectional as in ViG (arXiv:2405.18425): with
// gates f = sigmoid(raw)^(1 / normalizer) per key channel,
//
//   S_t = diag(f_t) S_{t-1} + k_t v_t^T,  y_t = scale q_t S_t
//
// from the first token to the last, plus the same from the last to the first with the second gates.
struct GatedAttentionSpec {
  int heads = 1;
  float scale = 1.0f;
  float normalizer = 16.0f;
};

}  // namespace fovea
