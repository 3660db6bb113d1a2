// SPDX-License-Identifier: Apache-2.0
// Operators that look at other rows: pooling, merging, attention.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/backend/operators.h"

namespace fovea::test {
namespace {

TEST_P(Operators, Pool2dAgrees) {
  using Pool = Pool2dSpec::Kind;
  Pool2dSpec uneven{Pool::average, 2, 5, 3, 2, 1, 2, true};
  std::vector<Pool2dSpec> specs{uneven};
  for (const Pool kind : {Pool::average, Pool::max}) {
    for (const bool include : {true, false}) {
      specs.push_back(Pool2dSpec::square(kind, 3, 1, 1, include));
      specs.push_back(Pool2dSpec::square(kind, 3, 2, 1, include));
      specs.push_back(Pool2dSpec::square(kind, 2, 2, 0, include));
      specs.push_back(Pool2dSpec::square(kind, 7, 1, 3, include));
    }
  }
  for (const Pool2dSpec& s : specs) {
    for (const int c : {1, 13, 64}) {
      const TestMap x(2, 8, 6, c, 1, 1);
      const TestMap y(2, conv_out_size(8, s.kernel_h, s.stride_h, s.pad_h),
                      conv_out_size(6, s.kernel_w, s.stride_w, s.pad_w), c, 2, 2);
      compare([&](const Backend& b, MapF to, Context& ctx) { b.pool2d(x, s, to, ctx); }, y,
              s.kernel_h * s.kernel_w, "kernel " + std::to_string(s.kernel_h));
    }
  }
}

TEST_P(Operators, GlobalAverageAgrees) {
  for (const int c : {1, 63, 65, 200}) {
    const TestMap x(3, 7, 6, c, 1, 1), y(3, 1, 1, c, 2, 2);
    compare([&](const Backend& b, MapF to, Context& ctx) { b.global_average(x, to, ctx); }, y, 42,
            std::to_string(c) + " channels");
  }
}

TEST_P(Operators, PatchMergeAgreesForOddSizes) {
  for (const int h : {1, 4, 5}) {
    for (const int w : {2, 3}) {
      const TestMap x(2, h, w, 9, 1, 1), y(2, (h + 1) / 2, (w + 1) / 2, 36, 2, 2);
      compare([&](const Backend& b, MapF to, Context& ctx) { b.patch_merge(x, to, ctx); }, y, 1,
              shape_string(x.map()));
    }
  }
}

TEST_P(Operators, AttentionAgrees) {
  const struct {
    int n, lq, lk, heads, d;
    bool bias;
  } cases[] = {{1, 1, 1, 1, 1, false},   {2, 9, 9, 2, 8, false},   {1, 5, 12, 3, 7, true},
               {2, 1, 17, 2, 32, false}, {1, 70, 70, 2, 33, true}, {1, 197, 197, 1, 64, false}};
  for (const auto& s : cases) {
    const int c = s.heads * s.d;
    const TestMap q(s.n, 1, s.lq, c, 1, 1), k(s.n, 1, s.lk, c, 2, 2), v(s.n, 1, s.lk, c, 3, 3);
    const TestMap y(s.n, 1, s.lq, c, 1, 4);
    const std::vector<float> bias =
        random_floats(static_cast<std::size_t>(s.heads) * s.lq * s.lk, 5);
    const AttentionSpec spec{s.heads, 1.7f, s.bias ? bias.data() : nullptr};
    compare([&](const Backend& b, MapF to, Context& ctx) { b.attention(q, k, v, spec, to, ctx); },
            y, s.d + s.lk, std::to_string(s.lq) + " queries, " + std::to_string(s.lk) + " keys");
  }
}

TEST_P(Operators, AttentionReadsARangeOfOnePackedMapAndTakesImages) {
  const int c = 30;
  const TestMap qkv(2, 4, 3, 3 * c, 2, 1), y(2, 4, 3, c, 1, 2);
  const MapF m = qkv;
  compare(
      [&](const Backend& b, MapF to, Context& ctx) {
        b.attention(m.channels(0, c), m.channels(c, c), m.channels(2 * c, c), {5, 0.4f}, to, ctx);
      },
      y, 18, "packed");
}

struct WindowCase {
  int n, h, w, c, heads, window_h, window_w, shift_h, shift_w;
};

TEST_P(Operators, WindowAttentionAgrees) {
  const WindowCase cases[] = {
      {1, 4, 4, 8, 2, 4, 4, 0, 0},    {2, 8, 8, 12, 3, 4, 4, 2, 2}, {1, 7, 7, 10, 2, 7, 7, 0, 0},
      {1, 14, 14, 64, 2, 7, 7, 3, 3}, {2, 9, 5, 6, 2, 4, 4, 2, 2},  {1, 5, 11, 14, 2, 3, 4, 1, 3},
      {1, 6, 9, 15, 5, 2, 9, 0, 4},   {1, 2, 3, 7, 1, 4, 5, 3, 2},  {1, 16, 16, 33, 3, 8, 8, 4, 0},
  };
  for (const WindowCase& s : cases) {
    const TestMap qkv(s.n, s.h, s.w, 3 * s.c, 1, 1), y(s.n, s.h, s.w, s.c, 2, 2);
    const int area = s.window_h * s.window_w;
    const std::vector<float> bias =
        random_floats(static_cast<std::size_t>(s.heads) * area * area, 3);
    const std::vector<float> pad = random_floats(3 * s.c, 4),
                             head_scale = random_floats(s.heads, 5);
    for (int parts = 0; parts < 16; ++parts) {
      WindowSpec spec;
      spec.heads = s.heads;
      spec.window_h = s.window_h;
      spec.window_w = s.window_w;
      spec.shift_h = s.shift_h;
      spec.shift_w = s.shift_w;
      spec.scale = 1.3f;
      if (parts & 1) spec.bias = bias.data();
      if (parts & 2) spec.pad_qkv = pad.data();
      if (parts & 4) spec.head_scale = head_scale.data();
      spec.cosine = (parts & 8) != 0;
      spec.mask_value = parts & 1 ? -100.0f : -1.5f;  // a small one would show a wrong region
      compare(
          [&](const Backend& b, MapF to, Context& ctx) { b.window_attention(qkv, spec, to, ctx); },
          y, s.c / s.heads + area,
          shape_string(y.map()) + ", window " + std::to_string(s.window_h) + " x " +
              std::to_string(s.window_w) + ", parts " + std::to_string(parts));
    }
  }
}

TEST_P(Operators, CosineAttentionOfZeroVectorsIsFinite) {
  const TestMap qkv(1, 2, 2, 12, 0, 1), y(1, 2, 2, 4, 0, 2);
  std::fill_n(qkv.map().data, 12, 0.0f);
  WindowSpec spec;
  spec.window_h = spec.window_w = 2;
  spec.cosine = true;
  compare([&](const Backend& b, MapF to, Context& ctx) { b.window_attention(qkv, spec, to, ctx); },
          y, 8, "zeros");
}

TEST_P(Operators, PoolingAgrees) {
  for (const int k : {1, 3, 5}) {
    const TestMap x(2, 4, 7, 19, 1, 1), y(2, 4, 7, 19, 2, 2), apart(2, 4, 7, 19, 3, 3);
    const Epilogues epilogues(19, 4);
    Epilogue e;
    e.scale = epilogues.scale.data();
    e.residual = apart;
    for (const bool in_y : {false, true}) {
      compare([&](const Backend& b, MapF to,
                  Context& ctx) { b.pooling(x, k, with_residual(e, in_y, to), to, ctx); },
              y, k * k, "k " + std::to_string(k));
    }
    if (k > 1) {
      compare([&](const Backend& b, MapF to, Context& ctx) { b.pooling(x, k, {}, to, ctx); }, y,
              k * k, "no epilogue, k " + std::to_string(k));
    }
  }
}

}  // namespace
}  // namespace fovea::test
