// SPDX-License-Identifier: Apache-2.0
#include "fovea/model.h"

#include <algorithm>
#include <cmath>
#include <exception>
#include <limits>
#include <numeric>
#include <optional>

#include "fovea/core/param_sources.h"
#include "fovea/io/checkpoint.h"
#include "fovea/io/hub_folder.h"
#include "fovea/io/labels.h"
#include "fovea/io/preprocess.h"

namespace fovea {
namespace {

bool is_set(Size2d size) { return size.h != 0 || size.w != 0; }

void check_options(const LoadOptions& options) {
  const Size2d size = options.image_size;
  if (is_set(size) && (size.h < 1 || size.w < 1)) {
    throw Error(Error::Kind::argument, "wanted an image size of at least 1 x 1, found " +
                                           std::to_string(size.h) + " x " + std::to_string(size.w));
  }
  if (options.num_classes < -1) {
    throw Error(Error::Kind::argument, "wanted a number of classes of at least 0, found " +
                                           std::to_string(options.num_classes));
  }
}

// The size that a network of a fixed size is built for, as timm decides: the caller's, the
// arguments' own, that of the checkpoint's preprocessing, the variant's default.
void set_img_size(ModelSpec& spec, Size2d wanted, const PreprocessConfig* preprocess) {
  if (!spec.family->takes_img_size) return;
  if (!is_set(wanted)) {
    if (spec.args.has("img_size") || preprocess == nullptr) return;
    wanted = {preprocess->height, preprocess->width};
  }
  spec.args.set("img_size", {ArgValue::Array{{std::int64_t{wanted.h}}, {std::int64_t{wanted.w}}}});
}

// Whether the thousand classes are those that the published network was trained for.
bool has_imagenet_classes(const ModelSpec& spec, int num_classes, const LoadOptions& options) {
  return num_classes == 1000 && spec.info != nullptr && spec.info->num_classes == 1000 &&
         options.num_classes < 0;
}

std::vector<std::string> labels_of(std::vector<std::string> own, int num_classes,
                                   const LoadOptions& options) {
  if (own.empty() || own.size() == static_cast<std::size_t>(num_classes)) return own;
  // Another number of classes than the checkpoint's was asked for, or no classifier at all.
  if (options.num_classes >= 0 || num_classes == 0) return {};
  throw Error(Error::Kind::file, "config.json has " + std::to_string(own.size()) +
                                     " labels, but the network has " + std::to_string(num_classes) +
                                     " classes");
}

// A map as PyTorch lays it out: (n, c, h, w).
Tensor to_nchw(CMapF x) {
  FloatBuffer values(static_cast<std::size_t>(x.rows()) * x.c);
  float* out = values.data();
  for (int n = 0; n < x.n; ++n) {
    const CMapF image = x.image(n);
    for (int c = 0; c < x.c; ++c) {
      for (std::ptrdiff_t r = 0; r < image.rows(); ++r) *out++ = image.row(r)[c];
    }
  }
  return Tensor::from_floats({x.n, x.c, x.h, x.w}, values.span());
}

}  // namespace

std::vector<ModelSpec> find_models(const HubFolder& folder) {
  std::vector<ModelSpec> candidates;
  if (folder.family.empty()) {
    candidates = find_models(folder.architecture);
  } else {
    candidates.push_back({&find_family(folder.family), nullptr, {}});
  }
  for (ModelSpec& spec : candidates) spec.args = folder.args;
  return candidates;
}

Model Model::build(std::vector<ModelSpec> candidates, const ParamSource* weights,
                   const PreprocessConfig* preprocess, std::vector<std::string> labels,
                   const LoadOptions& options) {
  check_options(options);
  for (ModelSpec& spec : candidates) {
    if (options.num_classes >= 0) {
      spec.args.set("num_classes", {std::int64_t{options.num_classes}});
    }
    set_img_size(spec, options.image_size, preprocess);
  }

  Model model;
  model.backend_ = options.backend != nullptr ? options.backend : make_backend();
  model.spec_ = weights != nullptr ? best_fit(candidates, *weights) : candidates.front();
  std::optional<ZeroSource> zeros;
  if (weights == nullptr) weights = &zeros.emplace(list_parameters(model.spec_));
  const ThreadPool pool(options.threads);  // for the packing only
  model.built_ = build_model(model.spec_, *weights, *model.backend_, {}, &pool);

  model.preprocess_ = preprocess != nullptr ? *preprocess : model.spec_.info->preprocess;
  Size2d size = options.image_size;
  if (!is_set(size) && preprocess == nullptr && model.spec_.family->takes_img_size) {
    size = model.backbone().input_size();
  }
  if (is_set(size)) {
    model.preprocess_.height = size.h;
    model.preprocess_.width = size.w;
  }
  validate(model.preprocess_);
  model.backbone().check_size({model.preprocess_.height, model.preprocess_.width});
  const int classes = model.backbone().num_classes();
  model.labels_ = labels_of(std::move(labels), classes, options);
  if (!model.labels_.empty()) model.label_source_ = LabelSource::checkpoint;
  if (model.labels_.empty() && has_imagenet_classes(model.spec_, classes, options)) {
    const auto names = imagenet_1k_labels();
    model.labels_.assign(names.begin(), names.end());
    model.label_source_ = LabelSource::imagenet_1k;
  }
  return model;
}

Model Model::load(const std::filesystem::path& folder, const LoadOptions& options) {
  if (!options.args.empty()) {
    throw Error(Error::Kind::argument, folder.string() +
                                           ": a folder's config.json says the arguments of its "
                                           "network; others are possible with a name only");
  }
  check_options(options);
  HubFolder hub = read_hub_folder(folder);
  const std::unique_ptr<ParamSource> weights = open_checkpoint(hub.weights, options.checkpoint);
  try {
    std::vector<ModelSpec> candidates = find_models(hub);
    if (!hub.has_preprocess && candidates.front().info == nullptr) {
      throw Error(Error::Kind::file,
                  (folder / "preprocessor_config.json").string() +
                      ": wanted, as nothing else says how pictures are prepared");
    }
    Model model =
        build(std::move(candidates), weights.get(), hub.has_preprocess ? &hub.preprocess : nullptr,
              std::move(hub.labels), options);
    if (hub.has_placeholders) {
      model.labels_.clear();
      model.label_source_ = LabelSource::none;
    }
    return model;
  } catch (const Error& error) {
    // What the caller did not ask for is the folder's fault.
    const bool asked = is_set(options.image_size) || options.num_classes >= 0;
    if (error.kind() != Error::Kind::argument || asked) throw;
    throw Error(Error::Kind::file, (folder / "config.json").string() + ": " + error.what());
  }
}

Model Model::load(std::string_view name, const std::filesystem::path& weights,
                  const LoadOptions& options) {
  std::vector<ModelSpec> candidates = find_models(name);
  for (ModelSpec& spec : candidates) spec.args = options.args;
  const std::unique_ptr<ParamSource> source = open_checkpoint(weights, options.checkpoint);
  return build(std::move(candidates), source.get(), nullptr, {}, options);
}

Model Model::untrained(std::string_view name, const LoadOptions& options) {
  std::vector<ModelSpec> candidates = find_models(name);
  for (ModelSpec& spec : candidates) spec.args = options.args;
  return build(std::move(candidates), nullptr, nullptr, {}, options);
}

MapF Model::prepare(std::span<const Image> images, Context& ctx) const {
  constexpr std::size_t kMost = std::numeric_limits<int>::max();
  if (images.empty() || images.size() > kMost) {
    throw Error(Error::Kind::argument, "wanted a batch of 1 to " + std::to_string(kMost) +
                                           " images, found " + std::to_string(images.size()));
  }
  const MapF x = ctx.workspace().map(static_cast<int>(images.size()), preprocess_.height,
                                     preprocess_.width, 3);
  if (ctx.dry_run()) return x;

  // A region's body must not throw: the first error in the order of the images is kept.
  std::vector<std::exception_ptr> errors(images.size());
  ctx.pool().parallel_for(x.n, [&](std::ptrdiff_t i, int) {
    try {
      preprocess(images[static_cast<std::size_t>(i)], preprocess_,
                 x.image(static_cast<int>(i)).data);
    } catch (...) {
      errors[static_cast<std::size_t>(i)] = std::current_exception();
    }
  });
  for (const std::exception_ptr& error : errors) {
    if (error != nullptr) std::rethrow_exception(error);
  }
  return x;
}

std::vector<std::vector<Prediction>> Model::classify(std::span<const Image> images, Context& ctx,
                                                     int topk) const {
  if (backbone().num_classes() == 0) {
    throw Error(Error::Kind::argument, spec_.name() + " was built without a classifier");
  }
  const Workspace::Scope scope(ctx.workspace());
  const MapF x = prepare(images, ctx);
  const MapF logits = ctx.workspace().map(x.n, 1, 1, backbone().num_classes());
  backbone().logits(x, logits, ctx);
  std::vector<std::vector<Prediction>> result;
  result.reserve(images.size());
  for (int i = 0; i < logits.n; ++i) {
    result.push_back(
        top_predictions({logits.row(i), static_cast<std::size_t>(logits.c)}, labels_, topk));
  }
  return result;
}

std::vector<Prediction> Model::classify(const Image& image, Context& ctx, int topk) const {
  return std::move(classify(std::span(&image, 1), ctx, topk).front());
}

Tensor Model::embed(std::span<const Image> images, Context& ctx) const {
  const Workspace::Scope scope(ctx.workspace());
  const MapF x = prepare(images, ctx);
  const MapF pooled = ctx.workspace().map(x.n, 1, 1, backbone().pooled_features());
  backbone().embed(x, pooled, ctx);
  return Tensor::from_floats({pooled.n, pooled.c},
                             {pooled.data, static_cast<std::size_t>(pooled.n) * pooled.c});
}

std::vector<Tensor> Model::features(std::span<const Image> images, Context& ctx) const {
  const Workspace::Scope scope(ctx.workspace());
  const MapF x = prepare(images, ctx);
  std::vector<Tensor> pyramid;
  backbone().features(
      x, [&](int, CMapF level) { pyramid.push_back(to_nchw(level)); }, ctx);
  return pyramid;
}

std::vector<Prediction> top_predictions(std::span<const float> logits,
                                        std::span<const std::string> labels, int topk) {
  if (topk < 1) {
    throw Error(Error::Kind::argument,
                "wanted the likeliest 1 class or more, found " + std::to_string(topk));
  }
  if (!labels.empty() && labels.size() != logits.size()) {
    throw Error(Error::Kind::argument, "wanted " + std::to_string(logits.size()) +
                                           " labels or none, found " +
                                           std::to_string(labels.size()));
  }
  std::vector<int> order(logits.size());
  std::iota(order.begin(), order.end(), 0);
  // A sorting order must be total: what is not a number comes last.
  const auto rank = [&](int i) {
    const float v = logits[static_cast<std::size_t>(i)];
    return std::isnan(v) ? -std::numeric_limits<float>::infinity() : v;
  };
  const auto likelier = [&](int a, int b) {
    return rank(a) != rank(b) ? rank(a) > rank(b) : a < b;
  };
  const auto count = std::min(order.size(), static_cast<std::size_t>(topk));
  const auto last = order.begin() + static_cast<std::ptrdiff_t>(count);
  std::partial_sort(order.begin(), last, order.end(), likelier);

  std::vector<Prediction> top;
  if (order.empty()) return top;
  const double largest = logits[static_cast<std::size_t>(order[0])];
  double sum = 0;
  for (const float v : logits) sum += std::exp(v - largest);
  for (std::size_t k = 0; k < count; ++k) {
    const auto i = static_cast<std::size_t>(order[k]);
    top.push_back({order[k], labels.empty() ? std::string() : labels[i],
                   static_cast<float>(std::exp(logits[i] - largest) / sum)});
  }
  return top;
}

}  // namespace fovea
