// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "fovea/nn/linear.h"

namespace fovea::nn {

struct SqueezeExciteOptions {
  std::string_view reduce = "fc.0", expand = "fc.2";  // the layers' names in the checkpoint
  bool bias = false;
  Activation act = Activation::Kind::relu;
  Activation gate = Activation::Kind::sigmoid;
  LinearForm form = LinearForm::matrix;
};

// Channel attention (arXiv:1709.01507): y = x * gate(expand(act(reduce(mean of x)))), the mean over
// the positions of each image. Binds two linear layers under the given names.
class SqueezeExcite {
 public:
  SqueezeExcite(const Params& p, int c, int hidden, const SqueezeExciteOptions& options = {})
      : backend_(&p.backend()),
        reduce_(p / options.reduce, c, hidden, options.bias, options.form),
        expand_(p / options.expand, hidden, c, options.bias, options.form),
        act_(options.act),
        gate_(options.gate) {}

  // x, y (n, h, w, c); in place allowed.
  void forward(CMapF x, MapF y, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF mean = ctx.workspace().map(x.n, 1, 1, x.c);
    const MapF hidden = ctx.workspace().map(x.n, 1, 1, reduce_.out());
    backend_->global_average(x, mean, ctx);
    reduce_.forward(mean, hidden, ctx, {.act = act_});
    expand_.forward(hidden, mean, ctx, {.act = gate_});
    backend_->scale_channels(x, mean, y, ctx);
  }

 private:
  const Backend* backend_;
  Linear reduce_, expand_;
  Activation act_, gate_;
};

}  // namespace fovea::nn
