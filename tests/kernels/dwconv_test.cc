// SPDX-License-Identifier: Apache-2.0
#include "kernels/dwconv/dwconv.h"

#include "tests/kernels/kernel_test.h"

namespace {

using namespace fovea::test;
using fovea::kernels::Act;
using fovea::kernels::Epilogue;
using fovea::kernels::KernelTable;
using fovea::kernels::Window2d;

Expected naive_tap_sum(const Matrix& x, const Matrix& w, const Window2d& s, int oy, int ox, int j) {
  double sum = 0;
  double magnitude = 0;
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    for (int kx = 0; kx < s.kernel_w; ++kx) {
      const int iy = oy * s.stride_h - s.pad_h + ky * s.dilation_h;
      const int ix = ox * s.stride_w - s.pad_w + kx * s.dilation_w;
      if (iy < 0 || iy >= s.h || ix < 0 || ix >= s.w) continue;
      const double term =
          static_cast<double>(x.at(iy * s.w + ix, j)) * w.at(ky * s.kernel_w + kx, j);
      sum += term;
      magnitude += std::abs(term);
    }
  }
  return {sum, dot_error(s.kernel_h * s.kernel_w, magnitude)};
}

Window2d make_window(int h, int w, int c, int kernel_h, int kernel_w, int stride, int pad_h,
                     int pad_w, int dilation) {
  Window2d s{h, w, c, 0, 0, kernel_h, kernel_w, stride, stride, pad_h, pad_w, dilation, dilation};
  s.out_h = (h + 2 * pad_h - dilation * (kernel_h - 1) - 1) / stride + 1;
  s.out_w = (w + 2 * pad_w - dilation * (kernel_w - 1) - 1) / stride + 1;
  return s;
}

void expect_convolution(const KernelTable& t, const Window2d& s, int bits, Act act,
                        bool residual_is_output) {
  const Matrix x(s.h * s.w, s.c, 3);
  const Matrix w(s.kernel_h * s.kernel_w, s.c, 1);
  const std::ptrdiff_t pixels = static_cast<std::ptrdiff_t>(s.out_h) * s.out_w;
  const EpilogueOperands operands(pixels, s.c);
  const Epilogue e = operands.combination(bits, act);
  Matrix y(pixels, s.c, 2);
  const Matrix before(y);
  Epilogue used = e;
  Epilogue naive = e;
  if (residual_is_output) {
    used.residual = y.data();
    used.ldr = y.ld();
    naive.residual = before.data();
    naive.ldr = before.ld();
  }
  // In two parts, as threads would.
  const int middle = s.out_h / 2;
  t.dwconv(x.data(), x.ld(), w.data(), w.ld(), y.data(), y.ld(), s, middle, s.out_h, used);
  for (std::ptrdiff_t p = 0; p < middle * s.out_w; ++p) {
    for (int j = 0; j < s.c; ++j) ASSERT_EQ(y.at(p, j), before.at(p, j));
  }
  t.dwconv(x.data(), x.ld(), w.data(), w.ld(), y.data(), y.ld(), s, 0, middle, used);
  ASSERT_TRUE(y.canaries_alive());
  for (int oy = 0; oy < s.out_h; ++oy) {
    for (int ox = 0; ox < s.out_w; ++ox) {
      for (int j = 0; j < s.c; ++j) {
        const std::ptrdiff_t p = static_cast<std::ptrdiff_t>(oy) * s.out_w + ox;
        ASSERT_TRUE(
            close_to(y.at(p, j), naive_epilogue(naive_tap_sum(x, w, s, oy, ox, j), naive, p, j)))
            << "kernel " << s.kernel_h << "x" << s.kernel_w << " stride " << s.stride_h << " map "
            << s.h << "x" << s.w << "x" << s.c << " at " << oy << ", " << ox << ", " << j;
      }
    }
  }
}

void check_dwconv(const KernelTable& t) {
  // Kernels that slide.
  for (const auto& [kh, kw] : {std::pair(3, 3), {5, 5}, {7, 7}, {1, 7}}) {
    const auto window = [kh = kh, kw = kw](int h, int w, int c) {
      return make_window(h, w, c, kh, kw, 1, kh / 2, kw / 2, 1);
    };
    for (int w = 1; w <= 2 * 8 + 1; ++w) {
      expect_convolution(t, window(4, w, 1 + w % 9), 0, Act::none, false);
    }
    for (int c = 1; c <= 2 * kMaxLanes + 1; ++c) {
      expect_convolution(t, window(3, 5, c), 1, Act::none, false);
    }
    // More than one strip, no padding, padding beyond the half kernel.
    expect_convolution(t, window(9, 70, 5), 1, Act::relu, false);
    expect_convolution(t, make_window(9, 33, 5, kh, kw, 1, 0, 0, 1), 1, Act::relu, false);
    expect_convolution(t, make_window(2, 3, 5, kh, kw, 1, kh, kw, 1), 1, Act::relu, false);
    for (const Act act : kAllActs) {
      for (int bits = 0; bits < EpilogueOperands::kCombinations; ++bits) {
        expect_convolution(t, window(5, 9, 19), bits, act, false);
      }
      expect_convolution(t, window(5, 9, 19), 7, act, true);
    }
  }
  for (const int stride : {1, 2, 3}) {
    for (const int dilation : {1, 2}) {
      for (int c = 1; c <= 4 * kMaxLanes + 1; c += 5) {
        expect_convolution(t, make_window(8, 9, c, 3, 3, stride, 1, 1, dilation), 1, Act::none,
                           false);
        expect_convolution(t, make_window(8, 9, c, 2, 5, stride, 1, 2, dilation), 7, Act::gelu,
                           true);
      }
    }
  }
  expect_convolution(t, make_window(13, 12, 7, 11, 11, 1, 5, 5, 1), 1, Act::none, false);
  expect_convolution(t, make_window(3, 21, 7, 1, 21, 1, 0, 10, 1), 1, Act::none, false);
}

#define FOVEA_KERNEL FOVEA_KERNEL_TEST
#include "kernels/dwconv/kernels.inc"

}  // namespace
