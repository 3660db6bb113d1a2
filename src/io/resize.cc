// SPDX-License-Identifier: Apache-2.0
#include "fovea/io/resize.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <numbers>
#include <string>
#include <vector>

#include "fovea/core/error.h"

// Bit-exactness with Pillow fixes the order of every floating-point operation below: where a sum
// could be written more simply, it would round differently.

namespace fovea {
namespace {

constexpr int kChannels = 3;

// 32 bits less 8 for the pixel and 2 for kernels with negative lobes, whose partial sums leave [0,
// 1].
constexpr int kFractionBits = 32 - 8 - 2;

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

// One output position along an axis: out = sum of weights[offset + i] * in[first + i], i < count.
struct Taps {
  int first = 0;
  int count = 0;
  std::size_t offset = 0;
};

struct Coefficients {
  std::vector<Taps> taps;
  std::vector<std::int32_t> weights;  // fixed point, kFractionBits
};

// For output positions begin .. begin + count - 1 of an axis resized from `in` to `out` pixels.
Coefficients make_coefficients(int in, int out, int begin, int count, const Kernel& kernel) {
  const double scale = static_cast<double>(in) / out;
  const double filter_scale = std::max(scale, 1.0);
  const double support = kernel.support * filter_scale;
  const double step = 1.0 / filter_scale;

  Coefficients result;
  result.taps.reserve(static_cast<std::size_t>(count));
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
    result.taps.push_back({first, last - first, result.weights.size()});
    for (double weight : exact) {
      if (sum != 0.0) weight /= sum;
      const double fixed = weight * (1 << kFractionBits);
      result.weights.push_back(static_cast<std::int32_t>(weight < 0 ? fixed - 0.5 : fixed + 0.5));
    }
  }
  return result;
}

std::uint8_t to_pixel(std::int32_t sum) {
  return static_cast<std::uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
}

constexpr std::int32_t kHalf = 1 << (kFractionBits - 1);

// Convolves `rows` rows along x. in: (rows, *, 3), rows in_stride bytes apart; out: (rows, taps,
// 3).
void resample_columns(const std::uint8_t* in, std::ptrdiff_t in_stride, int rows,
                      const Coefficients& columns, std::uint8_t* out) {
  for (int y = 0; y < rows; ++y, in += in_stride) {
    for (const Taps& taps : columns.taps) {
      const std::uint8_t* pixel = in + std::ptrdiff_t{taps.first} * kChannels;
      const std::int32_t* weight = columns.weights.data() + taps.offset;
      std::int32_t r = kHalf, g = kHalf, b = kHalf;
      for (int i = 0; i < taps.count; ++i, pixel += kChannels) {
        r += pixel[0] * weight[i];
        g += pixel[1] * weight[i];
        b += pixel[2] * weight[i];
      }
      *out++ = to_pixel(r);
      *out++ = to_pixel(g);
      *out++ = to_pixel(b);
    }
  }
}

// Convolves along y. in: rows of `n` bytes, in_stride apart, of which the first has number
// first_row on the axis the taps count on; out: (taps, n).
void resample_rows(const std::uint8_t* in, std::ptrdiff_t in_stride, int first_row, std::size_t n,
                   const Coefficients& rows, std::uint8_t* out) {
  std::vector<std::int32_t> sums(n);
  for (const Taps& taps : rows.taps) {
    std::fill(sums.begin(), sums.end(), kHalf);
    const std::uint8_t* row = in + (taps.first - first_row) * in_stride;
    for (int i = 0; i < taps.count; ++i, row += in_stride) {
      const std::int32_t weight = rows.weights[taps.offset + static_cast<std::size_t>(i)];
      std::int32_t* sum = sums.data();
      for (std::size_t k = 0; k < n; ++k) sum[k] += row[k] * weight;
    }
    for (std::size_t k = 0; k < n; ++k) out[k] = to_pixel(sums[k]);
    out += n;
  }
}

std::ptrdiff_t stride_of(const Image& image) { return std::ptrdiff_t{image.width} * kChannels; }

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

Image resize_nearest(const Image& image, int width, int height, const Window& window) {
  const std::vector<int> columns = nearest_positions(image.width, width, window.left, window.width);
  const std::vector<int> rows = nearest_positions(image.height, height, window.top, window.height);
  Image result = make_image(window.width, window.height);
  std::uint8_t* out = result.pixels.data();
  for (const int y : rows) {
    const std::uint8_t* row = image.pixels.data() + y * stride_of(image);
    for (const int x : columns) {
      std::memcpy(out, row + std::ptrdiff_t{x} * kChannels, kChannels);
      out += kChannels;
    }
  }
  return result;
}

Image crop(const Image& image, const Window& window) {
  Image result = make_image(window.width, window.height);
  for (int y = 0; y < window.height; ++y) {
    std::memcpy(result.pixels.data() + y * stride_of(result),
                image.pixels.data() + (window.top + y) * stride_of(image) +
                    std::ptrdiff_t{window.left} * kChannels,
                static_cast<std::size_t>(stride_of(result)));
  }
  return result;
}

Image resize_separable(const Image& image, int width, int height, Filter filter,
                       const Window& window) {
  const Kernel kernel = kernel_of(filter);
  const Coefficients rows =
      make_coefficients(image.height, height, window.top, window.height, kernel);
  // The first pass skips the rows that the second will not read.
  const int first_row = rows.taps.front().first;
  const int row_count = rows.taps.back().first + rows.taps.back().count - first_row;
  const bool vertical = height != image.height;

  // An axis that keeps its size is not filtered: its coefficients would be 0 and 1.
  Image wide;
  if (width == image.width) {
    wide = crop(image, {window.left, first_row, window.width, row_count});
  } else {
    const Coefficients columns =
        make_coefficients(image.width, width, window.left, window.width, kernel);
    wide = make_image(window.width, row_count);
    resample_columns(image.pixels.data() + first_row * stride_of(image), stride_of(image),
                     row_count, columns, wide.pixels.data());
  }
  if (!vertical) return crop(wide, {0, window.top - first_row, window.width, window.height});

  Image result = make_image(window.width, window.height);
  resample_rows(wide.pixels.data(), stride_of(wide), first_row,
                static_cast<std::size_t>(stride_of(wide)), rows, result.pixels.data());
  return result;
}

}  // namespace

Image resize_window(const Image& image, int width, int height, Filter filter,
                    const Window& window) {
  check_image(image);
  if (width < 1 || height < 1) {
    throw Error(Error::Kind::argument, "resize wants a width and height of at least 1, but found " +
                                           std::to_string(width) + " x " + std::to_string(height));
  }
  if (window.left < 0 || window.top < 0 || window.width < 1 || window.height < 1 ||
      window.left > width - window.width || window.top > height - window.height) {
    throw Error(Error::Kind::argument,
                "resize wants a window inside " + std::to_string(width) + " x " +
                    std::to_string(height) + ", but found " + std::to_string(window.width) + " x " +
                    std::to_string(window.height) + " at (" + std::to_string(window.left) + ", " +
                    std::to_string(window.top) + ")");
  }
  if (width == image.width && height == image.height) return crop(image, window);
  if (filter == Filter::nearest) return resize_nearest(image, width, height, window);
  return resize_separable(image, width, height, filter, window);
}

Image resize(const Image& image, int width, int height, Filter filter) {
  return resize_window(image, width, height, filter, {0, 0, width, height});
}

}  // namespace fovea
