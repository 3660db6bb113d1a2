// SPDX-License-Identifier: Apache-2.0
#include "fovea/io/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>

#include "fovea/core/error.h"
#include "src/io/resample.h"

namespace fovea {
namespace {

constexpr int kChannels = 3;

// Python's round(): halves go to the even neighbour.
double round_half_even(double value) {
  const double below = std::floor(value);
  const double fraction = value - below;
  const bool up = fraction > 0.5 || (fraction == 0.5 && std::fmod(below, 2.0) != 0.0);
  return up ? below + 1.0 : below;
}

// The resized picture, of which only the centre will be computed, and how to do it.
struct Plan {
  int width = 0;
  int height = 0;
  Filter filter = Filter::bicubic;
};

int to_edge(double pixels, const Image& image) {
  if (!(pixels >= 1.0 && pixels <= std::numeric_limits<int>::max())) {
    throw Error(Error::Kind::argument,
                "preprocessing cannot resize a picture of " + std::to_string(image.width) + " x " +
                    std::to_string(image.height) + " pixels: an edge would become " +
                    std::to_string(pixels) + " pixels long");
  }
  return static_cast<int>(pixels);
}

// Keeps the aspect ratio, so that one edge of the picture gets its target and the other one rounds.
Plan keep_ratio(const Image& image, double ratio, Filter filter) {
  return {to_edge(round_half_even(image.width / ratio), image),
          to_edge(round_half_even(image.height / ratio), image), filter};
}

Plan make_plan(const Image& image, const PreprocessConfig& config) {
  const double target_width = to_edge(std::floor(config.width / config.crop_pct), image);
  const double target_height = to_edge(std::floor(config.height / config.crop_pct), image);
  const double ratio_width = image.width / target_width;
  const double ratio_height = image.height / target_height;
  switch (config.crop_mode) {
    case CropMode::squash:
      return {to_edge(target_width, image), to_edge(target_height, image), config.interpolation};
    case CropMode::border:
      return keep_ratio(image, std::max(ratio_width, ratio_height), config.interpolation);
    case CropMode::center:
      break;
  }
  if (target_width != target_height) {
    // timm does not pass its interpolation on here, and the default of that class is bilinear.
    return keep_ratio(image, std::min(ratio_width, ratio_height), Filter::bilinear);
  }
  // torchvision truncates the longer edge where timm's own class rounds it.
  const int shorter = std::min(image.width, image.height);
  const auto scaled = [&](int edge) {
    return edge == shorter ? to_edge(target_width, image)
                           : to_edge(std::trunc(target_width * edge / shorter), image);
  };
  return {scaled(image.width), scaled(image.height), config.interpolation};
}

// Where the centre crop reads and writes along one axis.
struct Span {
  int source = 0;  // first pixel taken of the resized picture
  int target = 0;  // where it goes in the output
  int count = 0;
};

Span center_span(int resized, int wanted) {
  if (wanted > resized) return {0, (wanted - resized) / 2, resized};
  return {static_cast<int>(round_half_even((resized - wanted) / 2.0)), 0, wanted};
}

// All 256 results per channel, so that the division happens 768 times and not per pixel.
using NormalizedValues = std::array<std::array<float, 256>, kChannels>;

NormalizedValues normalized_values(const PreprocessConfig& config) {
  NormalizedValues values{};
  for (std::size_t c = 0; c < kChannels; ++c) {
    for (std::size_t pixel = 0; pixel < 256; ++pixel) {
      const float unit = static_cast<float>(pixel) / 255.0f;
      values[c][pixel] = (unit - config.mean[c]) / config.std[c];
    }
  }
  return values;
}

// The pixel that stands outside the picture.
std::array<std::uint8_t, kChannels> fill_pixel(const PreprocessConfig& config) {
  std::array<std::uint8_t, kChannels> fill{};
  if (config.crop_mode != CropMode::border) return fill;
  for (std::size_t c = 0; c < kChannels; ++c) {
    const double level = round_half_even(255.0 * double{config.mean[c]});
    fill[c] = static_cast<std::uint8_t>(std::clamp(level, 0.0, 255.0));
  }
  return fill;
}

// Writes the output's rows from top to bottom: what is fed stands at columns.target, everything
// else is the fill pixel.
class NormalizedRows {
 public:
  NormalizedRows(const PreprocessConfig& config, const Span& columns, float* out)
      : values_(normalized_values(config)), columns_(columns), width_(config.width), out_(out) {
    const std::array<std::uint8_t, kChannels> fill = fill_pixel(config);
    for (std::size_t c = 0; c < kChannels; ++c) fill_[c] = values_[c][fill[c]];
  }

  void fill_rows(int count) {
    for (int y = 0; y < count; ++y) fill_pixels(width_);
  }
  void row(const std::uint8_t* rgb) {
    fill_pixels(columns_.target);
    float* out = out_;
    for (int x = 0; x < columns_.count; ++x, rgb += kChannels, out += kChannels) {
      for (std::size_t c = 0; c < kChannels; ++c) out[c] = values_[c][rgb[c]];
    }
    out_ = out;
    fill_pixels(width_ - columns_.target - columns_.count);
  }

 private:
  void fill_pixels(int count) {
    for (int x = 0; x < count; ++x) out_ = std::copy(fill_.begin(), fill_.end(), out_);
  }

  NormalizedValues values_;
  std::array<float, kChannels> fill_{};
  Span columns_;
  int width_;
  float* out_;
};

}  // namespace

void preprocess(const Image& image, const PreprocessConfig& config, float* nhwc_out) {
  validate(config);
  check_image(image);
  const Plan plan = make_plan(image, config);
  const Span columns = center_span(plan.width, config.width);
  const Span rows = center_span(plan.height, config.height);
  detail::RowResampler resampler(image.width, image.height, plan.width, plan.height, plan.filter,
                                 {columns.source, rows.source, columns.count, rows.count});

  NormalizedRows out(config, columns, nhwc_out);
  out.fill_rows(rows.target);
  detail::resample(image, resampler, [&](const std::uint8_t* row) { out.row(row); });
  out.fill_rows(config.height - rows.target - rows.count);
}

}  // namespace fovea
