// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/backend/sequence_ops.h"
#include "fovea/core/buffer.h"
#include "fovea/core/context.h"

namespace fovea::nn {

// Rotary position embedding of a map: pairs of neighbouring channels turn by an angle that grows
// with the row in the first half of a head's channels, and with the column in the second. The
// frequencies are 10000^-t, t evenly from 0 to 1 (RMT, arXiv:2309.11523, and RAVLT).
class AxialRotary {
 public:
  // Throws Error(argument) when 4 does not divide head_dim.
  explicit AxialRotary(int head_dim);

  // Cosines and sines for an (h, w) map, in the workspace: valid as long as its scope.
  RotarySpec tables(int h, int w, Context& ctx) const;

 private:
  FloatBuffer angle_;  // (head_dim / 2), each twice
};

}  // namespace fovea::nn
