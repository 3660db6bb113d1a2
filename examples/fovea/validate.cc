// SPDX-License-Identifier: Apache-2.0
#include <chrono>
#include <iomanip>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "commands.h"
#include "common.h"
#include "image_folder.h"
#include "pictures.h"
#include "progress.h"

namespace fovea::tool {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

struct ValidateOptions {
  ModelOptions model;
  PictureOptions pictures;
  std::string data;
};

struct Score {
  std::size_t images = 0;  // that could be read
  std::size_t failed = 0;
  std::size_t first = 0;  // the right class came first
  std::size_t among5 = 0;
  double seconds = 0;
  double network_seconds = 0;

  double percent(std::size_t count) const {
    return images == 0 ? 0.0 : 100.0 * static_cast<double>(count) / static_cast<double>(images);
  }
};

std::string progress_line(const Score& score, std::size_t total) {
  std::ostringstream line;
  line << std::fixed << std::setprecision(2) << score.images + score.failed << " of " << total
       << " pictures, top-1 " << score.percent(score.first) << " % ";
  return line.str();
}

// Adds one batch, whose pictures' classes begin at `classes`.
void score_batch(const Model& model, const PictureBatch& batch, const int* classes, Score& score,
                 Context& ctx) {
  if (batch.images.n == 0) return;
  const Workspace::Scope scope(ctx.workspace());
  const MapF logits = ctx.workspace().map(batch.images.n, 1, 1, model.backbone().num_classes());
  const auto start = Clock::now();
  model.backbone().logits(batch.images, logits, ctx);
  score.network_seconds += seconds_since(start);
  for (std::size_t i = 0; i < batch.pictures.size(); ++i) {
    const int row = batch.pictures[i].row;
    if (row < 0) continue;
    const auto top = top_predictions({logits.row(row), static_cast<std::size_t>(logits.c)}, {}, 5);
    ++score.images;
    if (top.front().index == classes[i]) ++score.first;
    for (const Prediction& p : top) {
      if (p.index == classes[i]) ++score.among5;
    }
  }
}

Score evaluate(const Model& model, const ImageFolder& folder, const ValidateOptions& options) {
  Context ctx(options.model.threads);
  Progress progress;
  Score score;
  const auto start = Clock::now();  // the reader begins at once
  PictureReader reader(model, folder.files, options.pictures, ctx.threads());
  reserve_workspace(model, reader.batch(), ctx);
  for (PictureBatch batch; reader.next(batch);) {
    const int* classes = folder.classes.data() + score.images + score.failed;
    for (const Picture& picture : batch.pictures) {
      if (picture.error.empty()) continue;
      progress.clear();
      report(picture.error);
      ++score.failed;
    }
    score_batch(model, batch, classes, score, ctx);
    if (progress.due()) progress.show(progress_line(score, folder.files.size()));
  }
  score.seconds = seconds_since(start);
  return score;
}

void print_score(const Score& score, const ImageFolder& folder, bool json) {
  const double rate = static_cast<double>(score.images) / score.seconds;
  if (json) {
    print({{"top1", score.percent(score.first)},
           {"top5", score.percent(score.among5)},
           {"images", score.images},
           {"failed", score.failed},
           {"seconds", score.seconds},
           {"images_per_second", rate},
           {"network_seconds", score.network_seconds},
           {"network_busy", score.network_seconds / score.seconds},
           {"classes", folder.class_names.size()},
           {"classes_by", to_string(folder.by)}});
    return;
  }
  std::ostringstream out;
  out << std::fixed << std::setprecision(2) << "top-1 " << score.percent(score.first)
      << " %, top-5 " << score.percent(score.among5) << " % of " << score.images << " pictures";
  if (score.failed > 0) out << " (" << score.failed << " could not be read)";
  out << std::setprecision(1) << " in " << score.seconds << " s (" << rate
      << " per second; network busy " << std::setprecision(0)
      << 100.0 * score.network_seconds / score.seconds << " %)\n";
  std::cout << out.str();
}

int validate(const ValidateOptions& options) {
  const Model model = load_model(options.model);
  if (model.backbone().num_classes() == 0) {
    throw Error(Error::Kind::argument,
                model.spec().name() + " has no classifier here: there is nothing to validate");
  }
  const ImageFolder folder = list_image_folder(options.data, model);
  if (folder.by == ClassesBy::order &&
      folder.class_names.size() != static_cast<std::size_t>(model.backbone().num_classes())) {
    report("the " + std::to_string(folder.class_names.size()) +
           " class folders bear no labels of the model and are fewer than its " +
           std::to_string(model.backbone().num_classes()) +
           " classes: taking them for the first ones, in sorted order");
  }
  const Score score = evaluate(model, folder, options);
  if (score.images == 0) {
    throw Error(Error::Kind::file, "--data " + options.data + ": none of the " +
                                       std::to_string(score.failed) + " pictures can be read");
  }
  print_score(score, folder, options.model.json);
  return score.failed > 0 ? kBadFile : kOk;
}

}  // namespace

Command add_validate(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("validate", "Top-1 and top-5 accuracy on labelled pictures");
  const auto options = std::make_shared<ValidateOptions>();
  options->pictures.batch = 16;
  add_model_and_options(*sub, options->model);
  sub->add_option("-d,--data", options->data,
                  "Folder with one folder of pictures for each class. Folders are matched with "
                  "the model's labels or ImageNet synsets by name, else taken in sorted order")
      ->required()
      ->type_name("DIR");
  add_picture_options(*sub, options->pictures, /*with_files=*/false);
  sub->footer(
      "Pictures that cannot be read are reported and do not count; the exit code is then 3.\n\n"
      "Examples:\n"
      "  fovea validate --model examples/models/swin --data cifar10-test\n"
      "  fovea validate --model examples/models/swin --data cifar10-test --json --batch 64");
  return {sub, [options] { return validate(*options); }};
}

}  // namespace fovea::tool
