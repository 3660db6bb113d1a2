// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "commands.h"
#include "common.h"
#include "pictures.h"

namespace fovea::tool {
namespace {

struct ClassifyOptions {
  ModelOptions model;
  PictureOptions pictures;
  int topk = 5;
};

struct Classified {
  const Picture* picture;
  std::vector<Prediction> top;
  double milliseconds;  // the network's share of the batch
};

Json to_json(const Classified& result) {
  Json labels = Json::array();
  for (const Prediction& p : result.top) {
    labels.push_back(
        {{"label", p.label}, {"index", p.index}, {"probability", shortest(p.probability)}});
  }
  return {{"file", result.picture->file},
          {"labels", std::move(labels)},
          {"network_ms", result.milliseconds},
          {"picture_ms", result.picture->milliseconds}};
}

void print_text(const Classified& result) {
  std::ostringstream out;
  out << result.picture->file << std::fixed << std::setprecision(1) << "  (" << result.milliseconds
      << " ms; decoding and preprocessing " << result.picture->milliseconds << " ms)\n";
  for (const Prediction& p : result.top) {
    out << std::setw(7) << std::setprecision(2) << 100.0 * static_cast<double>(p.probability)
        << " %  ";
    if (p.label.empty()) {
      out << "class " << p.index << '\n';
    } else {
      out << p.label << " (" << p.index << ")\n";
    }
  }
  std::cout << out.str() << std::flush;
}

// One result for each picture of the batch; `top` stays empty for bad ones.
std::vector<Classified> classify_batch(const Model& model, const PictureBatch& batch, int topk,
                                       Context& ctx) {
  using Clock = std::chrono::steady_clock;
  const Workspace::Scope scope(ctx.workspace());
  MapF logits;
  double milliseconds = 0;
  if (batch.images.n > 0) {
    logits = ctx.workspace().map(batch.images.n, 1, 1, model.backbone().num_classes());
    const auto start = Clock::now();
    model.backbone().logits(batch.images, logits, ctx);
    milliseconds =
        std::chrono::duration<double, std::milli>(Clock::now() - start).count() / batch.images.n;
  }
  std::vector<Classified> results;
  for (const Picture& picture : batch.pictures) {
    Classified result{&picture, {}, milliseconds};
    if (picture.error.empty()) {
      result.top = top_predictions({logits.row(picture.row), static_cast<std::size_t>(logits.c)},
                                   model.labels(), topk);
    }
    results.push_back(std::move(result));
  }
  return results;
}

int classify(const ClassifyOptions& options) {
  const Model model = load_model(options.model);
  if (model.backbone().num_classes() == 0) {
    throw Error(Error::Kind::argument, model.spec().name() +
                                           " has no classifier here; `fovea embed` prints its "
                                           "pooled features");
  }
  Context ctx(options.model.threads);
  PictureReader reader(model, options.pictures.files, options.pictures, ctx.threads());
  reserve_workspace(model, reader.batch(), ctx);
  Json all = Json::array();
  int code = kOk;
  for (PictureBatch batch; reader.next(batch);) {
    for (const Classified& result : classify_batch(model, batch, options.topk, ctx)) {
      const Picture& picture = *result.picture;
      if (!picture.error.empty()) {
        report(picture.error);
        code = kBadFile;
        all.push_back({{"file", picture.file}, {"error", picture.error}});
      } else if (options.model.json) {
        all.push_back(to_json(result));
      } else {
        print_text(result);
      }
    }
  }
  if (options.model.json) print(all);
  return code;
}

}  // namespace

Command add_classify(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("classify", "What is on these pictures?");
  const auto options = std::make_shared<ClassifyOptions>();
  add_picture_options(*sub, options->pictures);
  add_model_and_options(*sub, options->model);
  sub->add_option("--topk", options->topk, "Labels to print, likeliest first")
      ->check(whole_number(1, 1 << 20))
      ->type_name("K")
      ->capture_default_str();
  sub->footer(
      "Examples:\n"
      "  fovea classify --model examples/models/swin examples/images/*\n"
      "  fovea classify --model convnext_tiny --weights convnext_tiny.safetensors --json cat.jpg");
  return {sub, [options] { return classify(*options); }};
}

}  // namespace fovea::tool
