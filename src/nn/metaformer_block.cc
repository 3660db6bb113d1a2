// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/metaformer_block.h"

namespace fovea::nn {
namespace {

FloatBuffer optional_scale(const Params& p, std::string_view name, int c) {
  return name.empty() ? FloatBuffer() : p.floats(name, {c});
}

}  // namespace

MetaFormerBlock::Branch::Branch(const Params& p, int c, const MetaFormerOptions& options, int index)
    : norm(p / (index == 0 ? "norm1" : "norm2"), c, options.norm),
      scale(optional_scale(p, options.layer_scale[static_cast<std::size_t>(index)], c)),
      residual_scale(optional_scale(p, options.res_scale[static_cast<std::size_t>(index)], c)) {}

Epilogue MetaFormerBlock::Branch::epilogue(CMapF residual) const {
  Epilogue epilogue;
  epilogue.scale = scale.data();
  epilogue.residual = residual;
  epilogue.residual_scale = residual_scale.data();
  return epilogue;
}

MetaFormerBlock::MetaFormerBlock(const Params& p, int c, const MetaFormerOptions& options,
                                 std::unique_ptr<const Mixer> mixer)
    : mixer_(std::move(mixer)),
      mixing_(p, c, options, 0),
      feeding_(p, c, options, 1),
      mlp_(p / "mlp", c, options.mlp_hidden, options.mlp_act, options.mlp_bias, options.mlp_form) {}

void MetaFormerBlock::forward(MapF x, Context& ctx) const {
  const Workspace::Scope scope(ctx.workspace());
  const MapF t = ctx.workspace().map_like(x);
  mixing_.norm.forward(x, t, ctx);
  mixer_->forward(t, x, ctx, mixing_.epilogue(x));
  feeding_.norm.forward(x, t, ctx);
  mlp_.forward(t, x, ctx, feeding_.epilogue(x));
}

}  // namespace fovea::nn
