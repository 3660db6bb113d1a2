// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/linear.h"

#include <algorithm>
#include <utility>

namespace fovea::nn {
namespace {

Shape weight_shape(int in, int out, LinearForm form) {
  return form == LinearForm::conv1x1 ? Shape{out, in, 1, 1} : Shape{out, in};
}

}  // namespace

SplitLinear::SplitLinear(const Params& p, int in, int out, bool has_bias)
    : weight(p.get("weight", {out, in})),
      bias(has_bias ? p.floats("bias", {out}) : FloatBuffer()) {}

Linear SplitLinear::outputs(const Params& p, int first, int count) const {
  FloatBuffer part;
  if (!bias.empty()) {
    part = FloatBuffer(static_cast<std::size_t>(count));
    std::copy_n(bias.data() + first, count, part.data());
  }
  return {p, weight.rows(first, count), std::move(part)};
}

Linear::Linear(const Params& p, int in, int out, bool bias, LinearForm form)
    : Linear(p, p.get("weight", weight_shape(in, out, form)),
             bias ? p.floats("bias", {out}) : FloatBuffer()) {}

Linear::Linear(const Params& p, const Tensor& weight, FloatBuffer bias)
    : backend_(&p.backend()),
      weight_(backend_->pack_linear(weight, {p.log().pool, p.log().arena})),
      bias_(std::move(bias)) {
  p.log().packed_bytes += weight_->bytes();
}

}  // namespace fovea::nn
