// SPDX-License-Identifier: Apache-2.0
#include "pictures.h"

#include <algorithm>
#include <chrono>
#include <exception>

#include "fovea/core/error.h"
#include "fovea/io/preprocess.h"

namespace fovea::tool {

void add_picture_options(CLI::App& app, PictureOptions& options, bool with_files) {
  if (with_files) {
    app.add_option("files", options.files, "Pictures (JPEG or PNG)")->required()->type_name("FILE");
  }
  app.add_option("--batch", options.batch, "Pictures computed together")
      ->check(whole_number(1, 4096))
      ->type_name("N")
      ->capture_default_str();
  app.add_flag("--no-exif", options.no_exif, "Ignore the EXIF orientation of pictures");
}

PictureReader::PictureReader(const Model& model, std::span<const std::string> files,
                             const PictureOptions& options)
    : model_(model),
      files_(files),
      decoding_(options.decoding()),
      batch_(std::min(static_cast<std::size_t>(options.batch), files.size())),
      pixels_(batch_ * model.preprocess_config().height * model.preprocess_config().width * 3) {}

void PictureReader::read(Picture& picture, float* pixels) const {
  const auto start = std::chrono::steady_clock::now();
  try {
    preprocess(read_image(picture.file, decoding_), model_.preprocess_config(), pixels);
  } catch (const std::exception& error) {
    picture.error = error.what();
    // Messages of the decoder begin with the path, those of the transform know none.
    if (picture.error.find(picture.file) == std::string::npos) {
      picture.error = picture.file + ": " + picture.error;
    }
  }
  const std::chrono::duration<double, std::milli> spent = std::chrono::steady_clock::now() - start;
  picture.milliseconds = spent.count();
}

bool PictureReader::next(PictureBatch& batch, const Context& ctx) {
  if (next_ == files_.size()) return false;
  const std::size_t count = std::min(batch_, files_.size() - next_);
  const int h = model_.preprocess_config().height;
  const int w = model_.preprocess_config().width;
  const std::size_t stride = static_cast<std::size_t>(h) * w * 3;

  batch.pictures.assign(count, {});
  for (std::size_t i = 0; i < count; ++i) batch.pictures[i].file = files_[next_ + i];
  ctx.pool().parallel_for(static_cast<std::ptrdiff_t>(count), [&](std::ptrdiff_t i, int) {
    read(batch.pictures[static_cast<std::size_t>(i)], pixels_.data() + i * stride);
  });
  next_ += count;

  // Close the gaps that bad ones left.
  int good = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!batch.pictures[i].error.empty()) continue;
    if (static_cast<std::size_t>(good) != i) {
      std::copy_n(pixels_.data() + i * stride, stride, pixels_.data() + good * stride);
    }
    batch.pictures[i].row = good++;
  }
  batch.images = CMapF(pixels_.data(), good, h, w, 3);
  return true;
}

void reserve_workspace(const Model& model, int n, Context& ctx) {
  ctx.set_dry_run(true);
  {
    const Workspace::Scope scope(ctx.workspace());
    const PreprocessConfig& config = model.preprocess_config();
    const MapF y = ctx.workspace().map(n, 1, 1, model.backbone().num_outputs());
    const MapF x = ctx.workspace().map(n, config.height, config.width, 3);
    model.backbone().logits(x, y, ctx);
  }
  ctx.set_dry_run(false);
}

}  // namespace fovea::tool
