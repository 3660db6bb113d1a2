// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "fovea/nn/linear.h"
#include "fovea/nn/norm.h"

namespace fovea::nn {

struct HeadOptions {
  int classes = 0;  // 0: no classifier, the head ends with its features
  bool norm = true;
  float norm_eps = 1e-6f;
  int hidden = 0;  // 0: no hidden layer
  Activation hidden_act = Activation::Kind::gelu;
  bool hidden_norm = false;    // a norm after the hidden layer
  std::string_view fc = "fc";  // the classifier's name
};

// Average over the map, LayerNorm, hidden layer, classifier; all but the average optional. Binds
// "norm", "pre_logits.fc", "pre_logits.norm" and "fc", as timm's NormMlpClassifierHead does.
class ClassifierHead {
 public:
  ClassifierHead(const Params& p, int c, const HeadOptions& options);

  // Channels before the classifier.
  int features() const { return features_; }
  int classes() const { return fc_ ? fc_->out() : 0; }
  // x (n, h, w, c) -> y (n, 1, 1, classes()), or (n, 1, 1, features()) with pre_logits or without
  // classes.
  void forward(CMapF x, bool pre_logits, MapF y, Context& ctx) const;

 private:
  const Backend* backend_;
  int features_;
  Activation hidden_act_;
  std::optional<LayerNorm> norm_, hidden_norm_;
  std::optional<Linear> hidden_, fc_;
};

}  // namespace fovea::nn
