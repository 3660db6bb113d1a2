// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/backend/backend.h"
#include "fovea/core/context.h"
#include "fovea/io/checkpoint.h"
#include "fovea/io/image.h"
#include "fovea/models/registry.h"

namespace fovea {

struct HubFolder;

// The networks that a folder may mean, with its arguments; see find_models(name).
std::vector<ModelSpec> find_models(const HubFolder& folder);

struct Prediction {
  int index = 0;
  std::string label;  // "" when the checkpoint brings no labels
  float probability = 0.0f;
};

struct LoadOptions {
  std::shared_ptr<const Backend> backend;  // null: make_backend("native")
  // {0, 0}: as the checkpoint says. Networks of a fixed size are built for the one given here.
  Size2d image_size;
  // Classes when the checkpoint does not say and the variant's own number is not meant; -1: as it
  // is.
  int num_classes = -1;
  // Threads that prepare the weights; 0: default_threads().
  int threads = 0;
  // Arguments that differ from the registered variant's; of a name, since a folder brings its own.
  ModelArgs args;
  CheckpointOptions checkpoint;
};

// A backbone with everything needed to use it on pictures: preprocessing, labels, the backend that
// its weights are packed for. Immutable; share it between threads, one Context each.
class Model {
 public:
  // A hub folder of timm or transformers.
  static Model load(const std::filesystem::path& folder, const LoadOptions& options = {});
  // A registered name and a checkpoint in its reference's or its authors' names.
  static Model load(std::string_view name, const std::filesystem::path& weights,
                    const LoadOptions& options = {});
  // A registered name with all weights zero: takes the memory and time of the real one.
  static Model untrained(std::string_view name, const LoadOptions& options = {});

  const Backbone& backbone() const { return *built_.backbone; }
  const Backend& backend() const { return *backend_; }
  const ModelSpec& spec() const { return spec_; }
  const PreprocessConfig& preprocess_config() const { return preprocess_; }
  // One name for each class: the checkpoint's own, or the library's when it brings none and is a
  // registered network with its own 1000 classes of ImageNet-1k; else empty.
  std::span<const std::string> labels() const { return labels_; }
  enum class LabelSource : std::uint8_t { none, checkpoint, imagenet_1k };
  LabelSource label_source() const { return label_source_; }
  std::int64_t parameters() const { return built_.parameters; }
  std::size_t packed_bytes() const { return built_.packed_bytes; }

  // images, prepared as the checkpoint asks, into the context's workspace: (n, h, w, 3). The caller
  // holds a Workspace::Scope.
  MapF prepare(std::span<const Image> images, Context& ctx) const;

  // The `topk` likeliest classes of each image, likeliest first.
  std::vector<std::vector<Prediction>> classify(std::span<const Image> images, Context& ctx,
                                                int topk = 5) const;
  std::vector<Prediction> classify(const Image& image, Context& ctx, int topk = 5) const;
  // Pooled features, one row for each image: (images, pooled_features()).
  Tensor embed(std::span<const Image> images, Context& ctx) const;
  // The pyramid, each level (images, channels, h, w) as PyTorch has it.
  std::vector<Tensor> features(std::span<const Image> images, Context& ctx) const;

 private:
  Model() = default;
  // Of the candidates, the one that fits `weights`, or the first with zero weights when null.
  // `preprocess` is the checkpoint's own, or null.
  static Model build(std::vector<ModelSpec> candidates, const ParamSource* weights,
                     const PreprocessConfig* preprocess, std::vector<std::string> labels,
                     const LoadOptions& options);

  std::shared_ptr<const Backend> backend_;
  ModelSpec spec_;
  BuiltModel built_;
  PreprocessConfig preprocess_;
  std::vector<std::string> labels_;
  LabelSource label_source_ = LabelSource::none;
};

// The top entries of a row of logits as softmax probabilities, likeliest first; ties by index.
std::vector<Prediction> top_predictions(std::span<const float> logits,
                                        std::span<const std::string> labels, int topk);

}  // namespace fovea
