// SPDX-License-Identifier: Apache-2.0
// What every operator refuses, and what a dry run counts.
#include <gtest/gtest.h>

#include <cstdlib>

#include "fovea/backend/backend.h"
#include "tests/backend/maps.h"
#include "tests/expect_error.h"

namespace fovea {
namespace {

using test::random_tensor;
using test::TestMap;

class Door : public testing::Test {
 protected:
  template <class Body>
  void refuses(const std::string& message, const Body& body) {
    expect_error(body, Error::Kind::argument, message);
  }

  std::shared_ptr<const Backend> backend_ = make_backend("reference");
  const Backend& b_ = *backend_;
  Context ctx_{1};
  const TestMap x_{1, 4, 4, 6, 0}, y_{1, 4, 4, 6, 0}, small_{1, 2, 2, 6, 0}, wide_{1, 4, 4, 18, 0};
  const PackedPtr linear_ = b_.pack_linear(random_tensor({6, 6}, 1));
  const PackedPtr conv_ = b_.pack_conv2d(random_tensor({6, 6, 3, 3}, 1), Conv2dSpec::square(1, 1));
};

TEST_F(Door, PackLinearWantsAMatrix) {
  refuses("pack_linear: weight: wanted (out, in) or (out, in, 1, 1), found [4, 3, 3, 3].", [&] {
    b_.pack_linear(random_tensor({4, 3, 3, 3}, 1));
  });
  refuses("pack_linear: weight: wanted (out, in)",
          [&] { b_.pack_linear(Tensor::shape_only({4})); });
  refuses("sizes from 1 to 2147483647, found [0, 3]", [&] {
    b_.pack_linear(Tensor::shape_only({0, 3}));
  });
  refuses("sizes from 1 to 2147483647", [&] {
    b_.pack_linear(Tensor::shape_only({1, std::int64_t{1} << 31}));
  });
}

TEST_F(Door, PackConvolutionWantsASoundSpecification) {
  const Tensor w = random_tensor({6, 2, 3, 3}, 1);
  const auto pack = [&](const Conv2dSpec& spec) { return [&, spec] { b_.pack_conv2d(w, spec); }; };
  refuses("pack_conv2d: weight: wanted (out, in / groups, kernel_h, kernel_w), found [6, 2].", [&] {
    b_.pack_conv2d(random_tensor({6, 2}, 1), {});
  });
  refuses("pack_conv2d: groups: wanted a divisor of the 6 output channels, found 4.",
          pack(Conv2dSpec::square(1, 1, 4)));
  refuses("groups: wanted a divisor", pack(Conv2dSpec::square(1, 1, 0)));
  refuses("stride: wanted numbers from 1", pack(Conv2dSpec::square(0, 1)));
  refuses("padding: wanted numbers from 0", pack(Conv2dSpec::square(1, -1)));
  refuses("dilation: wanted numbers from 1", pack({1, 1, 0, 0, 0, 1, 1}));
  refuses("padding: wanted numbers from 0", pack(Conv2dSpec::square(1, 2147483647)));
  refuses("sizes from 1 to 2147483647", [&] {
    b_.pack_conv2d(Tensor::shape_only({1 << 20, 1 << 20, 1, 1}), Conv2dSpec::square(1, 0, 1 << 20));
  });
}

TEST_F(Door, PackedWeightsRememberTheirShape) {
  EXPECT_EQ(conv_->in, 6);
  EXPECT_EQ(conv_->kernel_w, 3);
  EXPECT_EQ(conv_->conv.pad_h, 1);
  EXPECT_EQ(conv_->bytes(), 6u * 6 * 9 * sizeof(float));
  const PackedPtr grouped =
      b_.pack_conv2d(Tensor::shape_only({8, 3, 5, 7}), Conv2dSpec::square(2, 1, 4));
  EXPECT_EQ(grouped->in, 12);
  EXPECT_EQ(grouped->out, 8);
  EXPECT_EQ(grouped->kernel_h, 5);
  EXPECT_EQ(grouped->bytes(), 0u);
}

TEST_F(Door, WeightsBelongToOneBackendAndOneOperator) {
  const auto other = make_backend("reference");
  const PackedPtr foreign = other->pack_linear(random_tensor({6, 6}, 1));
  refuses("linear: weight: wanted one packed by this backend, \"reference\", found another",
          [&] { b_.linear(x_, *foreign, {}, y_, ctx_); });
  refuses("linear: weight: wanted one packed for linear, found one packed for conv2d.",
          [&] { b_.linear(x_, *conv_, {}, y_, ctx_); });
  refuses("conv2d: weight: wanted one packed for conv2d, found one packed for linear.",
          [&] { b_.conv2d(x_, *linear_, {}, y_, ctx_); });
}

TEST_F(Door, WeightsWithoutDataServeDryRunsOnly) {
  const PackedPtr empty = b_.pack_linear(Tensor::shape_only({6, 6}));
  refuses("linear: weight: wanted values, found a shape only",
          [&] { b_.linear(x_, *empty, {}, y_, ctx_); });
  ctx_.set_dry_run(true);
  b_.linear(x_, *empty, {}, y_, ctx_);
  EXPECT_EQ(ctx_.macs(), 16 * 6 * 6);
}

TEST_F(Door, MapsHaveSizesDataAndSeparateRows) {
  refuses("linear: x: wanted sizes of at least 1, found (1, 0, 4, 6).",
          [&] { b_.linear(x_.map().reshaped(1, 0, 4), *linear_, {}, y_, ctx_); });
  refuses("linear: x: wanted data, found none.",
          [&] { b_.linear(CMapF(nullptr, 1, 4, 4, 6), *linear_, {}, y_, ctx_); });
  refuses("linear: y: wanted rows at least 6 elements apart, found 5.",
          [&] { b_.linear(x_, *linear_, {}, MapF(y_.map().data, 1, 4, 4, 6, 5), ctx_); });
}

TEST_F(Door, LinearChecksItsShapes) {
  refuses("linear: x: wanted 6 channels, found (1, 4, 4, 18).",
          [&] { b_.linear(wide_, *linear_, {}, y_, ctx_); });
  refuses("linear: y: wanted (1, 4, 4, 6), found (1, 2, 2, 6).",
          [&] { b_.linear(x_, *linear_, {}, small_, ctx_); });
  refuses("linear: x: wanted data apart from y's, found the same.",
          [&] { b_.linear(x_, *linear_, {}, x_, ctx_); });
}

TEST_F(Door, ResidualsHaveTheShapeOfY) {
  Epilogue e;
  e.residual = small_;
  refuses("linear: residual: wanted (1, 4, 4, 6), found (1, 2, 2, 6).",
          [&] { b_.linear(x_, *linear_, e, y_, ctx_); });
  refuses("apply: residual: wanted (1, 4, 4, 6)", [&] { b_.apply(x_, e, y_, ctx_); });
  refuses("pooling: residual: wanted (1, 4, 4, 6)", [&] { b_.pooling(x_, 3, e, y_, ctx_); });
  e.residual = MapF(y_.map().data, 1, 4, 4, 6, 7);
  refuses("conv2d: residual: wanted rows 6 elements apart, as it shares y's data, found 7.",
          [&] { b_.conv2d(x_, *conv_, e, y_, ctx_); });
}

TEST_F(Door, Conv2dChecksItsShapes) {
  refuses("conv2d: x: wanted 6 channels", [&] { b_.conv2d(wide_, *conv_, {}, y_, ctx_); });
  refuses("conv2d: y: wanted (1, 4, 4, 6), found (1, 2, 2, 6).",
          [&] { b_.conv2d(x_, *conv_, {}, small_, ctx_); });
  const PackedPtr large = b_.pack_conv2d(random_tensor({6, 6, 5, 5}, 1), {});
  refuses(
      "conv2d: x: wanted an image that with its padding holds the 5 x 5 window once, found "
      "(1, 4, 4, 6).",
      [&] { b_.conv2d(x_, *large, {}, y_, ctx_); });
}

TEST_F(Door, ElementwiseOperatorsWantOneShape) {
  refuses("layer_norm: y: wanted (1, 4, 4, 6)", [&] { b_.layer_norm(x_, {}, small_, ctx_); });
  refuses("group_norm: y: wanted (1, 4, 4, 6)", [&] { b_.group_norm(x_, {}, small_, ctx_); });
  refuses("grn: y: wanted (1, 4, 4, 6)", [&] { b_.grn(x_, {}, small_, ctx_); });
  refuses("apply: y: wanted (1, 4, 4, 6)", [&] { b_.apply(x_, {}, small_, ctx_); });
  refuses("softmax: y: wanted (1, 4, 4, 6)", [&] { b_.softmax(x_, small_, ctx_); });
  refuses("multiply: y: wanted (1, 4, 4, 6)", [&] { b_.multiply(x_, x_, small_, ctx_); });
  refuses("multiply: b: wanted (1, 4, 4, 6), found (1, 2, 2, 6).",
          [&] { b_.multiply(x_, small_, y_, ctx_); });
  refuses("softmax: x: wanted rows 7 elements apart, as it shares y's data, found 6.",
          [&] { b_.softmax(x_, MapF(x_.map().data, 1, 4, 4, 6, 7), ctx_); });
}

TEST_F(Door, PoolingChecksItsSpecification) {
  using Kind = Pool2dSpec::Kind;
  refuses("pool2d: kernel: wanted numbers from 1",
          [&] { b_.pool2d(x_, Pool2dSpec::square(Kind::max, 0, 1, 0), y_, ctx_); });
  refuses("pool2d: stride: wanted numbers from 1",
          [&] { b_.pool2d(x_, Pool2dSpec::square(Kind::max, 2, 0, 0), y_, ctx_); });
  refuses("pool2d: padding: wanted at most half the kernel 1 x 1, found 2 x 2.",
          [&] { b_.pool2d(x_, Pool2dSpec::square(Kind::max, 3, 1, 2), y_, ctx_); });
  refuses("pool2d: x: wanted an image that with its padding holds the 5 x 5 window once",
          [&] { b_.pool2d(x_, Pool2dSpec::square(Kind::average, 5, 1, 0), y_, ctx_); });
  refuses("pool2d: y: wanted (1, 2, 2, 6), found (1, 4, 4, 6).",
          [&] { b_.pool2d(x_, Pool2dSpec::square(Kind::average, 2, 2, 0), y_, ctx_); });
  refuses("pooling: k: wanted an odd number, found 4.", [&] { b_.pooling(x_, 4, {}, y_, ctx_); });
  refuses("pooling: y: wanted (1, 4, 4, 6)", [&] { b_.pooling(x_, 3, {}, small_, ctx_); });
  refuses("pooling: x: wanted data apart from y's", [&] { b_.pooling(x_, 3, {}, x_, ctx_); });
  refuses("global_average: y: wanted (1, 1, 1, 6)", [&] { b_.global_average(x_, y_, ctx_); });
  refuses("patch_merge: y: wanted (1, 2, 2, 24), found (1, 2, 2, 6).",
          [&] { b_.patch_merge(x_, small_, ctx_); });
}

TEST_F(Door, AttentionChecksItsShapes) {
  const auto with_heads = [](int heads) {
    AttentionSpec spec;
    spec.heads = heads;
    return spec;
  };
  refuses("attention: heads: wanted a divisor of the 6 channels, found 4.",
          [&] { b_.attention(x_, x_, x_, with_heads(4), y_, ctx_); });
  refuses("attention: heads: wanted a divisor",
          [&] { b_.attention(x_, x_, x_, with_heads(0), y_, ctx_); });
  refuses("attention: k: wanted 6 channels, found (1, 4, 4, 18).",
          [&] { b_.attention(x_, wide_, wide_, with_heads(1), y_, ctx_); });
  refuses("attention: v: wanted (1, 4, 4, 6), found (1, 2, 2, 6).",
          [&] { b_.attention(x_, x_, small_, with_heads(1), y_, ctx_); });
  refuses("attention: y: wanted (1, 4, 4, 6), found (1, 2, 2, 6).",
          [&] { b_.attention(x_, x_, x_, with_heads(1), small_, ctx_); });
  const TestMap two(2, 4, 4, 6, 0);
  refuses("attention: k: wanted 1 images like q, found 2.",
          [&] { b_.attention(x_, two, two, with_heads(1), y_, ctx_); });
  refuses("attention: v: wanted data apart from y's",
          [&] { b_.attention(x_, x_, y_, with_heads(1), y_, ctx_); });
}

TEST_F(Door, WindowAttentionChecksItsSpecification) {
  WindowSpec spec;
  spec.window_h = spec.window_w = 2;
  refuses("window_attention: qkv: wanted channels in three equal parts, found (1, 4, 4, 5).",
          [&] { b_.window_attention(x_.map().channels(0, 5), spec, y_, ctx_); });
  refuses("window_attention: y: wanted (1, 4, 4, 6), found (1, 2, 2, 6).",
          [&] { b_.window_attention(wide_, spec, small_, ctx_); });
  spec.heads = 5;
  refuses("window_attention: heads: wanted a divisor of the 6 channels, found 5.",
          [&] { b_.window_attention(wide_, spec, y_, ctx_); });
  spec.heads = 2;
  spec.shift_w = 2;
  refuses("window_attention: shift: wanted less than the window 2 x 2, found 0 x 2.",
          [&] { b_.window_attention(wide_, spec, y_, ctx_); });
  spec.shift_w = -1;
  refuses("window_attention: shift: wanted numbers from 0",
          [&] { b_.window_attention(wide_, spec, y_, ctx_); });
  spec.shift_w = 0;
  spec.window_h = 0;
  refuses("window_attention: window: wanted numbers from 1",
          [&] { b_.window_attention(wide_, spec, y_, ctx_); });
}

TEST_F(Door, MlpChecksThatItsLayersFit) {
  const PackedPtr other = b_.pack_linear(random_tensor({6, 5}, 1));
  refuses("mlp: fc2: wanted 6 input channels, fc1's outputs, found 5.",
          [&] { b_.mlp(x_, *linear_, {}, *other, {}, y_, ctx_); });
  refuses("mlp: x: wanted 5 channels, found (1, 4, 4, 6).",
          [&] { b_.mlp(x_, *other, {}, *linear_, {}, y_, ctx_); });
  refuses("mlp: y: wanted (1, 4, 4, 6)",
          [&] { b_.mlp(x_, *linear_, {}, *linear_, {}, small_, ctx_); });
  Epilogue e;
  e.residual = x_;
  refuses("mlp: epilogue1: wanted no residual",
          [&] { b_.mlp(x_, *linear_, e, *linear_, {}, y_, ctx_); });
}

// The multiply-accumulates that `body` counts in a dry run without any data.
template <class Body>
std::int64_t dry_macs(const Body& body) {
  Context ctx(1);
  ctx.set_dry_run(true);
  body(ctx);
  return ctx.macs();
}

// Writes down what it is told: "linear(1, 4, 4, 6)+576".
class Notes final : public OperatorObserver {
 public:
  std::string text;

  void begin(std::string_view op) override { text += op; }
  void output(CMapF y) override { text += shape_string(y); }
  void end(std::int64_t macs) override { text += "+" + std::to_string(macs) + " "; }
};

TEST_F(Door, ObserversHearOfEveryOperatorOnce) {
  Notes notes;
  ctx_.set_observer(&notes);
  b_.linear(x_, *linear_, {}, y_, ctx_);
  b_.mlp(x_, *linear_, {}, *linear_, {}, y_, ctx_);
  b_.pooling(x_, 3, {}, y_, ctx_);
  const std::string shape = shape_string(x_.map());
  const std::string once = std::to_string(x_.map().rows() * 6 * 6);
  const std::string twice = std::to_string(x_.map().rows() * 6 * 6 * 2);
  EXPECT_EQ(notes.text, "linear" + shape + "+" + once + " mlp" + shape + "+" + twice +  //
                            " pooling" + shape + "+0 ");
  notes.text.clear();
  EXPECT_THROW(b_.linear(x_, *conv_, {}, y_, ctx_), Error);
  EXPECT_EQ(notes.text, "linear+0 ");  // a call that is refused ends, too
  notes.text.clear();
  ctx_.set_dry_run(true);
  b_.linear(x_, *linear_, {}, y_, ctx_);
  EXPECT_EQ(notes.text, "");
}

TEST_F(Door, DryRunsCountAndTouchNothing) {
  const MapF x(nullptr, 2, 4, 5, 6), y(nullptr, 2, 4, 5, 6), qkv(nullptr, 2, 4, 5, 18);
  EXPECT_EQ(dry_macs([&](Context& c) { b_.linear(x, *linear_, {}, y, c); }), 40 * 36);
  EXPECT_EQ(dry_macs([&](Context& c) { b_.conv2d(x, *conv_, {}, y, c); }), 40 * 36 * 9);
  const PackedPtr depthwise =
      b_.pack_conv2d(Tensor::shape_only({6, 1, 3, 3}), Conv2dSpec::square(1, 1, 6));
  EXPECT_EQ(dry_macs([&](Context& c) { b_.conv2d(x, *depthwise, {}, y, c); }), 40 * 6 * 9);
  EXPECT_EQ(dry_macs([&](Context& c) { b_.attention(x, x, x, {2}, y, c); }), 2 * 2 * 20 * 20 * 6);
  WindowSpec spec;  // 4 x 5 is padded to 6 x 6: four windows of nine
  spec.window_h = spec.window_w = 3;
  EXPECT_EQ(dry_macs([&](Context& c) { b_.window_attention(qkv, spec, y, c); }),
            2 * 4 * 81 * 6 * 2);
  const PackedPtr fc1 = b_.pack_linear(Tensor::shape_only({24, 6}));
  const PackedPtr fc2 = b_.pack_linear(Tensor::shape_only({6, 24}));
  EXPECT_EQ(dry_macs([&](Context& c) { b_.mlp(x, *fc1, {}, *fc2, {}, y, c); }), 2 * 40 * 6 * 24);
  EXPECT_EQ(dry_macs([&](Context& c) {
              b_.layer_norm(x, {}, y, c);
              b_.group_norm(x, {}, y, c);
              b_.grn(x, {}, y, c);
              b_.apply(x, {}, y, c);
              b_.multiply(x, x, y, c);
              b_.softmax(x, y, c);
              b_.pool2d(x, {}, y, c);
              b_.pooling(x, 3, {}, y, c);
              b_.global_average(x, MapF(nullptr, 2, 1, 1, 6), c);
              b_.patch_merge(x, MapF(nullptr, 2, 2, 3, 24), c);
            }),
            0);
}

TEST_F(Door, DryRunsCheckShapesToo) {
  ctx_.set_dry_run(true);
  refuses("linear: y: wanted (1, 4, 4, 6)", [&] { b_.linear(x_, *linear_, {}, small_, ctx_); });
}

TEST(Factory, KnowsItsBackends) {
  const std::vector<std::string_view> names = backend_names();
  ASSERT_GE(names.size(), 2u);
  EXPECT_EQ(names[0], "native");
  EXPECT_EQ(names[1], "reference");
  for (const std::string_view name : names) EXPECT_EQ(make_backend(name)->name(), name);
}

TEST(Factory, ListsTheKnownNamesWhenOneIsUnknown) {
  expect_error([] { make_backend("cuda"); }, Error::Kind::argument,
               "unknown backend \"cuda\"; this build has native, reference");
  expect_error([] { make_backend("native", {"sse9"}); }, Error::Kind::argument,
               "unknown instruction set \"sse9\"; known are generic, avx2, avx512.");
  expect_error([] { make_backend("reference", {"avx2"}); }, Error::Kind::argument,
               "which only \"native\" takes");
}

TEST(Factory, MakesTheInstructionSetThatItIsAskedFor) {
  ASSERT_FALSE(isa_names().empty());
  EXPECT_EQ(isa_names().front(), "generic");
  for (const std::string_view isa : isa_names()) {
    EXPECT_EQ(make_backend("native", {std::string(isa)})->isa(), isa);
  }
  for (const std::string_view isa : {"generic", "avx2", "avx512"}) {
    const std::vector<std::string_view> can = isa_names();
    if (std::find(can.begin(), can.end(), isa) != can.end()) continue;
    expect_error([&] { make_backend("native", {std::string(isa)}); }, Error::Kind::failed,
                 "cannot run \"" + std::string(isa) + "\"; they can run generic");
  }
}

TEST(Factory, ReadsTheEnvironmentWhenNoInstructionSetIsNamed) {
  const char* const before = std::getenv("FOVEA_ISA");
  const std::string saved = before != nullptr ? before : "";
  setenv("FOVEA_ISA", "generic", 1);
  EXPECT_EQ(make_backend("native")->isa(), "generic");
  setenv("FOVEA_ISA", "mmx", 1);
  expect_error([] { make_backend("native"); }, Error::Kind::argument,
               "FOVEA_ISA: unknown instruction set \"mmx\"");
  setenv("FOVEA_ISA", "", 1);
  EXPECT_EQ(make_backend("native")->isa(), isa_names().back());
  if (before != nullptr) {
    setenv("FOVEA_ISA", saved.c_str(), 1);
  } else {
    unsetenv("FOVEA_ISA");
  }
}

}  // namespace
}  // namespace fovea
