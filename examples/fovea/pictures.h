// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
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

  ImageOptions decoding() const {
    ImageOptions options;
    options.apply_exif_orientation = !no_exif;
    return options;
  }
};

// --batch (default as given in `options`) and --no-exif; with_files: the positional pictures too.
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

// Decodes and prepares files, a batch at a time, on all threads of a context. A bad file takes
// nothing but itself down.
class PictureReader {
 public:
  // `model` and `files` must outlive the reader.
  PictureReader(const Model& model, std::span<const std::string> files,
                const PictureOptions& options);

  // Pictures in a full batch.
  int batch() const { return static_cast<int>(batch_); }

  // The next batch; false after the last one. A batch is valid until the next call.
  bool next(PictureBatch& batch, const Context& ctx);

 private:
  void read(Picture& picture, float* pixels) const;

  const Model& model_;
  std::span<const std::string> files_;
  ImageOptions decoding_;
  std::size_t batch_;
  FloatBuffer pixels_;  // (batch, h, w, 3)
  std::size_t next_ = 0;
};

// Grows the workspace of `ctx` to what a batch of n will need, so that the first one is not slower
// than the others. Throws Error(argument) for a size that the network cannot take.
void reserve_workspace(const Model& model, int n, Context& ctx);

}  // namespace fovea::tool
