// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/linear_attention.h"

#include <algorithm>
#include <string>
#include <utility>

namespace fovea::nn {
namespace {

const LinearMixingOptions& checked(const Params& p, int c, const LinearMixingOptions& o) {
  const auto refuse = [&](const std::string& what) {
    throw Error(Error::Kind::argument, "linear attention \"" + p.path() + "\": " + what);
  };
  if (o.heads < 1 || c % o.heads != 0) {
    refuse(std::to_string(c) + " channels do not divide into " + std::to_string(o.heads) +
           " heads");
  }
  if (o.kernel < 0 || (o.kernel != 0 && o.kernel % 2 == 0)) {
    refuse("a kernel of " + std::to_string(o.kernel) + "; wanted an odd one");
  }
  if ((o.features > 0) != (o.map == FeatureMap::performer) || o.features < 0) {
    refuse(std::to_string(o.features) + " features of a projection; wanted some with the map " +
           "performer, 0 with any other");
  }
  const bool any = !o.positions && o.h == 0 && o.w == 0;
  if (!any && (o.reduction < 1 || o.h < o.reduction || o.w < o.reduction)) {
    refuse("a map of " + std::to_string(o.h) + " x " + std::to_string(o.w) + " positions reduced " +
           std::to_string(o.reduction) + " times");
  }
  return o;
}

// The kernel that all heads share, once for each of them.
Conv2d shared_convolution(const Params& p, int c, int heads, int kernel) {
  const Shape shape = {c, 1, kernel, kernel};
  const Tensor one = p.get("weight", {c / heads, 1, kernel, kernel});
  const FloatBuffer one_bias = p.floats("bias", {c / heads});
  FloatBuffer bias(static_cast<std::size_t>(c));
  for (std::size_t i = 0; i < bias.size(); ++i) bias[i] = one_bias[i % one_bias.size()];
  Tensor all = Tensor::shape_only(shape);
  if (one.has_data()) {
    const FloatBuffer values = one.to_floats();
    FloatBuffer repeated(values.size() * static_cast<std::size_t>(heads));
    for (float* at = repeated.data(); at != repeated.end();) {
      at = std::copy(values.begin(), values.end(), at);
    }
    all = Tensor::take(shape, std::move(repeated));
  }
  return Conv2d(p, all, std::move(bias), Conv2dSpec::square(1, kernel / 2, c));
}

}  // namespace

LinearMixing::LinearMixing(const Params& p, int c, const LinearMixingOptions& options)
    : backend_(&p.backend()), h_(options.h), w_(options.w) {
  const LinearMixingOptions& o = checked(p, c, options);
  if (o.positions) {
    const std::int64_t keys = std::int64_t{o.h / o.reduction} * (o.w / o.reduction);
    positions_ = p.floats("positional_encoding", {1, keys, c});
  }
  if (o.features != 0) projection_ = p.floats("w", {o.features, c / o.heads});
  if (o.kernel != 0 && o.shared_kernel) {
    conv_.emplace(shared_convolution(p / "dwc", c, o.heads, o.kernel));
  } else if (o.kernel != 0) {
    conv_.emplace(p / "dwc", c, c, o.kernel, Conv2dSpec::square(1, o.kernel / 2, c));
  }
  spec_.heads = o.heads;
  spec_.map = o.map;
  spec_.normalize = o.normalize;
  spec_.mean = o.mean;
  spec_.k_bias = positions_.data();
  spec_.eps = o.eps;
  spec_.projection = projection_.data();
  spec_.features = o.features;
}

void LinearMixing::forward(CMapF q, CMapF k, CMapF v, MapF y, Context& ctx) const {
  const Workspace::Scope scope(ctx.workspace());
  backend_->linear_attention(q, k, v, spec_, y, ctx);
  if (!conv_) return;
  const int h = h_ != 0 ? h_ : y.h, w = w_ != 0 ? w_ : y.w;
  const MapF map = y.reshaped(y.n, h, w);
  if (v.h * v.w != h * w) {
    const MapF longer = ctx.workspace().map(y.n, 1, h * w, y.c);
    backend_->resize2d(v.tokens(), Interpolation::bilinear, longer, ctx);
    v = longer;
  }
  conv_->forward(v.reshaped(v.n, h, w), map, ctx, {.residual = map});
}

}  // namespace fovea::nn
