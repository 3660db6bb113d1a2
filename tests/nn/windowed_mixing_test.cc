// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/windowed_mixing.h"

#include <numeric>

#include "fovea/nn/cross_stripes.h"
#include "tests/expect_error.h"
#include "tests/nn/blocks.h"

namespace fovea::nn {
namespace {

using test::TestMap;

// Writes the queries plus the number of the window that they came in, and so shows where it was.
struct WindowNumber {
  void forward(CMapF q, CMapF k, CMapF v, MapF y, Context&) const {
    EXPECT_TRUE(q.same_shape(k) && q.same_shape(v) && q.same_shape(y));
    for (int n = 0; n < y.n; ++n) {
      for (std::ptrdiff_t r = 0; r < y.image(n).rows(); ++r) {
        for (int c = 0; c < y.c; ++c) {
          y.image(n).row(r)[c] = q.image(n).row(r)[c] + static_cast<float>(100 * n);
        }
      }
    }
  }
};

// The number of the window that a position of a map lies in, worked out from the definition.
int window_of(const WindowDivision& d, int row, int column) {
  const int r = (row - d.shift_h % d.h + d.h) % d.h, c = (column - d.shift_w % d.w + d.w) % d.w;
  return r / d.window_h * (d.w / d.window_w) + c / d.window_w;
}

void expect_windows(const WindowDivision& d, bool in_order) {
  const auto backend = make_backend("native");
  ParamLog log;
  const Params p(nullptr, *backend, log);
  EXPECT_EQ(Windows(p, d).in_order(), in_order);
  const WindowedMixing<WindowNumber> block(p, d, {});
  const TestMap q(2, d.h, d.w, 3, 1, 1), k(2, d.h, d.w, 3, 2, 2), y(2, d.h, d.w, 3, 2, 3);
  Context ctx(1);
  block.forward(q, k, k, y, ctx);
  EXPECT_TRUE(y.gaps_intact());
  const int count = d.h / d.window_h * (d.w / d.window_w);
  for (int n = 0; n < 2; ++n) {
    for (int r = 0; r < d.h; ++r) {
      for (int c = 0; c < d.w; ++c) {
        const int window = n * count + window_of(d, r, c);
        EXPECT_EQ(y.map().pixel(n, r, c)[1],
                  q.map().pixel(n, r, c)[1] + static_cast<float>(100 * window))
            << n << ", " << r << ", " << c;
      }
    }
  }
}

TEST(WindowedMixing, SeesEveryWindowAsAnImage) {
  expect_windows({.h = 6, .w = 8, .window_h = 3, .window_w = 2}, false);
  expect_windows({.h = 6, .w = 8, .window_h = 6, .window_w = 2}, false);
  expect_windows({.h = 6, .w = 8, .window_h = 2, .window_w = 8}, true);
  expect_windows({.h = 6, .w = 8, .window_h = 6, .window_w = 8}, true);
}

TEST(WindowedMixing, ShiftsTheOriginAroundTheEdges) {
  expect_windows({.h = 6, .w = 8, .window_h = 3, .window_w = 4, .shift_h = 1, .shift_w = 2}, false);
  expect_windows({.h = 6, .w = 8, .window_h = 3, .window_w = 8, .shift_h = 2}, false);
}

TEST(WindowedMixing, KeepsTheOrderOfAWindowsTokens) {
  const auto backend = make_backend("native");
  ParamLog log;
  const Windows windows(Params(nullptr, *backend, log),
                        {.h = 4, .w = 4, .window_h = 2, .window_w = 2, .shift_h = 1, .shift_w = 1});
  const TestMap x(1, 4, 4, 1, 0);
  std::iota(x.map().data, x.map().data + 16, 0.0f);
  Context ctx(1);
  const Workspace::Scope scope(ctx.workspace());
  const std::vector<float> wanted = {5, 6, 9, 10, 7, 4, 11, 8, 13, 14, 1, 2, 15, 12, 3, 0};
  EXPECT_EQ(test::dense(windows.split(x, ctx)), wanted);
}

TEST(WindowedMixing, RefusesWindowsThatDoNotDivideTheMap) {
  const auto backend = make_backend("native");
  ParamLog log;
  const Params p = Params(nullptr, *backend, log) / "attn";
  const auto refuses = [&](const WindowDivision& d) {
    expect_error([&] { Windows(p, d); }, Error::Kind::argument, "\"attn\": windows of ");
  };
  refuses({.h = 6, .w = 8, .window_h = 4, .window_w = 4});
  refuses({.h = 6, .w = 8, .window_h = 3, .window_w = 5});
  refuses({.h = 6, .w = 8, .window_h = 0, .window_w = 8});
  refuses({.h = 1 << 14, .w = 1 << 14, .window_h = 1, .window_w = 1});
}

TEST(CrossStripes, GiveEveryBranchChannelsAndStripesOfItsOwn) {
  const auto backend = make_backend("native");
  ParamLog log;
  const Params p(nullptr, *backend, log);
  const WindowDivision tall = {.h = 4, .w = 6, .window_h = 4, .window_w = 2};
  const WindowDivision wide = {.h = 4, .w = 6, .window_h = 1, .window_w = 6};
  std::vector<WindowedMixing<WindowNumber>> branches;
  branches.emplace_back(p, tall, WindowNumber());
  branches.emplace_back(p, wide, WindowNumber());
  const CrossStripes<WindowNumber> block(std::move(branches));
  const TestMap q(1, 4, 6, 4, 1, 1), y(1, 4, 6, 4, 2, 3);
  Context ctx(1);
  block.forward(q, q, q, y, ctx);
  EXPECT_TRUE(y.gaps_intact());
  for (int r = 0; r < 4; ++r) {
    for (int c = 0; c < 6; ++c) {
      for (int channel = 0; channel < 4; ++channel) {
        const int window = channel < 2 ? window_of(tall, r, c) : window_of(wide, r, c);
        EXPECT_EQ(y.map().pixel(0, r, c)[channel],
                  q.map().pixel(0, r, c)[channel] + static_cast<float>(100 * window));
      }
    }
  }
}

TEST(LepeMixing, AddsValuesConvolvedInsideTheWindow) {
  const auto build = [](const Params& p) { return LepeMixing(p, 2, WindowNumber()); };
  const test::ListedSource source = test::weights_for(build);
  const FloatBuffer weight = source.load("get_v.weight").to_floats();
  const FloatBuffer bias = source.load("get_v.bias").to_floats();
  const TestMap q(2, 3, 2, 2, 1, 1), v(2, 3, 2, 2, 2, 2), y(2, 3, 2, 2, 1, 3);
  for (const std::string_view name : backend_names()) {
    const auto backend = make_backend(name);
    const auto block = test::build_with(build, source, *backend);
    Context ctx(1);
    block.forward(q, q, v, y, ctx);
    std::vector<float> wanted;
    for (int i = 0; i < 2 * 3 * 2 * 2; ++i) {
      const int n = i / 12, r = i / 4 % 3, c = i / 2 % 2, channel = i % 2;
      double sum = bias[static_cast<std::size_t>(channel)];
      for (int t = 0; t < 9; ++t) {
        const int row = r + t / 3 - 1, column = c + t % 3 - 1;
        if (row < 0 || row >= 3 || column < 0 || column >= 2) continue;
        sum += static_cast<double>(weight[static_cast<std::size_t>(channel * 9 + t)]) *
               v.map().pixel(n, row, column)[channel];
      }
      wanted.push_back(static_cast<float>(sum + q.map().pixel(n, r, c)[channel] + 100 * n));
    }
    EXPECT_LE(test::relative_l2(test::dense(y).data(), wanted.data(), 24), test::block_bound(2, 9))
        << name;
  }
}

}  // namespace
}  // namespace fovea::nn
