// SPDX-License-Identifier: Apache-2.0
#include "src/io/resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <numeric>
#include <string>

#include "fovea/core/error.h"
#include "src/isa.h"

// Bit-exactness with Pillow fixes the order of every floating-point operation below: where a sum
// could be written more simply, it would round differently.

namespace fovea::detail {
namespace {

using kernels::kResizeFractionBits;
using kernels::kResizeGroup;
using kernels::kResizeLowBits;
using kernels::ResizeTaps;
using kernels::ResizeWeights;

constexpr int kChannels = 3;

double sinc(double x) {
  if (x == 0.0) return 1.0;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double box_kernel(double x) { return x > -0.5 && x <= 0.5 ? 1.0 : 0.0; }

double bilinear_kernel(double x) { return std::max(1.0 - std::abs(x), 0.0); }

double hamming_kernel(double x) {
  x = std::abs(x);
  if (x == 0.0) return 1.0;
  if (x >= 1.0) return 0.0;
  x *= std::numbers::pi;
  // Pillow holds the window's two constants in single precision.
  return std::sin(x) / x * (double{0.54f} + double{0.46f} * std::cos(x));
}

// Keys' cubic convolution with a = -1/2.
double bicubic_kernel(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1.0) return ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0;
  if (x < 2.0) return (((x - 5.0) * x + 8.0) * x - 4.0) * a;
  return 0.0;
}

double lanczos_kernel(double x) { return x >= -3.0 && x < 3.0 ? sinc(x) * sinc(x / 3.0) : 0.0; }

struct Kernel {
  double (*weight)(double);
  double support;  // half the width of the interval where weight is not zero
};

Kernel kernel_of(Filter filter) {
  switch (filter) {
    case Filter::box:
      return {box_kernel, 0.5};
    case Filter::bilinear:
      return {bilinear_kernel, 1.0};
    case Filter::hamming:
      return {hamming_kernel, 1.0};
    case Filter::bicubic:
      return {bicubic_kernel, 2.0};
    case Filter::lanczos:
      return {lanczos_kernel, 3.0};
    case Filter::nearest:
      break;  // picks pixels, has no kernel
  }
  throw Error(Error::Kind::argument, "resize wants a known filter, but found number " +
                                         std::to_string(static_cast<int>(filter)));
}

// Pillow's fixed point.
std::int32_t fixed_weight(double weight) {
  const double fixed = weight * (1 << kResizeFractionBits);
  return static_cast<std::int32_t>(weight < 0 ? fixed - 0.5 : fixed + 0.5);
}

void set_weight(ResizeWeights& group, std::size_t tap, std::int32_t weight) {
  group.low[tap] = static_cast<std::int16_t>(weight & ((1 << kResizeLowBits) - 1));
  group.high[tap] = static_cast<std::int16_t>(weight >> kResizeLowBits);
}

// The input pixel under each output centre. Pillow walks the axis by repeated addition from its
// start, and the rounding of that walk decides ties.
std::vector<int> nearest_positions(int in, int out, int begin, int count) {
  const double scale = static_cast<double>(in) / out;
  double center = scale * 0.5;
  for (int i = 0; i < begin; ++i) center += scale;
  std::vector<int> positions(static_cast<std::size_t>(count));
  for (int& position : positions) {
    position = std::min(static_cast<int>(center), in - 1);
    center += scale;
  }
  return positions;
}

std::vector<int> same_positions(int begin, int count) {
  std::vector<int> positions(static_cast<std::size_t>(count));
  std::iota(positions.begin(), positions.end(), begin);
  return positions;
}

}  // namespace

void ResampledAxis::pick(const std::vector<int>& positions) {
  taps_.reserve(positions.size());
  first_ = positions.front();
  for (const int position : positions) taps_.push_back({position - first_, 1, nullptr});
  end_ = positions.back() + 1;
}

ResampledAxis::ResampledAxis(int in, int out, int begin, int count, Filter filter) {
  // An axis that keeps its size is not filtered: its weights would be 0 and 1.
  if (in == out || filter == Filter::nearest) {
    pick(in == out ? same_positions(begin, count) : nearest_positions(in, out, begin, count));
    return;
  }

  const Kernel kernel = kernel_of(filter);
  const double scale = static_cast<double>(in) / out;
  const double filter_scale = std::max(scale, 1.0);
  const double support = kernel.support * filter_scale;
  const double step = 1.0 / filter_scale;
  std::vector<double> exact;
  for (int position = begin; position < begin + count; ++position) {
    const double center = (position + 0.5) * scale;
    // Adding before truncating, then clamping, is Pillow's rounding, also for negative ends.
    const int first = static_cast<int>(std::max(center - support + 0.5, 0.0));
    const int last = static_cast<int>(std::min(center + support + 0.5, static_cast<double>(in)));
    exact.clear();
    double sum = 0.0;
    for (int x = first; x < last; ++x) {
      exact.push_back(kernel.weight((x - center + 0.5) * step));
      sum += exact.back();
    }
    taps_.push_back({first, last - first, nullptr});
    most_taps_ = std::max(most_taps_, last - first);
    for (std::size_t i = 0; i < exact.size(); ++i) {
      if (i % kResizeGroup == 0) weights_.emplace_back();
      set_weight(weights_.back(), i % kResizeGroup,
                 fixed_weight(sum != 0.0 ? exact[i] / sum : exact[i]));
    }
  }
  first_ = taps_.front().first;
  end_ = taps_.back().first + taps_.back().count;
  const ResizeWeights* next = weights_.data();
  for (ResizeTaps& taps : taps_) {
    taps.first -= first_;
    taps.weights = next;
    next += (taps.count + kResizeGroup - 1) / kResizeGroup;
  }
}

RowResampler::RowResampler(int in_width, int in_height, int width, int height, Filter filter,
                           const Window& window)
    : kernels_(kernels::kernel_table(default_isa())),
      columns_(in_width, width, window.left, window.width, filter),
      rows_(in_height, height, window.top, window.height, filter),
      width_(window.width),
      stride_(std::ptrdiff_t{width_} * kChannels),
      // An output needs most_taps() rows, and may become complete with the first of those fed
      // together.
      ring_rows_((rows_.most_taps() + kRows - 1 + kRows - 1) / kRows * kRows),
      ring_(static_cast<std::size_t>(stride_) * static_cast<std::size_t>(ring_rows_)),
      row_(static_cast<std::size_t>(stride_)),
      taps_(static_cast<std::size_t>(rows_.most_taps())) {}

void RowResampler::filter_columns(const std::uint8_t* const* rows, int count) {
  std::uint8_t* out = held(fed_);
  if (columns_.filtered()) {
    kernels_.resample_columns(rows, count, columns_.taps().data(), width_, out, stride_);
    return;
  }
  for (int row = 0; row < count; ++row) {
    for (const ResizeTaps& taps : columns_.taps()) {
      std::memcpy(out, rows[row] + std::ptrdiff_t{taps.first} * kChannels, kChannels);
      out += kChannels;
    }
  }
}

void RowResampler::filter_rows(const Row& finished) {
  for (; next_ < rows_.taps().size(); ++next_) {
    const ResizeTaps& taps = rows_.taps()[next_];
    if (taps.first + taps.count > fed_) return;
    if (!rows_.filtered()) {
      finished(held(taps.first));
      continue;
    }
    for (int i = 0; i < taps.count; ++i) taps_[static_cast<std::size_t>(i)] = held(taps.first + i);
    kernels_.resample_rows(taps_.data(), taps.count, taps.weights, width_ * kChannels, row_.data());
    finished(row_.data());
  }
}

void RowResampler::feed(const std::uint8_t* const* rows, int count, const Row& finished) {
  while (count > 0) {
    // Up to the end of the ring, or of a group of rows: both stay aligned.
    const int together = std::min(count, kRows - fed_ % kRows);
    filter_columns(rows, together);
    fed_ += together;
    filter_rows(finished);
    rows += together;
    count -= together;
  }
}

void resample(const Image& image, RowResampler& resampler, const RowResampler::Row& finished) {
  const std::size_t stride = static_cast<std::size_t>(image.width) * kChannels;
  const std::size_t first = static_cast<std::size_t>(resampler.columns().first()) * kChannels;
  const std::size_t used = static_cast<std::size_t>(resampler.columns().end()) * kChannels - first;
  const std::size_t readable = used + RowResampler::kOverread;
  // The last rows are copied to where there is something to read behind them.
  std::vector<std::uint8_t> copies;
  const std::uint8_t* rows[RowResampler::kRows];
  const int end = resampler.rows().end();
  for (int y = resampler.rows().first(); y < end; y += RowResampler::kRows) {
    const int count = std::min(RowResampler::kRows, end - y);
    for (int i = 0; i < count; ++i) {
      const std::size_t begin = static_cast<std::size_t>(y + i) * stride + first;
      rows[i] = image.pixels.data() + begin;
      if (begin + readable <= image.pixels.size()) continue;
      if (copies.empty()) copies.resize(RowResampler::kRows * readable);
      std::uint8_t* copy = copies.data() + static_cast<std::size_t>(i) * readable;
      std::memcpy(copy, rows[i], used);
      rows[i] = copy;
    }
    resampler.feed(rows, count, finished);
  }
}

}  // namespace fovea::detail
