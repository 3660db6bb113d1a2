// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/backend/backend.h"

namespace fovea::nn {

// What mixes tokens in a MetaFormer block (arXiv:2111.11418): pooling, attention, a convolution, or
// something of the user's own.
class Mixer {
 public:
  virtual ~Mixer() = default;
  // y = epilogue(mix(x)), both (n, h, w, c); the epilogue's residual may be y, x may not.
  virtual void forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const = 0;
};

}  // namespace fovea::nn
