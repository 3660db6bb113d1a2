// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "fovea/core/preprocess_config.h"
#include "fovea/io/image.h"
#include "fovea/io/resize.h"
#include "kernels/table.h"

namespace fovea::detail {

// How the outputs of a range along one axis come from its inputs.
class ResampledAxis {
 public:
  // Outputs begin .. begin + count - 1 of an axis resized from `in` to `out` pixels.
  ResampledAxis(int in, int out, int begin, int count, Filter filter);

  // False where every output is one input: its taps have no weights. Taps count from first().
  bool filtered() const { return !weights_.empty(); }
  const std::vector<kernels::ResizeTaps>& taps() const { return taps_; }
  int most_taps() const { return most_taps_; }
  // The inputs first() .. end() - 1 are read, and no others.
  int first() const { return first_; }
  int end() const { return end_; }

 private:
  void pick(const std::vector<int>& positions);

  std::vector<kernels::ResizeTaps> taps_;        // in the order of the outputs, and of the inputs
  std::vector<kernels::ResizeWeights> weights_;  // where the taps point
  int most_taps_ = 1;
  int first_ = 0;
  int end_ = 0;
};

// Resamples a picture that comes row by row, from top to bottom, and holds no more of it than a
// few filtered rows. What it delivers is a window of the resized picture, every byte as Pillow's.
class RowResampler {
 public:
  // Rows that are best fed together.
  static constexpr int kRows = 4;
  // Bytes that may be read behind a row's last pixel.
  static constexpr std::size_t kOverread = kernels::kResizeOverread;

  // From in_width x in_height to width x height pixels, of which `window` is wanted.
  RowResampler(int in_width, int in_height, int width, int height, Filter filter,
               const Window& window);
  RowResampler(const RowResampler&) = delete;
  RowResampler& operator=(const RowResampler&) = delete;

  // The part of the input that matters.
  const ResampledAxis& columns() const { return columns_; }
  const ResampledAxis& rows() const { return rows_; }

  using Row = std::function<void(const std::uint8_t* rgb)>;  // window.width pixels

  // The next `count` rows of the input, of which the first to be fed is rows().first(). Each points
  // to its pixel columns().first() and is readable for kOverread bytes behind pixel
  // columns().end() - 1. `finished` takes every row of the window that is now complete, from top to
  // bottom.
  void feed(const std::uint8_t* const* rows, int count, const Row& finished);

 private:
  void filter_columns(const std::uint8_t* const* rows, int count);
  void filter_rows(const Row& finished);
  std::uint8_t* held(int row) { return ring_.data() + row % ring_rows_ * stride_; }

  const kernels::KernelTable& kernels_;
  ResampledAxis columns_, rows_;
  int width_;                       // of the window
  std::ptrdiff_t stride_;           // of the ring, in bytes
  int ring_rows_;                   // input row y is at (y - rows_.first()) % ring_rows_
  std::vector<std::uint8_t> ring_;  // rows filtered along x
  std::vector<std::uint8_t> row_;   // one filtered along both
  std::vector<const std::uint8_t*> taps_;
  int fed_ = 0;
  std::size_t next_ = 0;  // output row
};

// Feeds all rows that matter of a picture in memory.
void resample(const Image& image, RowResampler& resampler, const RowResampler::Row& finished);

}  // namespace fovea::detail
