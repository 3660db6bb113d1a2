// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/head.h"

namespace fovea::nn {

ClassifierHead::ClassifierHead(const Params& p, int c, const HeadOptions& options)
    : backend_(&p.backend()),
      features_(options.hidden > 0 ? options.hidden : c),
      hidden_act_(options.hidden_act) {
  if (options.norm) norm_.emplace(p / "norm", c, options.norm_eps);
  if (options.hidden > 0) {
    const Params hidden = p / "pre_logits";
    hidden_.emplace(hidden / "fc", c, options.hidden);
    if (options.hidden_norm)
      hidden_norm_.emplace(hidden / "norm", options.hidden, options.norm_eps);
  }
  if (options.classes > 0) fc_.emplace(p / options.fc, features_, options.classes);
}

void ClassifierHead::forward(CMapF x, bool pre_logits, MapF y, Context& ctx) const {
  const Workspace::Scope scope(ctx.workspace());
  MapF features = ctx.workspace().map(x.n, 1, 1, x.c);
  backend_->global_average(x, features, ctx);
  if (norm_) norm_->forward(features, features, ctx);
  if (hidden_) {
    const MapF hidden = ctx.workspace().map(x.n, 1, 1, features_);
    Epilogue epilogue;
    epilogue.act = hidden_act_;
    hidden_->forward(features, hidden, ctx, epilogue);
    if (hidden_norm_) hidden_norm_->forward(hidden, hidden, ctx);
    features = hidden;
  }
  if (fc_ && !pre_logits) {
    fc_->forward(features, y, ctx);
  } else {
    backend_->apply(features, {}, y, ctx);
  }
}

}  // namespace fovea::nn
