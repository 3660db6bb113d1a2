// SPDX-License-Identifier: Apache-2.0
#include "fovea/models/backbone.h"

namespace fovea {
namespace {

// Runs trunk and head on all images at once.
void run_together(const Backbone& net, CMapF image, bool pre_logits, MapF out, Context& ctx,
                  const FeatureSink* sink) {
  const Workspace::Scope scope(ctx.workspace());
  const MapF features = net.forward_features(image, ctx, sink);
  net.forward_head(features, pre_logits, out, ctx);
}

// Runs trunk and head into `out`, whose width the caller has checked.
//
// Images see nothing of each other: every thread takes whole ones, one at a time, as long as there
// is one for each thread. Then maps stay as small as those of one image, in cache and in memory,
// and threads do not wait for each other at every operator. Who looks on sees the batch as a whole.
void run(const Backbone& net, CMapF image, bool pre_logits, MapF out, Context& ctx,
         const FeatureSink* sink) {
  net.check_size({image.h, image.w});
  const bool whole = sink != nullptr || ctx.watched();
  const int alone = whole ? 0 : image.n / ctx.threads() * ctx.threads();
  const auto run_one = [&](std::ptrdiff_t i, Context& own) {
    run_together(net, image.image(static_cast<int>(i)), pre_logits, out.image(static_cast<int>(i)),
                 own, nullptr);
  };
  if (alone > 0) ctx.for_parts(alone, run_one);
  if (alone > 0 && alone == image.n) return;
  const int rest = image.n - alone;
  run_together(net, image.images(alone, rest), pre_logits, out.images(alone, rest), ctx, sink);
}

void require_shape(const char* what, CMapF image, int channels, CMapF out) {
  if (out.n == image.n && out.h == 1 && out.w == 1 && out.c == channels) return;
  throw Error(Error::Kind::argument,
              std::string(what) + ": wanted an output of shape (" + std::to_string(image.n) +
                  ", 1, 1, " + std::to_string(channels) + "), found " + shape_string(out));
}

}  // namespace

void Backbone::logits(CMapF image, MapF logits, Context& ctx, const FeatureSink* sink) const {
  require_shape("logits", image, num_outputs(), logits);
  run(*this, image, false, logits, ctx, sink);
}

void Backbone::embed(CMapF image, MapF pooled, Context& ctx) const {
  require_shape("embed", image, pooled_features(), pooled);
  run(*this, image, true, pooled, ctx, nullptr);
}

void Backbone::features(CMapF image, const FeatureSink& sink, Context& ctx) const {
  check_size({image.h, image.w});
  const Workspace::Scope scope(ctx.workspace());
  forward_features(image, ctx, &sink);
}

}  // namespace fovea
