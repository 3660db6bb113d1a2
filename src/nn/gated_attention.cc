// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/gated_attention.h"

#include <cmath>
#include <string>

namespace fovea::nn {
namespace {

const GatedAttentionOptions& checked(const Params& p, int c, const GatedAttentionOptions& o) {
  const int keys = o.key_dim > 0 ? o.key_dim : c / 2;
  const int values = o.value_dim > 0 ? o.value_dim : c;
  const auto fail = [&](const std::string& what) {
    throw Error(Error::Kind::argument, "gated attention \"" + p.path() + "\": " + what);
  };
  if (o.heads < 1 || keys < 1 || keys % o.heads != 0 || values % o.heads != 0) {
    fail(std::to_string(keys) + " channels of keys and " + std::to_string(values) +
         " of values do not divide into " + std::to_string(o.heads) + " heads");
  }
  if (values != c) {
    fail("wanted as many channels of values as of the input, " + std::to_string(c) + ", found " +
         std::to_string(values));
  }
  return o;
}

Activation silu_if(bool yes) { return yes ? Activation::Kind::silu : Activation::Kind::none; }

}  // namespace

GatedLinearAttention::GatedLinearAttention(const Params& p, int c, const GatedAttentionOptions& o)
    : backend_(&p.backend()),
      keys_(checked(p, c, o).key_dim > 0 ? o.key_dim : c / 2),
      values_(c),
      conv_act_(silu_if(o.conv_act)),
      out_act_(silu_if(o.out_act)),
      conv_(p / "in_proj" / 0, c, c, 3, Conv2dSpec::square(1, 1, c), o.conv_bias),
      qkv_(p / "qkv_proj", c, 2 * keys_ + values_, false),
      gates_down_(p / "gk_proj" / 0, c, o.gate_rank, false),
      gates_up_(p / "gk_proj" / 1, o.gate_rank, 2 * keys_),
      norm_(p / "g_norm", values_ / o.heads, o.norm_eps),
      local_norm_(p / "l_norm", values_ / o.heads, o.norm_eps),
      blend_(p / "g_proj", c, values_),
      proj_(p / "o_proj", values_, c, false),
      minus_one_(static_cast<std::size_t>(values_)) {
  for (float& value : minus_one_) value = -1.0f;
  spec_.heads = o.heads;
  spec_.normalizer = o.gate_normalizer;
  spec_.scale =
      static_cast<float>(1.0 / std::sqrt(static_cast<double>(keys_ / o.heads))) / o.divisor;
}

void GatedLinearAttention::forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const {
  const Workspace::Scope scope(ctx.workspace());
  const auto map = [&](int c) { return ctx.workspace().map(x.n, x.h, x.w, c); };
  const MapF local = map(values_), qkv = map(2 * keys_ + values_), low = map(gates_down_.out());
  const MapF gates = map(2 * keys_), blend = map(values_), mixed = map(values_);
  conv_.forward(x, local, ctx, {.act = conv_act_});
  qkv_.forward(local, qkv, ctx);
  gates_down_.forward(local, low, ctx);
  gates_up_.forward(low, gates, ctx);
  blend_.forward(local, blend, ctx, {.act = Activation::Kind::sigmoid});
  backend_->gated_attention(qkv.channels(0, keys_), qkv.channels(keys_, keys_),
                            qkv.channels(2 * keys_, values_), gates, spec_, mixed, ctx);
  // Norms go over single heads, which are the rows of another division of the same numbers.
  const int d = values_ / spec_.heads;
  const auto heads = [&](const MapF& m) { return MapF(m.data, m.n, m.h, m.w * spec_.heads, d); };
  norm_.forward(heads(mixed), heads(mixed), ctx);
  local_norm_.forward(heads(local), heads(local), ctx);
  // mixed g + local (1 - g) as local + g (mixed - local).
  const MapF difference = qkv.channels(0, values_);  // queries and keys are not needed any more
  backend_->apply(mixed, {.residual = local, .residual_scale = minus_one_.data()}, difference, ctx);
  backend_->multiply(difference, blend, difference, ctx);
  backend_->apply(difference, {.residual = local}, mixed, ctx);
  if (out_act_.kind != Activation::Kind::none)
    backend_->apply(mixed, {.act = out_act_}, mixed, ctx);
  proj_.forward(mixed, y, ctx, epilogue);
}

}  // namespace fovea::nn
