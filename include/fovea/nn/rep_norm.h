// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/nn/conv2d.h"
#include "fovea/nn/linear.h"

namespace fovea::nn {

// y = scale * x + shift, channel by channel: what norms with fixed statistics are at inference.
struct ChannelAffine {
  FloatBuffer scale, shift;  // (c)
};

// How a checkpoint has a RepBN (SLAB, arXiv:2405.11582): by itself, or in a LinearNorm, which
// blended it with a LayerNorm during training and uses nothing else at inference.
enum class RepNormForm : std::uint8_t { plain, linear };

// RepBN is y = batch_norm(x) + alpha * x. Binds "alpha" (1) and "bn"; in a LinearNorm these lie
// below "norm2", and "norm1", which has no effect, is bound beside it. In double.
ChannelAffine rep_norm(const Params& p, int c, RepNormForm form, float eps = 1e-5f);

// A linear layer of the affine map's output, as one layer. Binds "weight" and, with bias, "bias".
Linear fold_before(const Params& p, const ChannelAffine& before, int in, int out, bool bias = true);
// A convolution of the affine map's output, without padding, as one convolution.
Conv2d fold_before(const Params& p, const ChannelAffine& before, int in, int out, int kernel,
                   int stride);
// The affine map of a convolution's output, as one convolution.
Conv2d fold_after(const Params& p, const ChannelAffine& after, int in, int out, int kernel,
                  int stride, int pad = 0);

// The affine map by itself, where nothing follows that it could be folded into.
class RepNorm {
 public:
  RepNorm(const Params& p, int c, RepNormForm form);
  // x (n, h, w, c) -> y of the same shape, not in place.
  void forward(CMapF x, MapF y, Context& ctx) const { scale_.forward(x, y, ctx); }

 private:
  Conv2d scale_;  // depthwise, of one tap
};

}  // namespace fovea::nn
