// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/gated_attention.h"

#include <algorithm>

#include "fovea/nn/attention_scale.h"
#include "fovea/nn/row_strips.h"

namespace fovea::nn {
namespace {

GatedLinearOptions checked(const Params& p, int c, const GatedLinearOptions& o) {
  const auto refuse = [&](int channels, const char* what) {
    throw Error(Error::Kind::argument,
                "gated linear attention \"" + p.path() + "\": " + std::to_string(channels) + what +
                    " do not divide into " + std::to_string(o.heads) + " heads");
  };
  if (c < 1 || o.heads < 1 || c % o.heads != 0) refuse(c, " channels");
  if (o.key_dim < 1 || o.key_dim > 1 << 24 || o.key_dim % o.heads != 0) {
    refuse(o.key_dim, " channels of keys");
  }
  return o;
}

}  // namespace

GatedLinearAttention::GatedLinearAttention(const Params& p, int c,
                                           const GatedLinearOptions& options)
    : backend_(&p.backend()),
      options_(checked(p, c, options)),
      conv_(p / "in_proj" / 0, c, c, 3, Conv2dSpec::square(1, 1, c), options.conv_bias),
      qkv_(p / "qkv_proj", c, 2 * options.key_dim + c, false),
      gate_down_(p / "gk_proj" / 0, c, options.gate_rank, false),
      gate_up_(p / "gk_proj" / 1, options.gate_rank, 2 * options.key_dim),
      mix_(p / "g_proj", c, c),
      out_(p / "o_proj", c, c, false),
      scan_norm_(p / "g_norm", c / options.heads, options.norm_eps),
      local_norm_(p / "l_norm", c / options.heads, options.norm_eps),
      minus_(static_cast<std::size_t>(c)) {
  std::fill(minus_.begin(), minus_.end(), -1.0f);
  spec_.heads = options.heads;
  spec_.scale = options.direction_scale * attention_scale(options.key_dim / options.heads);
  spec_.normalizer = options.normalizer;
}

void GatedLinearAttention::scan(CMapF local, MapF o, Context& ctx) const {
  const Workspace::Scope scope(ctx.workspace());
  const auto map = [&](int c) { return ctx.workspace().map(local.n, local.h, local.w, c); };
  const int keys = options_.key_dim;
  const MapF qkv = map(qkv_.out()), gates = map(gate_up_.out()), low = map(gate_down_.out());
  qkv_.forward(local, qkv, ctx);
  gate_down_.forward(local, low, ctx);
  gate_up_.forward(low, gates, ctx);
  backend_->gated_attention(qkv.channels(0, keys), qkv.channels(keys, keys),
                            qkv.channels(2 * keys, local.c), gates, spec_, o, ctx);
}

// Heads as if they were tokens.
void GatedLinearAttention::normalise(const RmsNorm& norm, MapF x, Context& ctx) const {
  const MapF heads(x.data, x.n, x.h, x.w * options_.heads, x.c / options_.heads);
  norm.forward(heads, heads, ctx);
}

void GatedLinearAttention::forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const {
  const Workspace::Scope scope(ctx.workspace());
  const MapF local = ctx.workspace().map_like(x), o = ctx.workspace().map_like(x);
  conv_.forward(x, local, ctx, {.act = options_.conv_act});
  scan(local, o, ctx);
  for_row_strips(*backend_, x.rows(), std::ptrdiff_t{4} * x.c, ctx, [&](const RowStrip& strip) {
    const Workspace::Scope own(strip.ctx.workspace());
    const MapF mix = strip.ctx.workspace().map(1, 1, strip.count, x.c);
    blend(strip.of(local), strip.of(o), mix, strip.ctx);
    strip.expect_next(local);
    strip.expect_next(o);
    out_.forward(strip.of(o), strip.of(y), strip.ctx, strip.of(epilogue));
  });
}

// o = act(norm(o) g + norm(local) (1 - g)) with g = sigmoid(mix), which is made of local.
void GatedLinearAttention::blend(MapF local, MapF o, MapF mix, Context& ctx) const {
  mix_.forward(local, mix, ctx);
  normalise(scan_norm_, o, ctx);
  normalise(local_norm_, local, ctx);
  // o g + l (1 - g) = (o - l) g + l.
  backend_->apply(o, {.residual = local, .residual_scale = minus_.data()}, o, ctx);
  backend_->multiply(o, mix, o, ctx, Activation::Kind::sigmoid);
  backend_->apply(o, {.residual = local}, o, ctx);
  if (options_.out_act.kind != Activation::Kind::none) {
    backend_->apply(o, {.act = options_.out_act}, o, ctx);
  }
}

}  // namespace fovea::nn
