// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <span>
#include <string>

#include "fovea/backend/backend.h"
#include "fovea/models/model_args.h"

namespace fovea {

// One level of a network's pyramid.
struct FeatureInfo {
  int channels = 0;
  int reduction = 0;   // input pixels per feature pixel
  std::string module;  // its module's path in the checkpoint: "stages.0"
};

// Called with every level of the pyramid, in order, as soon as it exists: (n, h, w, channels),
// valid during the call only.
using FeatureSink = std::function<void(int level, CMapF features)>;

// A vision backbone with its classification head. Immutable: any number of contexts may run it at
// once. All maps are NHWC; images come normalised, (n, h, w, 3).
class Backbone {
 public:
  virtual ~Backbone() = default;

  virtual std::span<const FeatureInfo> feature_info() const = 0;
  // Channels of what forward_features returns.
  virtual int num_features() const = 0;
  // Channels of the pooled features: num_features(), or the hidden size of an MLP head.
  virtual int pooled_features() const { return num_features(); }
  // Width of the logits; 0 when the network was built without a classifier: then logits are the
  // pooled features.
  virtual int num_classes() const = 0;
  int num_outputs() const { return num_classes() > 0 ? num_classes() : pooled_features(); }

  // The size the network was built for, and whether it takes others. check_size() throws
  // Error(argument) that says which sizes are possible.
  virtual Size2d input_size() const = 0;
  virtual void check_size(Size2d size) const = 0;

  // The trunk: the last feature map, normalised where the reference does that before its head,
  // token sequences with their class and register tokens. It lives in ctx.workspace(), in the scope
  // that is open when this is called.
  virtual MapF forward_features(CMapF image, Context& ctx, const FeatureSink* sink) const = 0;
  // From the trunk's output to logits (n, 1, 1, num_outputs()), or with pre_logits to pooled
  // features (n, 1, 1, pooled_features()).
  virtual void forward_head(CMapF features, bool pre_logits, MapF y, Context& ctx) const = 0;

  // --- The whole network; these open their own scopes and check the image's size. Without a sink,
  // images go through one by one, each on one thread, while there is one for every thread of the
  // context: a forward then takes the memory of one image for each thread.
  void logits(CMapF image, MapF logits, Context& ctx, const FeatureSink* sink = nullptr) const;
  void embed(CMapF image, MapF pooled, Context& ctx) const;
  void features(CMapF image, const FeatureSink& sink, Context& ctx) const;
};

}  // namespace fovea
