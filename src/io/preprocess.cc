// SPDX-License-Identifier: Apache-2.0
#include "fovea/io/preprocess.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "fovea/core/error.h"
#include "fovea/models/model_args.h"
#include "src/io/decoders.h"
#include "src/io/file_bytes.h"
#include "src/io/resample.h"
#ifdef FOVEA_WITH_LIBJPEG
#include "src/io/jpeg_rows.h"
#endif

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

int to_edge(double pixels, Size2d picture) {
  if (!(pixels >= 1.0 && pixels <= std::numeric_limits<int>::max())) {
    throw Error(Error::Kind::argument,
                "preprocessing cannot resize a picture of " + std::to_string(picture.w) + " x " +
                    std::to_string(picture.h) + " pixels: an edge would become " +
                    std::to_string(pixels) + " pixels long");
  }
  return static_cast<int>(pixels);
}

// Keeps the aspect ratio, so that one edge of the picture gets its target and the other one rounds.
Plan keep_ratio(Size2d picture, double ratio, Filter filter) {
  return {to_edge(round_half_even(picture.w / ratio), picture),
          to_edge(round_half_even(picture.h / ratio), picture), filter};
}

Plan make_plan(Size2d picture, const PreprocessConfig& config) {
  const double target_width = to_edge(std::floor(config.width / config.crop_pct), picture);
  const double target_height = to_edge(std::floor(config.height / config.crop_pct), picture);
  const double ratio_width = picture.w / target_width;
  const double ratio_height = picture.h / target_height;
  switch (config.crop_mode) {
    case CropMode::squash:
      return {to_edge(target_width, picture), to_edge(target_height, picture),
              config.interpolation};
    case CropMode::border:
      return keep_ratio(picture, std::max(ratio_width, ratio_height), config.interpolation);
    case CropMode::center:
      break;
  }
  if (target_width != target_height) {
    // timm does not pass its interpolation on here, and the default of that class is bilinear.
    return keep_ratio(picture, std::min(ratio_width, ratio_height), Filter::bilinear);
  }
  // torchvision truncates the longer edge where timm's own class rounds it.
  const int shorter = std::min(picture.w, picture.h);
  const auto scaled = [&](int edge) {
    return edge == shorter ? to_edge(target_width, picture)
                           : to_edge(std::trunc(target_width * edge / shorter), picture);
  };
  return {scaled(picture.w), scaled(picture.h), config.interpolation};
}

// Where the centre crop reads and writes along one axis.
struct Span {
  int source = 0;  // first pixel taken of the resized picture
  int target = 0;  // where it goes in the output
  int count = 0;
};

Span center_span(int resized, int wanted, bool rounds_down) {
  if (wanted > resized) return {0, (wanted - resized) / 2, resized};
  if (rounds_down) return {(resized - wanted) / 2, 0, wanted};
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

// One picture's way: where its rows go in, and where they come out.
class Transform {
 public:
  Transform(Size2d picture, const PreprocessConfig& config, float* nhwc_out)
      : plan_(make_plan(picture, config)),
        columns_(center_span(plan_.width, config.width, config.crop_rounds_down)),
        rows_(center_span(plan_.height, config.height, config.crop_rounds_down)),
        below_(config.height - rows_.target - rows_.count),
        resampler_(picture.w, picture.h, plan_.width, plan_.height, plan_.filter,
                   {columns_.source, rows_.source, columns_.count, rows_.count}),
        out_(config, columns_, nhwc_out) {}

  // feed(resampler, finished) feeds all rows that the resampler wants.
  template <class Feed>
  void run(const Feed& feed) {
    out_.fill_rows(rows_.target);
    feed(resampler_, [this](const std::uint8_t* row) { out_.row(row); });
    out_.fill_rows(below_);
  }

 private:
  Plan plan_;
  Span columns_, rows_;
  int below_;
  detail::RowResampler resampler_;
  NormalizedRows out_;
};

#ifdef FOVEA_WITH_LIBJPEG
using detail::RowResampler;

// Rows go from the decoder into the resampler while they are in the cache.
void feed_jpeg(detail::JpegRows& jpeg, RowResampler& resampler, const RowResampler::Row& finished) {
  jpeg.keep_columns(resampler.columns().first(), resampler.columns().end());
  const std::size_t stride =
      static_cast<std::size_t>(jpeg.column_count()) * kChannels + RowResampler::kOverread;
  std::vector<std::uint8_t> buffer(RowResampler::kRows * stride);
  std::uint8_t* rows[RowResampler::kRows];
  const std::uint8_t* wanted[RowResampler::kRows];
  for (std::size_t i = 0; i < RowResampler::kRows; ++i) {
    rows[i] = buffer.data() + i * stride;
    wanted[i] = rows[i] + (resampler.columns().first() - jpeg.first_column()) * kChannels;
  }
  const int first = resampler.rows().first();
  const int end = resampler.rows().end();
  for (int y = 0; y < jpeg.height();) {
    const int stop = y < first ? first : y < end ? end : jpeg.height();
    const int count = std::min(RowResampler::kRows, stop - y);
    jpeg.read(rows, count);
    if (y >= first && y < end) resampler.feed(wanted, count, finished);
    y += count;
  }
  jpeg.finish();
}

void preprocess_jpeg(detail::Bytes file, const PreprocessConfig& config, float* nhwc_out,
                     ImageOptions options, std::string_view name) {
  const detail::EncodedImage encoded{file, name, options.max_pixels};
  detail::JpegRows jpeg(encoded);
  const int orientation = options.apply_exif_orientation
                              ? detail::exif_orientation(detail::outline_jpeg(file).exif)
                              : 1;
  if (options.fast_decode) {
    const bool swapped = orientation >= 5;  // width and height, when the picture is turned
    const Plan plan = make_plan(
        swapped ? Size2d{jpeg.width(), jpeg.height()} : Size2d{jpeg.height(), jpeg.width()},
        config);
    options.least_width = plan.width;
    options.least_height = plan.height;
  }
  if (orientation != 1) {
    preprocess(decode_image(file, options, name), config, nhwc_out);
    return;
  }
  if (options.fast_decode) jpeg.scale_down(options.least_width, options.least_height);
  Transform({jpeg.height(), jpeg.width()}, config, nhwc_out)
      .run([&](auto& resampler, const auto& finished) { feed_jpeg(jpeg, resampler, finished); });
}
#endif

}  // namespace

void preprocess(const Image& image, const PreprocessConfig& config, float* nhwc_out) {
  validate(config);
  check_image(image);
  Transform({image.height, image.width}, config, nhwc_out)
      .run([&](auto& resampler, const auto& finished) {
        detail::resample(image, resampler, finished);
      });
}

void decode_and_preprocess(std::span<const std::byte> file, const PreprocessConfig& config,
                           float* nhwc_out, const ImageOptions& options, std::string_view name) {
  validate(config);
#ifdef FOVEA_WITH_LIBJPEG
  if (detail::is_jpeg(file)) {
    preprocess_jpeg(file, config, nhwc_out, options, name);
    return;
  }
#endif
  preprocess(decode_image(file, options, name), config, nhwc_out);
}

void read_and_preprocess(const std::filesystem::path& path, const PreprocessConfig& config,
                         float* nhwc_out, const ImageOptions& options) {
  decode_and_preprocess(open_file(path, FileAccess::read).bytes, config, nhwc_out, options,
                        path.string());
}

}  // namespace fovea
