// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "fovea/nn/conv2d.h"
#include "fovea/nn/linear.h"

namespace fovea::nn {

struct ConvFfnOptions {
  int kernel = 3;
  // The layers' names in the checkpoint.
  std::string_view fc1 = "fc1", conv = "dwconv", fc2 = "fc2";
  // Whether the activation stands before the convolution, fc2(g + dw(g)) with g = act(fc1(x)), or
  // after it, fc2(act(f + dw(f))) with f = fc1(x).
  bool act_first = false;
  Activation act = Activation::Kind::gelu;
  LinearForm form = LinearForm::conv1x1;
};

// A feed-forward network with a residual depthwise convolution of its hidden layer: RMT
// (arXiv:2309.11523), MSVMamba (arXiv:2405.14174). Binds three layers under the given names.
class ConvFfn {
 public:
  ConvFfn(const Params& p, int c, int hidden, const ConvFfnOptions& options = {})
      : fc1_(p / options.fc1, c, hidden, true, options.form),
        conv_(p / options.conv, AddInput(), hidden, options.kernel),
        fc2_(p / options.fc2, hidden, c, true, options.form),
        act_first_(options.act_first),
        act_(options.act) {}

  // x, y (n, h, w, c); the epilogue's residual may be y.
  void forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue = {}) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF hidden = ctx.workspace().map(x.n, x.h, x.w, fc1_.out());
    const MapF convolved = ctx.workspace().map_like(hidden);
    fc1_.forward(x, hidden, ctx, {.act = act_first_ ? act_ : Activation()});
    conv_.forward(hidden, convolved, ctx, {.act = act_first_ ? Activation() : act_});
    fc2_.forward(convolved, y, ctx, epilogue);
  }

 private:
  Linear fc1_;
  Conv2d conv_;
  Linear fc2_;
  bool act_first_;
  Activation act_;
};

}  // namespace fovea::nn
