// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/state_space.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "fovea/nn/row_strips.h"

namespace fovea::nn {
namespace {

StateSpaceOptions checked(const Params& p, int c, StateSpaceOptions o) {
  const auto require = [&](bool fine, const std::string& what) {
    if (!fine) throw Error(Error::Kind::argument, "state space \"" + p.path() + "\": " + what);
  };
  if (o.inner == 0) o.inner = 2 * c;
  require(o.inner > 0 && o.heads > 0 && o.inner % o.heads == 0,
          std::to_string(o.inner) + " channels do not divide into " + std::to_string(o.heads) +
              " heads");
  require(o.groups > 0 && o.heads % o.groups == 0, std::to_string(o.heads) +
                                                       " heads do not divide into " +
                                                       std::to_string(o.groups) + " groups");
  require(o.state > 0, "a state of " + std::to_string(o.state) + " values");
  const bool odd = !o.causal || o.map_conv;
  require(o.kernel > 0 && (!odd || o.kernel % 2 == 1),
          "a kernel of " + std::to_string(o.kernel) + (odd ? "; wanted an odd one" : ""));
  return o;
}

int convolved_width(const StateSpaceOptions& o) { return o.inner + 2 * o.groups * o.state; }

int projected_width(const StateSpaceOptions& o) { return o.inner + convolved_width(o) + o.heads; }

// A causal convolution of k taps is one of 2k - 1 whose taps on the future are zero.
Conv2d causal_convolution(const Params& p, int c, int kernel, bool bias) {
  const int taps = 2 * kernel - 1;
  const Shape shape = {c, 1, 1, taps};
  const Tensor past = p.get("weight", {c, 1, kernel});
  Tensor weight = Tensor::shape_only(shape);
  if (past.has_data()) {
    const FloatBuffer values = past.to_floats();
    FloatBuffer padded(static_cast<std::size_t>(c) * static_cast<std::size_t>(taps));
    std::fill(padded.begin(), padded.end(), 0.0f);
    for (int i = 0; i < c; ++i) {
      std::copy_n(values.data() + std::ptrdiff_t{i} * kernel, kernel,
                  padded.data() + std::ptrdiff_t{i} * taps);
    }
    weight = Tensor::take(shape, std::move(padded));
  }
  Conv2dSpec spec;
  spec.pad_w = kernel - 1;
  spec.groups = c;
  return Conv2d(p, weight, bias ? p.floats("bias", {c}) : FloatBuffer(), spec);
}

}  // namespace

StateSpaceDuality::StateSpaceDuality(const Params& p, int c, const StateSpaceOptions& options)
    : StateSpaceDuality(
          p, c, checked(p, c, options),
          SplitLinear(p / "in_proj", c, projected_width(checked(p, c, options)), options.bias)) {}

StateSpaceDuality::StateSpaceDuality(const Params& p, int c, const StateSpaceOptions& options,
                                     const SplitLinear& in_proj)
    : backend_(&p.backend()),
      options_(options),
      in_proj_z_(in_proj.outputs(p, 0, options_.inner)),
      in_proj_(in_proj.outputs(p, options_.inner, convolved_width(options_) + options_.heads)),
      along_sequence_(options_.causal && !options_.map_conv),
      dt_bias_(p.floats("dt_bias", {options_.heads})),
      a_(p.floats("A_log", {options_.heads})),
      out_proj_(p / "out_proj", options_.inner, c, options_.bias) {
  const StateSpaceOptions& o = options_;
  const int width = convolved_width(o);
  if (along_sequence_) {
    conv_.emplace(causal_convolution(p / "conv1d", width, o.kernel, o.conv_bias));
  } else {
    conv_.emplace(p / "conv2d", width, width, o.kernel, Conv2dSpec::square(1, o.kernel / 2, width),
                  o.conv_bias);
  }
  for (float& a : a_) {
    const double size = std::exp(static_cast<double>(a));
    a = static_cast<float>(o.positive_a ? size : -size);
  }
  const FloatBuffer d = p.floats("D", {o.d_per_channel ? o.inner : o.heads});
  d_ = FloatBuffer(static_cast<std::size_t>(o.inner));
  const std::size_t repeats = d_.size() / d.size();
  for (std::size_t i = 0; i < d_.size(); ++i) d_[i] = d[i / repeats];
  if (o.gate == StateSpaceGate::norm_then_z) {
    layer_norm_.emplace(p / "norm", o.inner, o.norm_eps);
  } else if (o.gate != StateSpaceGate::silu) {
    rms_norm_.emplace(p / "norm", o.inner, o.norm_eps);
  }
}

void StateSpaceDuality::forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const {
  const Workspace::Scope scope(ctx.workspace());
  const int inner = options_.inner, width = convolved_width(options_);
  const MapF projected = ctx.workspace().aligned_map(x.n, x.h, x.w, in_proj_.out());
  in_proj_.forward(x, projected, ctx);
  const CMapF v = projected.channels(0, width);
  const CMapF dt = projected.channels(width, options_.heads);
  const MapF u = ctx.workspace().map(x.n, x.h, x.w, width);
  const Epilogue silu = {.act = Activation::Kind::silu};
  if (along_sequence_) {
    conv_->forward(v.tokens(), u.tokens(), ctx, silu);
  } else {
    conv_->forward(v, u, ctx, silu);
  }
  const MapF mixed = ctx.workspace().map(x.n, x.h, x.w, inner);
  scan(u, dt, mixed, ctx);
  for_row_strips(*backend_, y.rows(), 2 * inner + x.c + y.c, ctx, [&](const RowStrip& strip) {
    const Workspace::Scope own(strip.ctx.workspace());
    const MapF z = strip.ctx.workspace().map(1, 1, strip.count, inner), some = strip.of(mixed);
    in_proj_z_.forward(strip.of(x), z, strip.ctx);
    finish(some, z, strip.ctx);
    strip.expect_next(mixed);
    strip.expect_next(x);
    out_proj_.forward(some, strip.of(y), strip.ctx, strip.of(epilogue));
  });
}

// Heads of a non-causal form take the groups in turn: every run of `groups` heads is a state space
// with one head per group.
void StateSpaceDuality::scan(CMapF u, CMapF dt, MapF y, Context& ctx) const {
  const StateSpaceOptions& o = options_;
  const int values = o.groups * o.state, head_width = o.inner / o.heads;
  const bool in_turn = !o.causal && o.groups > 1;
  const int heads = in_turn ? o.groups : o.heads;
  for (int first = 0; first < o.heads; first += heads) {
    StateSpaceSpec spec;
    spec.heads = heads;
    spec.groups = o.groups;
    spec.causal = o.causal;
    spec.dt_bias = dt_bias_.data() + first;
    spec.a = a_.data() + first;
    spec.d = d_.data() + std::ptrdiff_t{first} * head_width;
    const int from = first * head_width, count = heads * head_width;
    backend_->state_space(u.channels(from, count), dt.channels(first, heads),
                          u.channels(o.inner, values), u.channels(o.inner + values, values), spec,
                          y.channels(from, count), ctx);
  }
}

void StateSpaceDuality::finish(MapF y, CMapF z, Context& ctx) const {
  const Activation silu = Activation::Kind::silu;
  switch (options_.gate) {
    case StateSpaceGate::silu:
      backend_->multiply(y, z, y, ctx, silu);
      break;
    case StateSpaceGate::silu_then_norm:
      backend_->multiply(y, z, y, ctx, silu);
      rms_norm(y, ctx);
      break;
    case StateSpaceGate::norm_then_silu:
      rms_norm(y, ctx);
      backend_->multiply(y, z, y, ctx, silu);
      break;
    case StateSpaceGate::norm_then_z:
      layer_norm_->forward(y, y, ctx);
      backend_->multiply(y, z, y, ctx);
      break;
  }
}

void StateSpaceDuality::rms_norm(MapF y, Context& ctx) const {
  const int width = options_.inner / options_.groups;
  for (int first = 0; first < options_.inner; first += width) {
    NormParams norm = rms_norm_->params();
    norm.weight += first;
    const MapF part = y.channels(first, width);
    backend_->rms_norm(part, norm, part, ctx);
  }
}

}  // namespace fovea::nn
