// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/backend/backend.h"
#include "fovea/core/params.h"

namespace fovea::nn {

// How a checkpoint stores a linear layer: (out, in), or as the 1x1 convolution (out, in, 1, 1).
enum class LinearForm : std::uint8_t { matrix, conv1x1 };

class Linear;

// A layer whose outputs are computed in several places, each by a layer of its own.
struct SplitLinear {
  Tensor weight;     // (out, in)
  FloatBuffer bias;  // (out), or empty

  // Binds "weight" (out, in) and, with bias, "bias" (out).
  SplitLinear(const Params& p, int in, int out, bool bias = true);
  // Outputs first .. first + count.
  Linear outputs(const Params& p, int first, int count) const;
};

// y = x w^T + b over the channels of each row. Also what a 1x1 convolution is.
class Linear {
 public:
  // Binds "weight" (out, in) and, with bias, "bias" (out).
  Linear(const Params& p, int in, int out, bool bias = true, LinearForm form = LinearForm::matrix);
  // From tensors computed at load (a folded norm); no bias when `bias` is empty.
  Linear(const Params& p, const Tensor& weight, FloatBuffer bias);

  // x (..., in) -> y (..., out). `epilogue.bias` is this layer's own and must be left null.
  void forward(CMapF x, MapF y, Context& ctx, Epilogue epilogue = {}) const {
    epilogue.bias = bias();
    backend_->linear(x, *weight_, epilogue, y, ctx);
  }

  int in() const { return weight_->in; }
  int out() const { return weight_->out; }
  const Packed& weight() const { return *weight_; }
  const float* bias() const { return bias_.data(); }

 private:
  const Backend* backend_;
  PackedPtr weight_;
  FloatBuffer bias_;
};

}  // namespace fovea::nn
