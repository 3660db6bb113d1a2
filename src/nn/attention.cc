// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/attention.h"

#include <string>

#include "fovea/nn/attention_scale.h"

namespace fovea::nn {
namespace {

int head_size(const Params& p, int c, int heads, int head_dim) {
  if (heads < 1 || (head_dim == 0 && c % heads != 0)) {
    throw Error(Error::Kind::argument, "attention \"" + p.path() + "\": " + std::to_string(c) +
                                           " channels do not divide into " + std::to_string(heads) +
                                           " heads");
  }
  return head_dim > 0 ? head_dim : c / heads;
}

AttentionSpec attention_spec(int heads, int head_dim) {
  AttentionSpec spec;
  spec.heads = heads;
  spec.scale = attention_scale(head_dim);
  return spec;
}

}  // namespace

Attention::Attention(const Params& p, int c, const AttentionOptions& options)
    : backend_(&p.backend()),
      qkv_(p / options.qkv, c, 3 * options.heads * head_size(p, c, options.heads, options.head_dim),
           options.qkv_bias),
      proj_(p / options.proj, qkv_.out() / 3, c, options.proj_bias),
      spec_(attention_spec(options.heads, qkv_.out() / 3 / options.heads)),
      inner_(qkv_.out() / 3) {}

void Attention::forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const {
  Workspace::Scope scope(ctx.workspace());
  const MapF qkv = ctx.workspace().map(x.n, x.h, x.w, 3 * inner_);
  const MapF mixed = ctx.workspace().map(x.n, x.h, x.w, inner_);
  qkv_.forward(x, qkv, ctx);
  const MapF rows = qkv.tokens();
  backend_->attention(rows.channels(0, inner_), rows.channels(inner_, inner_),
                      rows.channels(2 * inner_, inner_), spec_, mixed.tokens(), ctx);
  proj_.forward(mixed, y, ctx, epilogue);
}

AttentionPool::AttentionPool(const Params& p, int c, int heads, int mlp_hidden, float eps,
                             Activation act)
    : backend_(&p.backend()),
      latent_(p.floats("latent", {1, 1, c})),
      q_(p / "q", c, c),
      kv_(p / "kv", c, 2 * c),
      proj_(p / "proj", c, c),
      norm_(p / "norm", c, eps),
      mlp_(p / "mlp", c, mlp_hidden, act),
      spec_(attention_spec(heads, head_size(p, c, heads, 0))) {}

void AttentionPool::forward(CMapF x, MapF y, Context& ctx) const {
  Workspace::Scope scope(ctx.workspace());
  Workspace& ws = ctx.workspace();
  const int c = kv_.in();
  const MapF query = ws.map(x.n, 1, 1, c);
  const MapF kv = ws.map(x.n, 1, x.w, 2 * c);
  const MapF pooled = ws.map(x.n, 1, 1, c);

  // The query is the same for every image.
  q_.forward(CMapF(latent_.data(), 1, 1, 1, c), query.image(0), ctx);
  for (int i = 1; i < x.n; ++i) backend_->apply(query.image(0), {}, query.image(i), ctx);
  kv_.forward(x, kv, ctx);
  backend_->attention(query, kv.channels(0, c), kv.channels(c, c), spec_, pooled, ctx);
  proj_.forward(pooled, y, ctx);

  norm_.forward(y, pooled, ctx);
  Epilogue residual;
  residual.residual = y;
  mlp_.forward(pooled, y, ctx, residual);
}

}  // namespace fovea::nn
