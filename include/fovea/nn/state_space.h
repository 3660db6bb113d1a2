// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/nn/conv2d.h"
#include "fovea/nn/linear.h"
#include "fovea/nn/mixer.h"
#include "fovea/nn/norm.h"

namespace fovea::nn {

struct StateSpaceOptions {
  int inner = 0;  // channels inside; 0: 2 c
  int heads = 1;
  int state = 64;  // N
  // Along the sequence (Mamba-2), after a causal convolution over `kernel` tokens; else one state
  // for all tokens (VSSD), after a kernel x kernel convolution of the map.
  bool causal = false;
  int kernel = 3;
  bool conv_bias = true;
  bool bias = false;  // of in_proj and out_proj
  // causal: rms_norm(y silu(z)); else layer_norm(y) z, without an activation.
  float norm_eps = 1e-5f;
  bool negative = false;  // the sign of the state of the form that is not causal
};

// State space duality as a mixer: Mamba-2 (arXiv:2405.21060) as Adventurer (arXiv:2410.07599) uses
// it, and VSSD (arXiv:2407.18559). With [z | v | dt] = in_proj(x) and [u | b | c] = silu(conv(v)),
//
//   y = out_proj(norm(state_space(u, dt, b, c) + D u, z))
//
// where the state space is StateSpaceSpec's, of one group, with a = -exp(A_log) or, when it is not
// causal, exp(A_log). Binds "in_proj", "conv1d" or "conv2d", "dt_bias", "A_log", "D" (heads), or
// (inner), "norm" and "out_proj".
class StateSpaceDuality final : public Mixer {
 public:
  // Throws Error(argument) when heads do not divide the inner channels.
  StateSpaceDuality(const Params& p, int c, const StateSpaceOptions& options);
  // x, y (n, h, w, c). The causal form takes the tokens line by line.
  void forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const override;

 private:
  const Backend* backend_;
  int inner_, heads_, state_;
  bool causal_;
  Linear in_proj_;
  Conv2d conv_;
  FloatBuffer dt_bias_, a_, d_;  // (heads), (heads), (inner)
  Norm norm_;
  Linear out_proj_;
};

}  // namespace fovea::nn
