// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/conv2d.h"

#include <cmath>
#include <string>
#include <utility>

namespace fovea::nn {
namespace {

Shape weight_shape(const Params& p, int in, int out, int kernel_h, int kernel_w, int groups) {
  if (groups < 1 || in % groups != 0 || out % groups != 0) {
    throw Error(Error::Kind::argument, "convolution \"" + p.path() + "\": " + std::to_string(in) +
                                           " input and " + std::to_string(out) +
                                           " output channels do not divide into " +
                                           std::to_string(groups) + " groups");
  }
  return {out, in / groups, kernel_h, kernel_w};
}

}  // namespace

Conv2d::Conv2d(const Params& p, int in, int out, int kernel_h, int kernel_w, const Conv2dSpec& spec,
               bool bias)
    : backend_(&p.backend()),
      weight_(backend_->pack_conv2d(
          p.get("weight", weight_shape(p, in, out, kernel_h, kernel_w, spec.groups)), spec,
          {p.log().pool, p.log().arena})) {
  if (bias) bias_ = p.floats("bias", {out});
  p.log().packed_bytes += weight_->bytes();
}

Conv2d::Conv2d(const Params& p, const Tensor& weight, FloatBuffer bias, const Conv2dSpec& spec)
    : backend_(&p.backend()),
      weight_(backend_->pack_conv2d(weight, spec, {p.log().pool, p.log().arena})),
      bias_(std::move(bias)) {
  p.log().packed_bytes += weight_->bytes();
}

Conv2d::Conv2d(const Params& p, const FoldedBatchNorm& norm, int in, int out, int kernel,
               const Conv2dSpec& spec, bool bias)
    : backend_(&p.backend()) {
  const Shape shape = weight_shape(p, in, out, kernel, kernel, spec.groups);
  Tensor weight = p.get("weight", shape);
  bias_ = bias ? p.floats("bias", {out}) : Tensor::shape_only({out}).to_floats();
  const FloatBuffer gamma = norm.p.floats("weight", {out});
  const FloatBuffer beta = norm.p.floats("bias", {out});
  const FloatBuffer mean = norm.p.floats("running_mean", {out});
  const FloatBuffer variance = norm.p.floats("running_var", {out});

  if (weight.has_data()) {
    FloatBuffer values = weight.to_floats();
    const std::size_t row = values.size() / static_cast<std::size_t>(out);
    for (std::size_t o = 0; o < static_cast<std::size_t>(out); ++o) {
      const double scale =
          gamma[o] / std::sqrt(static_cast<double>(variance[o]) + static_cast<double>(norm.eps));
      bias_[o] = static_cast<float>((static_cast<double>(bias_[o]) - mean[o]) * scale + beta[o]);
      for (std::size_t i = o * row; i < (o + 1) * row; ++i) {
        values[i] = static_cast<float>(values[i] * scale);
      }
    }
    weight = Tensor::from_floats(shape, values.span());
  }
  weight_ = backend_->pack_conv2d(weight, spec, {p.log().pool, p.log().arena});
  p.log().packed_bytes += weight_->bytes();
}

Conv2d::Conv2d(const Params& p, AddInput, int c, int kernel, bool bias) : backend_(&p.backend()) {
  const Shape shape = {c, 1, kernel, kernel};
  Tensor weight = p.get("weight", shape);
  if (bias) bias_ = p.floats("bias", {c});
  if (weight.has_data()) {
    FloatBuffer values = weight.to_floats();
    const std::size_t area = static_cast<std::size_t>(kernel) * static_cast<std::size_t>(kernel);
    for (std::size_t i = area / 2; i < values.size(); i += area) values[i] += 1.0f;
    weight = Tensor::from_floats(shape, values.span());
  }
  weight_ = backend_->pack_conv2d(weight, Conv2dSpec::square(1, kernel / 2, c),
                                  {p.log().pool, p.log().arena});
  p.log().packed_bytes += weight_->bytes();
}

int Conv2d::out_h(int h) const {
  const Conv2dSpec& s = weight_->conv;
  return conv_out_size(h, weight_->kernel_h, s.stride_h, s.pad_h, s.dilation_h);
}

int Conv2d::out_w(int w) const {
  const Conv2dSpec& s = weight_->conv;
  return conv_out_size(w, weight_->kernel_w, s.stride_w, s.pad_w, s.dilation_w);
}

}  // namespace fovea::nn
