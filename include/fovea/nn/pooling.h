// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/core/params.h"
#include "fovea/nn/mixer.h"

namespace fovea::nn {

// average(x) - x over k x k neighbours, padding not counted: PoolFormer (arXiv:2111.11418).
class Pooling final : public Mixer {
 public:
  explicit Pooling(const Params& p, int k = 3) : backend_(&p.backend()), k_(k) {}
  void forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const override {
    backend_->pooling(x, k_, epilogue, y, ctx);
  }

 private:
  const Backend* backend_;
  int k_;
};

}  // namespace fovea::nn
