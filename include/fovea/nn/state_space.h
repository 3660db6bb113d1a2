// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>

#include "fovea/nn/conv2d.h"
#include "fovea/nn/linear.h"
#include "fovea/nn/mixer.h"
#include "fovea/nn/norm.h"

namespace fovea::nn {

// How the gate z and the norm follow a state space.
enum class StateSpaceGate : std::uint8_t {
  silu,            // y silu(z), no norm
  silu_then_norm,  // RMSNorm(y silu(z)): Mamba-2
  norm_then_silu,  // RMSNorm(y) silu(z)
  norm_then_z,     // LayerNorm(y) z, without an activation: VSSD
};

struct StateSpaceOptions {
  int inner = 0;  // channels of the state space; 0: 2 c
  int heads = 1;  // divides inner
  int state = 64;
  int groups = 1;  // of b and c; divides heads
  // Causal: every token sees those before it, whatever the map's shape, and the convolution is one
  // along the sequence. Else all see all, and the convolution is one of the map.
  bool causal = true;
  bool map_conv = false;  // a convolution of the map for a causal state space, too
  // The sign of a: -exp(A_log), or exp(A_log) (VSSD's non-causal form).
  bool positive_a = false;
  int kernel = 4;  // of the convolution; odd in a map
  bool conv_bias = true;
  bool bias = false;           // of in_proj and out_proj
  bool d_per_channel = false;  // D (inner) instead of (heads)
  StateSpaceGate gate = StateSpaceGate::silu_then_norm;
  float norm_eps = 1e-5f;
};

// The token mixer of Mamba-2 (state space duality, arXiv:2405.21060) and VSSD's non-causal one
// (arXiv:2407.18559):
//
//   [z | v | dt] = in_proj(x),  [u | b | c] = silu(conv(v)),  y = out_proj(gated(ssd(u, dt, b, c)))
//
// with Backend::state_space() as ssd. The RMSNorm of several groups is one per group of channels.
// Head h reads group h / (heads / groups) of b and c; non-causal h mod groups, as VSSD does.
//
// Binds "in_proj", "conv1d" or "conv2d", "dt_bias" (heads), "A_log" (heads), "D", "norm",
// "out_proj".
class StateSpaceDuality final : public Mixer {
 public:
  // Throws Error(argument) for numbers that do not divide each other.
  StateSpaceDuality(const Params& p, int c, const StateSpaceOptions& options);
  // x, y (n, h, w, c).
  void forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const override;

 private:
  StateSpaceDuality(const Params& p, int c, const StateSpaceOptions& options,
                    const SplitLinear& in_proj);
  void scan(CMapF u, CMapF dt, MapF y, Context& ctx) const;
  void finish(MapF y, CMapF z, Context& ctx) const;
  void rms_norm(MapF y, Context& ctx) const;

  const Backend* backend_;
  StateSpaceOptions options_;  // with `inner` filled in
  // z by itself: it is made where it is wanted, which is cheaper than to keep it until then.
  Linear in_proj_z_, in_proj_;
  std::optional<Conv2d> conv_;
  bool along_sequence_;  // the convolution
  FloatBuffer dt_bias_, a_, d_;
  std::optional<LayerNorm> layer_norm_;
  std::optional<RmsNorm> rms_norm_;
  Linear out_proj_;
};

}  // namespace fovea::nn
