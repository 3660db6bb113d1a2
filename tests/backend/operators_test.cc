// SPDX-License-Identifier: Apache-2.0
// Operators with packed weights, and the list of the backends that all of these tests run on.
#include "tests/backend/operators.h"

#include <gtest/gtest.h>

namespace fovea::test {
namespace {

// The native backend once for each instruction set: "native_avx2".
std::vector<std::string> tested_backends() {
  std::vector<std::string> names;
  for (const std::string_view name : backend_names()) {
    if (name != "reference" && name != "native") names.emplace_back(name);
  }
  for (const std::string_view isa : isa_names()) names.push_back("native_" + std::string(isa));
  return names;
}

INSTANTIATE_TEST_SUITE_P(Backends, Operators, testing::ValuesIn(tested_backends()),
                         [](const auto& instance) { return instance.param; });

TEST_P(Operators, LinearAgreesForEveryShape) {
  const struct {
    int rows, in, out, gap;
  } cases[] = {{1, 1, 1, 0},     {1, 768, 1000, 0}, {5, 7, 3, 2},      {49, 33, 65, 0},
               {64, 96, 384, 0}, {65, 16, 257, 5},  {130, 129, 31, 3}, {300, 40, 48, 0}};
  for (const auto& s : cases) {
    const Tensor w = random_tensor({s.out, s.in}, 1);
    const PackedPtr mine = backend_->pack_linear(w), reference = reference_->pack_linear(w);
    const TestMap x(1, 1, s.rows, s.in, s.gap, 2), y(1, 1, s.rows, s.out, s.gap, 3);
    const std::vector<float> bias = random_floats(s.out, 4);
    Epilogue e;
    e.bias = bias.data();
    compare(
        [&](const Backend& b, MapF out, Context& ctx) {
          b.linear(x, &b == backend_.get() ? *mine : *reference, e, out, ctx);
        },
        y, s.in,
        std::to_string(s.rows) + " x " + std::to_string(s.in) + " x " + std::to_string(s.out));
  }
}

TEST_P(Operators, LinearAgreesForEveryEpilogue) {
  const int in = 24, out = 37;
  const Tensor w = random_tensor({out, in, 1, 1}, 1);
  const PackedPtr mine = backend_->pack_linear(w), reference = reference_->pack_linear(w);
  const TestMap x(2, 3, 5, in, 1, 2), y(2, 3, 5, out, 4, 3), apart(2, 3, 5, out, 2, 4);
  Epilogues(out, 5).for_each(apart, [&](const Epilogue& e, bool in_y, const std::string& what) {
    compare(
        [&](const Backend& b, MapF to, Context& ctx) {
          b.linear(x, &b == backend_.get() ? *mine : *reference, with_residual(e, in_y, to), to,
                   ctx);
        },
        y, in, what);
  });
}

TEST_P(Operators, LinearReadsAndWritesChannelRanges) {
  const Tensor w = random_tensor({20, 12}, 1);
  const PackedPtr mine = backend_->pack_linear(w), reference = reference_->pack_linear(w);
  const TestMap x(1, 4, 4, 36, 0, 2), y(1, 4, 4, 60, 0, 3);
  compare(
      [&](const Backend& b, MapF to, Context& ctx) {
        b.linear(x.map().channels(12, 12), &b == backend_.get() ? *mine : *reference, {},
                 to.channels(20, 20), ctx);
      },
      y, 12, "middle third");
}

struct ConvCase {
  int n, h, w, in, out, kernel_h, kernel_w;
  Conv2dSpec spec;
};

TEST_P(Operators, Conv2dAgreesForEveryShape) {
  const ConvCase cases[] = {
      {1, 8, 8, 3, 16, 4, 4, Conv2dSpec::square(4, 0)},       // a patch embedding
      {2, 9, 7, 3, 8, 7, 7, Conv2dSpec::square(4, 2)},        // PoolFormer's
      {1, 6, 5, 10, 7, 3, 3, Conv2dSpec::square(1, 1)},       //
      {2, 5, 6, 8, 24, 2, 2, Conv2dSpec::square(2, 0)},       // ConvNeXt's downsampling
      {1, 9, 9, 6, 6, 1, 1, Conv2dSpec::square(2, 0)},        //
      {2, 7, 5, 12, 12, 7, 7, Conv2dSpec::square(1, 3, 12)},  // depthwise
      {1, 5, 9, 19, 19, 3, 3, Conv2dSpec::square(2, 1, 19)},  //
      {1, 3, 2, 33, 33, 7, 7, Conv2dSpec::square(1, 3, 33)},  // a kernel beyond the image
      {1, 8, 8, 64, 64, 5, 5, Conv2dSpec::square(1, 2, 64)},  //
      {2, 6, 6, 8, 12, 3, 3, Conv2dSpec::square(1, 1, 4)},    // grouped
      {1, 6, 6, 5, 10, 3, 3, Conv2dSpec::square(1, 1, 5)},    // two outputs a channel
      {1, 12, 11, 4, 6, 3, 2, {2, 1, 1, 0, 2, 3, 1}},         // nothing square
      {1, 12, 11, 10, 6, 3, 2, {2, 1, 1, 0, 2, 3, 1}},        //
      {1, 3, 2, 9, 20, 7, 7, Conv2dSpec::square(1, 3)},       // lines that cross both borders
      {2, 6, 5, 24, 12, 3, 3, Conv2dSpec::square(1, 1, 2)},   // groups of many channels
      {1, 12, 11, 6, 6, 3, 2, {1, 2, 2, 1, 2, 1, 6}},         //
  };
  for (const ConvCase& s : cases) {
    const Tensor w = random_tensor({s.out, s.in / s.spec.groups, s.kernel_h, s.kernel_w}, 1);
    const PackedPtr mine = backend_->pack_conv2d(w, s.spec);
    const PackedPtr reference = reference_->pack_conv2d(w, s.spec);
    const int oh = conv_out_size(s.h, s.kernel_h, s.spec.stride_h, s.spec.pad_h, s.spec.dilation_h);
    const int ow = conv_out_size(s.w, s.kernel_w, s.spec.stride_w, s.spec.pad_w, s.spec.dilation_w);
    for (const int gap : {0, 3}) {
      const TestMap x(s.n, s.h, s.w, s.in, gap, 2), y(s.n, oh, ow, s.out, gap, 3);
      const std::vector<float> bias = random_floats(s.out, 4);
      Epilogue e;
      e.bias = bias.data();
      compare(
          [&](const Backend& b, MapF to, Context& ctx) {
            b.conv2d(x, &b == backend_.get() ? *mine : *reference, e, to, ctx);
          },
          y, static_cast<std::ptrdiff_t>(s.in / s.spec.groups) * s.kernel_h * s.kernel_w,
          shape_string(x.map()) + " to " + shape_string(y.map()));
    }
  }
}

TEST_P(Operators, Conv2dAgreesForEveryEpilogue) {
  for (const int groups : {1, 10}) {
    const Tensor w = random_tensor({10, 10 / groups, 3, 3}, 1);
    const Conv2dSpec spec = Conv2dSpec::square(1, 1, groups);
    const PackedPtr mine = backend_->pack_conv2d(w, spec);
    const PackedPtr reference = reference_->pack_conv2d(w, spec);
    const TestMap x(2, 4, 5, 10, 0, 2), y(2, 4, 5, 10, 0, 3), apart(2, 4, 5, 10, 2, 4);
    Epilogues(10, 5).for_each(apart, [&](const Epilogue& e, bool in_y, const std::string& what) {
      compare(
          [&](const Backend& b, MapF to, Context& ctx) {
            b.conv2d(x, &b == backend_.get() ? *mine : *reference, with_residual(e, in_y, to), to,
                     ctx);
          },
          y, 90 / groups, what + ", groups " + std::to_string(groups));
    });
  }
}

TEST_P(Operators, MlpAgrees) {
  for (const int rows : {1, 100, 600}) {  // within, and across blocks
    const Tensor w1 = random_tensor({44, 11}, 1), w2 = random_tensor({13, 44}, 2);
    const PackedPtr mine1 = backend_->pack_linear(w1), mine2 = backend_->pack_linear(w2);
    const PackedPtr reference1 = reference_->pack_linear(w1);
    const PackedPtr reference2 = reference_->pack_linear(w2);
    const TestMap x(1, 1, rows, 11, 1, 3), y(1, 1, rows, 13, 2, 4);
    const Epilogues first(44, 5), second(13, 6);
    Epilogue e1, e2;
    e1.bias = first.bias.data();
    e1.act = Kind::gelu;
    e2.bias = second.bias.data();
    e2.scale = second.scale.data();
    for (const bool residual : {false, true}) {
      compare(
          [&](const Backend& b, MapF to, Context& ctx) {
            const bool tested = &b == backend_.get();
            b.mlp(x, tested ? *mine1 : *reference1, e1, tested ? *mine2 : *reference2,
                  with_residual(e2, residual, to), to, ctx);
          },
          y, 11 + 44, std::to_string(rows) + " rows");
    }
  }
}

TEST_P(Operators, WorkspaceDoesNotGrowAfterTheFirstCall) {
  const TestMap qkv(1, 9, 9, 48, 0, 1), y(1, 9, 9, 16, 0, 2);
  WindowSpec spec;
  spec.window_h = spec.window_w = 4;
  const Tensor w = random_tensor({16, 16, 3, 3}, 3);
  const PackedPtr conv = backend_->pack_conv2d(w, Conv2dSpec::square(1, 1));
  std::size_t capacity = 0;
  for (int i = 0; i < 3; ++i) {
    const Workspace::Scope scope(context_.workspace());
    const MapF t = context_.workspace().map_like(y);
    backend_->window_attention(qkv, spec, t, context_);
    backend_->conv2d(t, *conv, {}, y, context_);
    if (i == 1) capacity = context_.workspace().capacity();
  }
  EXPECT_EQ(context_.workspace().capacity(), capacity);
}

}  // namespace
}  // namespace fovea::test
