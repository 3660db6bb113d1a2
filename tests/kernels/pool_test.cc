// SPDX-License-Identifier: Apache-2.0
#include "kernels/pool/pool.h"

#include <limits>

#include "tests/kernels/kernel_test.h"

namespace {

using namespace fovea::test;
using fovea::kernels::Act;
using fovea::kernels::Epilogue;
using fovea::kernels::KernelTable;
using fovea::kernels::Window2d;

struct WindowStatistics {
  double sum = 0, magnitude = 0, largest = -std::numeric_limits<double>::infinity();
  int count = 0;
};
WindowStatistics naive_window(const Matrix& x, const Window2d& s, int oy, int ox, int j) {
  WindowStatistics r;
  for (int ky = 0; ky < s.kernel_h; ++ky) {
    for (int kx = 0; kx < s.kernel_w; ++kx) {
      const int iy = oy * s.stride_h - s.pad_h + ky;
      const int ix = ox * s.stride_w - s.pad_w + kx;
      if (iy < 0 || iy >= s.h || ix < 0 || ix >= s.w) continue;
      const double v = x.at(iy * s.w + ix, j);
      r.sum += v;
      r.magnitude += std::abs(v);
      r.largest = std::max(r.largest, v);
      ++r.count;
    }
  }
  return r;
}

// f(x, window) for the shapes that the kernels meet, and for every number of channels around a
// vector.
template <class F>
void for_windows(const F& f) {
  for (const int k : {1, 2, 3, 4, 7}) {
    for (const int stride : {1, 2, 3}) {
      for (const int pad : {0, k / 2}) {
        for (int c = 1; c <= 4 * kMaxLanes + 1; c += (k == 3 && stride == 2) ? 1 : 13) {
          Window2d s{9, 7, c, 0, 0, k, k, stride, stride, pad, pad, 1, 1};
          s.out_h = (s.h + 2 * pad - k) / stride + 1;
          s.out_w = (s.w + 2 * pad - k) / stride + 1;
          f(Matrix(s.h * s.w, c, 2), s);
        }
      }
    }
  }
  Window2d wide{4, 11, 5, 4, 5, 1, 3, 1, 2, 0, 0, 1, 1};
  f(Matrix(44, 5), wide);
}

template <class Run, class Naive>
void expect_pooled(const Matrix& x, const Window2d& s, const Run& run, const Naive& naive) {
  Matrix y(static_cast<std::ptrdiff_t>(s.out_h) * s.out_w, s.c, 1);
  const int middle = s.out_h / 2;
  run(y, middle, s.out_h);
  run(y, 0, middle);
  ASSERT_TRUE(y.canaries_alive());
  for (int oy = 0; oy < s.out_h; ++oy) {
    for (int ox = 0; ox < s.out_w; ++ox) {
      for (int j = 0; j < s.c; ++j) {
        ASSERT_TRUE(close_to(y.at(oy * s.out_w + ox, j), naive(naive_window(x, s, oy, ox, j))))
            << "kernel " << s.kernel_h << "x" << s.kernel_w << " stride " << s.stride_h << " pad "
            << s.pad_h << " c " << s.c << " at " << oy << ", " << ox << ", " << j;
      }
    }
  }
}

void check_average_pool(const KernelTable& t) {
  for (const bool count_padding : {false, true}) {
    for_windows([&](const Matrix& x, const Window2d& s) {
      expect_pooled(
          x, s,
          [&](Matrix& y, int begin, int end) {
            t.average_pool(x.data(), x.ld(), y.data(), y.ld(), s, count_padding, begin, end);
          },
          [&](const WindowStatistics& w) {
            const int count = count_padding ? s.kernel_h * s.kernel_w : w.count;
            return Expected{w.sum / count, rounding_error(w.count + 1, w.magnitude / count)};
          });
    });
  }
}

void check_max_pool(const KernelTable& t) {
  for_windows([&](const Matrix& x, const Window2d& s) {
    expect_pooled(
        x, s,
        [&](Matrix& y, int begin, int end) {
          t.max_pool(x.data(), x.ld(), y.data(), y.ld(), s, begin, end);
        },
        [](const WindowStatistics& w) {
          return Expected{w.largest, 0};
        });
  });
}

void expect_mixed(const KernelTable& t, int h, int w, int c, int k, int bits, Act act,
                  bool residual_is_output) {
  const Window2d s{h, w, c, h, w, k, k, 1, 1, k / 2, k / 2, 1, 1};
  const Matrix x(h * w, c, 3);
  const EpilogueOperands operands(h * w, c);
  Matrix y(h * w, c, 1);
  const Matrix before(y);
  Epilogue used = operands.combination(bits, act);
  Epilogue naive = used;
  if (residual_is_output) {
    used.residual = y.data();
    used.ldr = y.ld();
    naive.residual = before.data();
    naive.ldr = before.ld();
  }
  const int middle = h / 2;
  t.pool_mix(x.data(), x.ld(), y.data(), y.ld(), h, w, c, k, 0, middle, used);
  t.pool_mix(x.data(), x.ld(), y.data(), y.ld(), h, w, c, k, middle, h, used);
  ASSERT_TRUE(y.canaries_alive());
  for (int oy = 0; oy < h; ++oy) {
    for (int ox = 0; ox < w; ++ox) {
      for (int j = 0; j < c; ++j) {
        const WindowStatistics r = naive_window(x, s, oy, ox, j);
        const std::ptrdiff_t p = oy * w + ox;
        const double centre = x.at(p, j);
        const Expected acc{r.sum / r.count - centre,
                           rounding_error(r.count + 4, r.magnitude / r.count + std::abs(centre))};
        ASSERT_TRUE(close_to(y.at(p, j), naive_epilogue(acc, naive, p, j)))
            << h << "x" << w << "x" << c << " k " << k << " at " << oy << ", " << ox << ", " << j;
      }
    }
  }
}

void check_pool_mix(const KernelTable& t) {
  for (int c = 1; c <= 2 * kMaxLanes + 1; ++c) expect_mixed(t, 4, 5, c, 3, 0, Act::none, false);
  for (const int h : {1, 2, 3, 7}) {
    for (const int w : {1, 2, 3, 8}) {
      for (const int k : {1, 3, 5, 7}) {
        expect_mixed(t, h, w, 21, k, 6, Act::none, false);
        expect_mixed(t, h, w, 70, k, 14, Act::none, true);
      }
    }
  }
  for (const Act act : kAllActs) {
    for (int bits = 0; bits < EpilogueOperands::kCombinations; ++bits) {
      expect_mixed(t, 3, 4, 11, 3, bits, act, false);
    }
  }
}

#define FOVEA_KERNEL FOVEA_KERNEL_TEST
#include "kernels/pool/kernels.inc"

}  // namespace
