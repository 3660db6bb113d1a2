// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/window_attention.h"

#include "fovea/nn/position_embedding.h"
#include "tests/expect_error.h"
#include "tests/nn/blocks.h"

namespace fovea::nn {
namespace {

using test::block_bound;
using test::expect_backends_agree;
using test::ListedSource;
using test::TestMap;

constexpr int kWidth = 12;

struct Size {
  int n, h, w;
};
// Of one window, of whole windows, and that windows do not cover.
constexpr Size kSizes[] = {{2, 4, 3}, {1, 8, 9}, {2, 5, 7}, {1, 13, 8}};
constexpr WindowOptions kPlain = {.heads = 3, .window_h = 4, .window_w = 3};
constexpr WindowOptions kShifted = {
    .heads = 3, .window_h = 4, .window_w = 3, .shift_h = 2, .shift_w = 1};
constexpr WindowOptions kShiftedDown = {
    .heads = 2, .window_h = 4, .window_w = 8, .shift_h = 2, .qkv_bias = false};

TEST(WindowAttention, BackendsAgreeOnMapsOfAnySize) {
  for (const WindowOptions& options : {kPlain, kShifted, kShiftedDown}) {
    for (const Size s : kSizes) {
      const TestMap x(s.n, s.h, s.w, kWidth, 3, 1);
      expect_backends_agree([&](const Params& p) { return WindowAttention(p, kWidth, options); },
                            [&](const WindowAttention& block, MapF y, Context& ctx) {
                              block.forward(x, y, ctx, {.residual = y});
                            },
                            TestMap(s.n, s.h, s.w, kWidth, 0, 2),
                            block_bound(3, kWidth + options.window_h * options.window_w));
    }
  }
}

TEST(WindowAttentionV2, BackendsAgreeOnMapsOfAnySize) {
  for (const WindowOptions& options : {kPlain, kShifted, kShiftedDown}) {
    for (const Size s : kSizes) {
      const TestMap x(s.n, s.h, s.w, kWidth, 3, 1);
      expect_backends_agree(
          [&](const Params& p) { return WindowAttentionV2(p, kWidth, options, 0, 0); },
          [&](const WindowAttentionV2& block, MapF y, Context& ctx) {
            block.forward(x, y, ctx, {.residual = y});
          },
          TestMap(s.n, s.h, s.w, kWidth, 0, 2),
          // The temperature, up to exp(2.5), multiplies the errors of the cosines.
          13 * block_bound(4, kWidth + options.window_h * options.window_w));
    }
  }
}

// With one window, equal values for all keys and a bias that favours one relative position, the
// result is what that position holds.
TEST(WindowAttention, TheTableIsIndexedByQueryMinusKey) {
  const WindowOptions options = {.heads = 1, .window_h = 2, .window_w = 3};
  ListedSource source;
  std::vector<float> qkv(3 * 9, 0.0f), proj(9, 0.0f), table(3 * 5, 0.0f);
  for (int i = 0; i < 3; ++i) {
    qkv[static_cast<std::size_t>((6 + i) * 3 + i)] = 1.0f;  // values are the input
    proj[static_cast<std::size_t>(i * 3 + i)] = 1.0f;
  }
  // The key one row above and one column to the left: rows q - k = 1, columns q - k = 1.
  table[(1 + 1) * 5 + (1 + 2)] = 100.0f;
  source.add("qkv.weight", Tensor::from_floats({9, 3}, qkv));
  source.add("qkv.bias", Tensor::from_floats({9}, std::vector<float>(9, 0.0f)));
  source.add("proj.weight", Tensor::from_floats({3, 3}, proj));
  source.add("proj.bias", Tensor::from_floats({3}, std::vector<float>(3, 0.0f)));
  source.add("relative_position_bias_table", Tensor::from_floats({15, 1}, table));

  const TestMap x(1, 2, 3, 3, 0, 7), y(1, 2, 3, 3, 0);
  for (const std::string_view name : backend_names()) {
    const auto backend = make_backend(name);
    const WindowAttention block = test::build_with(
        [&](const Params& p) { return WindowAttention(p, 3, options); }, source, *backend);
    Context ctx(1);
    block.forward(x, y, ctx, {});
    for (int column = 1; column < 3; ++column) {
      for (int i = 0; i < 3; ++i) {
        EXPECT_NEAR(y.map().pixel(0, 1, column)[i], x.map().pixel(0, 0, column - 1)[i], 1e-6)
            << name;
      }
    }
  }
}

TEST(WindowAttention, ResizesTheTableOfAnotherWindow) {
  const auto build = [](const Params& p) { return WindowAttention(p, kWidth, kPlain); };
  ListedSource fitting = test::weights_for(build), larger = fitting;
  const std::string name = "relative_position_bias_table";
  const Tensor trained = test::random_tensor({13 * 13, 3}, 4);
  larger.add(name, trained);
  const FloatBuffer resized = resize_bias_table(trained.to_floats().data(), 7, 3, 4, 3);
  fitting.add(name, Tensor::from_floats({7 * 5, 3}, resized.span()));

  const auto backend = make_backend("reference");
  const TestMap x(1, 6, 5, kWidth, 0, 1), a(1, 6, 5, kWidth, 0), b(1, 6, 5, kWidth, 0);
  Context ctx(1);
  test::build_with(build, fitting, *backend).forward(x, a, ctx, {});
  test::build_with(build, larger, *backend).forward(x, b, ctx, {});
  for (int i = 0; i < 30 * kWidth; ++i) EXPECT_EQ(a.map().data[i], b.map().data[i]);
}

TEST(WindowAttention, ReportsATableThatNoSquareWindowHas) {
  const auto build = [](const Params& p) { return WindowAttention(p, kWidth, kPlain); };
  ListedSource source = test::weights_for(build);
  source.add("relative_position_bias_table", test::random_tensor({36, 3}, 4));
  const auto backend = make_backend("reference");
  ParamLog log;
  build(Params(&source, *backend, log));
  ASSERT_EQ(log.problems.size(), 1u);
  EXPECT_EQ(log.problems[0], "relative_position_bias_table: wanted [35, 3], found [36, 3]");
}

TEST(WindowAttention, RefusesWindowsWithoutPositionsOrWithTooMany) {
  const auto backend = make_backend("reference");
  ParamLog log;
  const Params p = Params(nullptr, *backend, log) / "attn";
  expect_error([&] { WindowAttention(p, 8, {.window_h = 0, .window_w = 7}); },
               Error::Kind::argument, "a window of 0 x 7 positions");
  expect_error([&] { WindowAttention(p, 8, {.window_h = 512, .window_w = 512}); },
               Error::Kind::argument, "a window of 512 x 512 positions");
  expect_error([&] { WindowAttentionV2(p, 8, {.heads = 3}, 0, 0); }, Error::Kind::argument,
               "8 channels do not divide into 3 heads");
}

}  // namespace
}  // namespace fovea::nn
