// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <span>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "common.h"
#include "fovea/core/buffer.h"
#include "fovea/core/context.h"
#include "fovea/io/image.h"
#include "fovea/model.h"

namespace fovea::tool {

struct PictureOptions {
  std::vector<std::string> files;
  int batch = 1;
  bool no_exif = false;
  bool fast_decode = false;
  std::int64_t max_pixels = ImageOptions{}.max_pixels;

  ImageOptions decoding() const {
    ImageOptions options;
    options.apply_exif_orientation = !no_exif;
    options.fast_decode = fast_decode;
    options.max_pixels = max_pixels;
    return options;
  }
};

// --batch (default as given in `options`), --no-exif, --fast-decode and --max-pixels; with_files:
// the positional pictures too.
void add_picture_options(CLI::App& app, PictureOptions& options, bool with_files = true);

// What became of one file.
struct Picture {
  std::string file;
  std::string error;        // "" when it could be read
  double milliseconds = 0;  // of decoding and preprocessing
  int row = -1;             // its image in PictureBatch::images, -1 after an error
};

struct PictureBatch {
  std::vector<Picture> pictures;  // in the order of the files, bad ones included
  CMapF images;                   // the good ones: (n, h, w, 3), n may be 0
};

// Decodes and prepares files, a batch at a time and one batch ahead: while the caller computes one,
// other threads read the next. A bad file takes nothing but itself down.
class PictureReader {
 public:
  // `model` and `files` must outlive the reader. `threads` read, of which the caller is one while
  // it waits for a batch; with 1 there are no others, and nothing is read ahead.
  PictureReader(const Model& model, std::span<const std::string> files,
                const PictureOptions& options, int threads);

  // Pictures in a full batch.
  int batch() const { return static_cast<int>(batch_); }

  // The next batch; false after the last one. A batch is valid until the next call.
  bool next(PictureBatch& batch);

 private:
  // The batch that the caller has and the one after it, in turns.
  static constexpr std::size_t kBatches = 2;
  struct Slot {
    std::vector<Picture> pictures;  // of a whole batch, or of what is left
    FloatBuffer pixels;             // (batch, h, w, 3)
    std::size_t done = 0;           // pictures that were read
  };

  std::size_t count_of(std::size_t number) const;  // pictures of a batch
  Slot& slot(std::size_t number) { return slots_[number % kBatches]; }
  void start(std::size_t number);
  // Is there a file of the batches before `end` that nobody has taken?
  bool some_left(std::size_t end) const;
  void read_one(std::unique_lock<std::mutex>& lock);
  void read(Picture& picture, float* pixels) const;
  void read_ahead(const std::stop_token& stop);
  void close_gaps(Slot& slot, PictureBatch& batch) const;

  const Model& model_;
  std::span<const std::string> files_;
  ImageOptions decoding_;
  std::size_t batch_;
  std::size_t stride_;         // floats of one picture
  std::size_t delivered_ = 0;  // batches, of which the last one is the caller's

  std::mutex mutex_;  // of everything below
  std::condition_variable_any changed_;
  std::array<Slot, kBatches> slots_;
  std::size_t started_ = 0;            // batches that have a slot
  std::size_t taken_ = 0;              // files that somebody reads or has read
  std::vector<std::jthread> readers_;  // last: they use all of the above
};

// Grows the workspace of `ctx` to what a batch of n will need, so that the first one is not slower
// than the others. Throws Error(argument) for a size that the network cannot take.
void reserve_workspace(const Model& model, int n, Context& ctx);

}  // namespace fovea::tool
