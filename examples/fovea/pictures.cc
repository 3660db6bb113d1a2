// SPDX-License-Identifier: Apache-2.0
#include "pictures.h"

#include <algorithm>
#include <chrono>
#include <exception>
#include <limits>
#include <utility>

#include "fovea/core/error.h"
#include "fovea/io/preprocess.h"

namespace fovea::tool {

void add_picture_options(CLI::App& app, PictureOptions& options, bool with_files) {
  if (with_files) {
    app.add_option("files", options.files, "Pictures (JPEG, PNG, WebP, BMP, PNM)")
        ->required()
        ->type_name("FILE");
  }
  app.add_option("--batch", options.batch, "Pictures of one forward")
      ->check(whole_number(1, 4096))
      ->type_name("N")
      ->capture_default_str();
  app.add_flag("--no-exif", options.no_exif, "Ignore the EXIF orientation of pictures");
  app.add_flag("--fast-decode", options.fast_decode,
               "Decode large JPEG files at 1/2, 1/4 or 1/8 of their size; changes pixels a little");
  app.add_option("--max-pixels", options.max_pixels,
                 "Refuse pictures of more pixels, before memory is taken for them")
      ->check(whole_number(1, std::numeric_limits<int>::max()))
      ->type_name("N")
      ->capture_default_str();
}

PictureReader::PictureReader(const Model& model, std::span<const std::string> files,
                             const PictureOptions& options, int threads)
    : model_(model),
      files_(files),
      decoding_(options.decoding()),
      batch_(std::min(static_cast<std::size_t>(options.batch), files.size())),
      stride_(static_cast<std::size_t>(model.preprocess_config().height) *
              static_cast<std::size_t>(model.preprocess_config().width) * 3) {
  if (files.empty()) return;
  start(0);
  const std::size_t ahead = std::min(static_cast<std::size_t>(threads), files.size()) - 1;
  if (ahead > 0 && batch_ < files.size()) start(1);
  for (std::size_t i = 0; i < ahead; ++i) {
    readers_.emplace_back([this](const std::stop_token& stop) { read_ahead(stop); });
  }
}

std::size_t PictureReader::count_of(std::size_t number) const {
  return std::min(batch_, files_.size() - number * batch_);
}

void PictureReader::start(std::size_t number) {
  Slot& next = slot(number);
  if (next.pixels.empty()) next.pixels = FloatBuffer(batch_ * stride_);
  next.pictures.assign(count_of(number), {});
  for (std::size_t i = 0; i < next.pictures.size(); ++i) {
    next.pictures[i].file = files_[number * batch_ + i];
  }
  next.done = 0;
  started_ = number + 1;
}

bool PictureReader::some_left(std::size_t end) const {
  return taken_ < std::min(end * batch_, files_.size());
}

// Called with the lock, which it gives up while it reads.
void PictureReader::read_one(std::unique_lock<std::mutex>& lock) {
  const std::size_t file = taken_++;
  Slot& mine = slot(file / batch_);
  const std::size_t i = file % batch_;
  lock.unlock();
  read(mine.pictures[i], mine.pixels.data() + i * stride_);
  lock.lock();
  if (++mine.done == mine.pictures.size()) changed_.notify_all();
}

void PictureReader::read_ahead(const std::stop_token& stop) {
  std::unique_lock<std::mutex> lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return some_left(started_); })) {
    if (stop.stop_requested()) return;
    read_one(lock);
  }
}

void PictureReader::read(Picture& picture, float* pixels) const {
  const auto start = std::chrono::steady_clock::now();
  try {
    read_and_preprocess(picture.file, model_.preprocess_config(), pixels, decoding_);
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

bool PictureReader::next(PictureBatch& batch) {
  if (delivered_ * batch_ >= files_.size()) return false;
  std::unique_lock<std::mutex> lock(mutex_);
  // The batch that the caller had makes room for another one.
  const std::size_t wanted = delivered_++;
  const std::size_t end = readers_.empty() ? wanted + 1 : wanted + kBatches;
  while (started_ < end && started_ * batch_ < files_.size()) start(started_);
  changed_.notify_all();
  Slot& mine = slot(wanted);
  while (some_left(wanted + 1)) read_one(lock);
  changed_.wait(lock, [&mine] { return mine.done == mine.pictures.size(); });
  lock.unlock();
  close_gaps(mine, batch);
  return true;
}

// Bad pictures have no row.
void PictureReader::close_gaps(Slot& from, PictureBatch& batch) const {
  int good = 0;
  for (std::size_t i = 0; i < from.pictures.size(); ++i) {
    if (!from.pictures[i].error.empty()) continue;
    float* const row = from.pixels.data() + static_cast<std::size_t>(good) * stride_;
    const float* const pixels = from.pixels.data() + i * stride_;
    if (row != pixels) std::copy_n(pixels, stride_, row);
    from.pictures[i].row = good++;
  }
  batch.pictures = std::move(from.pictures);
  const PreprocessConfig& config = model_.preprocess_config();
  batch.images = CMapF(from.pixels.data(), good, config.height, config.width, 3);
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
