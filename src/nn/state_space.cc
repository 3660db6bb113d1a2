// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/state_space.h"

#include <cmath>
#include <string>

namespace fovea::nn {
namespace {

int inner_width(const Params& p, int c, const StateSpaceOptions& o) {
  const int inner = o.inner > 0 ? o.inner : 2 * c;
  if (o.heads < 1 || inner % o.heads != 0) {
    throw Error(Error::Kind::argument,
                "state space \"" + p.path() + "\": " + std::to_string(inner) +
                    " channels do not divide into " + std::to_string(o.heads) + " heads");
  }
  return inner;
}

// A causal convolution over k tokens is one over 2 k - 1 whose taps of the future are zero.
Conv2d make_conv(const Params& p, int c, const StateSpaceOptions& o) {
  const int k = o.kernel;
  if (!o.causal) {
    return Conv2d(p / "conv2d", c, c, k, Conv2dSpec::square(1, (k - 1) / 2, c), o.conv_bias);
  }
  const Params conv = p / "conv1d";
  const Tensor given = conv.get("weight", {c, 1, k});
  const Shape shape = {c, 1, 1, 2 * k - 1};
  Tensor weight = Tensor::shape_only(shape);
  if (given.has_data()) {
    const FloatBuffer taps = given.to_floats();
    FloatBuffer padded(static_cast<std::size_t>(numel(shape)));
    for (std::size_t i = 0; i < padded.size(); ++i) {
      const std::size_t tap = i % static_cast<std::size_t>(2 * k - 1);
      const std::size_t channel = i / static_cast<std::size_t>(2 * k - 1);
      const auto width = static_cast<std::size_t>(k);
      padded[i] = tap < width ? taps[channel * width + tap] : 0.0f;
    }
    weight = Tensor::from_floats(shape, padded.span());
  }
  FloatBuffer bias = o.conv_bias ? conv.floats("bias", {c}) : FloatBuffer();
  return Conv2d(conv, weight, std::move(bias), {1, 1, 0, k - 1, 1, 1, c});
}

// -exp(A_log), or its opposite.
FloatBuffer decay(const Params& p, const StateSpaceOptions& o) {
  FloatBuffer a = p.floats("A_log", {o.heads});
  const float sign = o.causal || o.negative ? -1.0f : 1.0f;
  for (float& value : a) value = sign * static_cast<float>(std::exp(static_cast<double>(value)));
  return a;
}

// One number per channel, of those that may be one per head.
FloatBuffer skip(const Params& p, int inner, int heads) {
  const auto shape = p.shape("D");
  if (shape && numel(*shape) == inner) return p.floats("D", {inner});
  const FloatBuffer given = p.floats("D", {heads});
  if (given.empty()) return {};
  FloatBuffer d(static_cast<std::size_t>(inner));
  const std::size_t width = d.size() / given.size();
  for (std::size_t i = 0; i < d.size(); ++i) d[i] = given[i / width];
  return d;
}

}  // namespace

StateSpaceDuality::StateSpaceDuality(const Params& p, int c, const StateSpaceOptions& o)
    : backend_(&p.backend()),
      inner_(inner_width(p, c, o)),
      heads_(o.heads),
      state_(o.state),
      causal_(o.causal),
      in_proj_(p / "in_proj", c, 2 * inner_ + 2 * state_ + heads_, o.bias),
      conv_(make_conv(p, inner_ + 2 * state_, o)),
      dt_bias_(p.floats("dt_bias", {heads_})),
      a_(decay(p, o)),
      d_(skip(p, inner_, heads_)),
      norm_(p / "norm", inner_, o.norm_eps, causal_ ? Affine::weight : Affine::weight_and_bias),
      out_proj_(p / "out_proj", inner_, c, o.bias) {}

void StateSpaceDuality::forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const {
  const Workspace::Scope scope(ctx.workspace());
  const int convolved = inner_ + 2 * state_;
  const MapF all = ctx.workspace().map(x.n, x.h, x.w, in_proj_.out());
  in_proj_.forward(x, all, ctx);
  const CMapF z = all.channels(0, inner_), v = all.channels(inner_, convolved);
  const MapF ubc = ctx.workspace().map(x.n, x.h, x.w, convolved);
  if (causal_) {
    conv_.forward(v.tokens(), ubc.tokens(), ctx, {.act = Activation::Kind::silu});
  } else {
    conv_.forward(v, ubc, ctx, {.act = Activation::Kind::silu});
  }
  StateSpaceSpec spec;
  spec.heads = heads_;
  spec.causal = causal_;
  spec.dt_bias = dt_bias_.data();
  spec.a = a_.data();
  spec.d = d_.data();
  const MapF mixed = ctx.workspace().map(x.n, x.h, x.w, inner_);
  backend_->state_space(ubc.channels(0, inner_), all.channels(inner_ + convolved, heads_),
                        ubc.channels(inner_, state_), ubc.channels(inner_ + state_, state_), spec,
                        mixed, ctx);
  if (causal_) {
    backend_->multiply(mixed, z, mixed, ctx, Activation::Kind::silu);
    backend_->rms_norm(mixed, norm_.params(), mixed, ctx);
  } else {
    backend_->layer_norm(mixed, norm_.params(), mixed, ctx);
    backend_->multiply(mixed, z, mixed, ctx);
  }
  out_proj_.forward(mixed, y, ctx, epilogue);
}

}  // namespace fovea::nn
