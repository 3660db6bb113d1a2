// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/rep_norm.h"

#include <cmath>
#include <utility>

namespace fovea::nn {
namespace {

struct Folded {
  Tensor weight;
  FloatBuffer bias;
};

// weight (out, in, taps) of `before`'s output: w scale, b + sum of w shift.
Folded folded_before(const Tensor& weight, FloatBuffer bias, const ChannelAffine& before) {
  if (!weight.has_data()) return {weight, std::move(bias)};
  FloatBuffer values = weight.to_floats();
  const std::size_t in = before.scale.size();
  const std::size_t taps = values.size() / bias.size() / in;
  float* w = values.data();
  for (float& b : bias) {
    double sum = b;
    for (std::size_t i = 0; i < in; ++i) {
      for (std::size_t t = 0; t < taps; ++t, ++w) {
        sum += static_cast<double>(*w) * before.shift[i];
        *w *= before.scale[i];
      }
    }
    b = static_cast<float>(sum);
  }
  return {Tensor::take(weight.shape(), std::move(values)), std::move(bias)};
}

// scale w, scale b + shift.
Folded folded_after(const Tensor& weight, FloatBuffer bias, const ChannelAffine& after) {
  if (!weight.has_data()) return {weight, std::move(bias)};
  FloatBuffer values = weight.to_floats();
  const std::size_t row = values.size() / bias.size();
  for (std::size_t o = 0; o < bias.size(); ++o) {
    const double scale = after.scale[o];
    bias[o] = static_cast<float>(bias[o] * scale + after.shift[o]);
    for (std::size_t i = o * row; i < (o + 1) * row; ++i) values[i] *= after.scale[o];
  }
  return {Tensor::take(weight.shape(), std::move(values)), std::move(bias)};
}

FloatBuffer zeros(int n) { return Tensor::shape_only({n}).to_floats(); }

Conv2d tap_of_each_channel(const Params& p, ChannelAffine affine) {
  const int c = static_cast<int>(affine.scale.size());
  return Conv2d(p, Tensor::take({c, 1, 1, 1}, std::move(affine.scale)), std::move(affine.shift),
                Conv2dSpec::square(1, 0, c));
}

}  // namespace

ChannelAffine rep_norm(const Params& p, int c, RepNormForm form, float eps) {
  if (form == RepNormForm::linear) {
    const Params unused = p / "norm1";
    unused.get("weight", {c});
    unused.get("bias", {c});
    return rep_norm(p / "norm2", c, RepNormForm::plain, eps);
  }
  const double alpha = p.floats("alpha", {1})[0];
  const Params bn = p / "bn";
  const FloatBuffer gamma = bn.floats("weight", {c}), mean = bn.floats("running_mean", {c});
  const FloatBuffer variance = bn.floats("running_var", {c});
  ChannelAffine affine = {FloatBuffer(gamma.size()), bn.floats("bias", {c})};
  for (std::size_t i = 0; i < gamma.size(); ++i) {
    const double scale =
        gamma[i] / std::sqrt(static_cast<double>(variance[i]) + static_cast<double>(eps));
    affine.scale[i] = static_cast<float>(scale + alpha);
    affine.shift[i] = static_cast<float>(affine.shift[i] - mean[i] * scale);
  }
  return affine;
}

Linear fold_before(const Params& p, const ChannelAffine& before, int in, int out, bool bias) {
  Folded folded = folded_before(p.get("weight", {out, in}),
                                bias ? p.floats("bias", {out}) : zeros(out), before);
  return Linear(p, folded.weight, std::move(folded.bias));
}

Conv2d fold_before(const Params& p, const ChannelAffine& before, int in, int out, int kernel,
                   int stride) {
  Folded folded =
      folded_before(p.get("weight", {out, in, kernel, kernel}), p.floats("bias", {out}), before);
  return Conv2d(p, folded.weight, std::move(folded.bias), Conv2dSpec::square(stride, 0));
}

Conv2d fold_after(const Params& p, const ChannelAffine& after, int in, int out, int kernel,
                  int stride, int pad) {
  Folded folded =
      folded_after(p.get("weight", {out, in, kernel, kernel}), p.floats("bias", {out}), after);
  return Conv2d(p, folded.weight, std::move(folded.bias), Conv2dSpec::square(stride, pad));
}

RepNorm::RepNorm(const Params& p, int c, RepNormForm form)
    : scale_(tap_of_each_channel(p, rep_norm(p, c, form))) {}

}  // namespace fovea::nn
