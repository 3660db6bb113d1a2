// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>

#include "fovea/nn/linear.h"

namespace fovea::nn {

// fc2(act(fc1(x))), position by position. Binds "fc1" and "fc2".
class Mlp {
 public:
  Mlp(const Params& p, int c, int hidden, Activation act = Activation::Kind::gelu, bool bias = true,
      LinearForm form = LinearForm::matrix)
      : Mlp(p, c, hidden, c, act, bias, form) {}
  Mlp(const Params& p, int in, int hidden, int out, Activation act, bool bias,
      LinearForm form = LinearForm::matrix)
      : backend_(&p.backend()),
        fc1_(p / "fc1", in, hidden, bias, form),
        fc2_(p / "fc2", hidden, out, bias, form),
        act_(act) {}
  // With layers that something has been folded into.
  Mlp(const Params& p, Linear fc1, Linear fc2, Activation act = Activation::Kind::gelu)
      : backend_(&p.backend()), fc1_(std::move(fc1)), fc2_(std::move(fc2)), act_(act) {}

  // y = epilogue(fc2(act(fc1(x)))); the epilogue's residual may be y.
  void forward(CMapF x, MapF y, Context& ctx, Epilogue epilogue = {}) const {
    Epilogue first;
    first.bias = fc1_.bias();
    first.act = act_;
    epilogue.bias = fc2_.bias();
    backend_->mlp(x, fc1_.weight(), first, fc2_.weight(), epilogue, y, ctx);
  }

 private:
  const Backend* backend_;
  Linear fc1_, fc2_;
  Activation act_;
};

}  // namespace fovea::nn
