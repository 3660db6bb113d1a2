// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/backend/backend.h"
#include "fovea/core/params.h"

namespace fovea::nn {

// Which of its parameters a norm has in the checkpoint.
enum class Affine : std::uint8_t { none, weight, weight_and_bias };

// What the norms share: "weight" (c), "bias" (c), an epsilon of their own.
class Norm {
 public:
  Norm(const Params& p, int c, float eps, Affine affine)
      : backend_(&p.backend()), channels_(c), eps_(eps) {
    if (affine != Affine::none) weight_ = p.floats("weight", {c});
    if (affine == Affine::weight_and_bias) bias_ = p.floats("bias", {c});
  }

  int channels() const { return channels_; }
  NormParams params() const { return {weight_.data(), bias_.data(), eps_}; }

 protected:
  const Backend* backend_;

 private:
  int channels_;
  float eps_;
  FloatBuffer weight_, bias_;
};

// Over the channels of each row (arXiv:1607.06450). Epsilons differ between layers of one network:
// there is no default.
class LayerNorm : public Norm {
 public:
  LayerNorm(const Params& p, int c, float eps, Affine affine = Affine::weight_and_bias)
      : Norm(p, c, eps, affine) {}
  void forward(CMapF x, MapF y, Context& ctx) const { backend_->layer_norm(x, params(), y, ctx); }
};

// x / sqrt(mean of x^2 + eps) over the channels of each row (arXiv:1910.07467).
class RmsNorm : public Norm {
 public:
  RmsNorm(const Params& p, int c, float eps, Affine affine = Affine::weight)
      : Norm(p, c, eps, affine) {}
  void forward(CMapF x, MapF y, Context& ctx) const { backend_->rms_norm(x, params(), y, ctx); }
};

// GroupNorm with one group: over h, w and c of each image (arXiv:1803.08494).
class GroupNorm1 : public Norm {
 public:
  GroupNorm1(const Params& p, int c, float eps, Affine affine = Affine::weight_and_bias)
      : Norm(p, c, eps, affine) {}
  void forward(CMapF x, MapF y, Context& ctx) const { backend_->group_norm(x, params(), y, ctx); }
};

// ConvNeXt V2 (arXiv:2301.00808).
class GlobalResponseNorm : public Norm {
 public:
  GlobalResponseNorm(const Params& p, int c, float eps = 1e-6f)
      : Norm(p, c, eps, Affine::weight_and_bias) {}
  void forward(CMapF x, MapF y, Context& ctx) const { backend_->grn(x, params(), y, ctx); }
};

}  // namespace fovea::nn
