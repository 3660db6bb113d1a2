// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/backend/backend.h"
#include "fovea/core/params.h"

namespace fovea::nn {

// Where a convolution's batch norm is folded at load: w * s and (b - mean) * s + beta with
// s = gamma / sqrt(var + eps).
struct FoldedBatchNorm {
  Params p;  // binds "weight", "bias", "running_mean", "running_var"
  float eps = 1e-5f;
};

// Marks the constructor of a depthwise convolution that adds its input.
struct AddInput {};

// 2-D convolution, NHWC: dense, grouped or depthwise (groups == in == out).
class Conv2d {
 public:
  // Binds "weight" (out, in / groups, kernel_h, kernel_w) and, with bias, "bias" (out).
  Conv2d(const Params& p, int in, int out, int kernel_h, int kernel_w, const Conv2dSpec& spec,
         bool bias = true);
  Conv2d(const Params& p, int in, int out, int kernel, const Conv2dSpec& spec, bool bias = true)
      : Conv2d(p, in, out, kernel, kernel, spec, bias) {}
  // From tensors computed at load (a kernel that is shared, a folded norm).
  Conv2d(const Params& p, const Tensor& weight, FloatBuffer bias, const Conv2dSpec& spec);
  // With the batch norm that follows it.
  Conv2d(const Params& p, const FoldedBatchNorm& norm, int in, int out, int kernel,
         const Conv2dSpec& spec, bool bias = false);
  // x + depthwise(x) of an odd kernel with "same" padding: one is added to the central tap at load,
  // so that an activation may follow the sum.
  Conv2d(const Params& p, AddInput, int c, int kernel, bool bias = true);

  // The output of an (n, h, w, in) map, in the workspace.
  MapF output_map(CMapF x, Context& ctx) const {
    return ctx.workspace().map(x.n, out_h(x.h), out_w(x.w), weight_->out);
  }
  int out_h(int h) const;
  int out_w(int w) const;

  // `epilogue.bias` is this layer's own and must be left null.
  void forward(CMapF x, MapF y, Context& ctx, Epilogue epilogue = {}) const {
    epilogue.bias = bias_.data();
    backend_->conv2d(x, *weight_, epilogue, y, ctx);
  }

 private:
  const Backend* backend_;
  PackedPtr weight_;
  FloatBuffer bias_;
};

}  // namespace fovea::nn
