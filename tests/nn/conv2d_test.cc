// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/conv2d.h"

#include "fovea/nn/linear.h"
#include "tests/expect_error.h"
#include "tests/nn/blocks.h"

namespace fovea::nn {
namespace {

using test::block_bound;
using test::expect_backends_agree;
using test::ListedSource;
using test::TestMap;

// gamma (conv(x) - mean) / sqrt(var + eps) + beta, evaluated after a plain convolution in double.
TEST(Conv2d, FoldsTheBatchNormThatFollows) {
  constexpr int kIn = 6, kOut = 9;
  constexpr float kEps = 1e-3f;
  for (const bool with_bias : {false, true}) {
    const Conv2dSpec spec = Conv2dSpec::square(2, 1, 3);
    const auto plain = [&](const Params& p) {
      return Conv2d(p / "conv", kIn, kOut, 3, spec, with_bias);
    };
    const auto folded = [&](const Params& p) {
      return Conv2d(p / "conv", FoldedBatchNorm{p / "bn", kEps}, kIn, kOut, 3, spec, with_bias);
    };
    const ListedSource source = test::weights_for(folded);
    const auto backend = make_backend("reference");
    const TestMap x(2, 7, 6, kIn, 0, 3), before(2, 4, 3, kOut, 0), after(2, 4, 3, kOut, 0);
    Context ctx(1);
    test::build_with(plain, source, *backend).forward(x, before, ctx);
    test::build_with(folded, source, *backend).forward(x, after, ctx);

    const auto vector = [&](const char* name) { return source.load(name).to_floats(); };
    const FloatBuffer gamma = vector("bn.weight"), beta = vector("bn.bias"),
                      mean = vector("bn.running_mean"), var = vector("bn.running_var");
    for (std::ptrdiff_t r = 0; r < before.map().rows(); ++r) {
      for (std::size_t c = 0; c < kOut; ++c) {
        const double normalised =
            (static_cast<double>(before.map().row(r)[c]) - mean[c]) /
            std::sqrt(static_cast<double>(var[c]) + static_cast<double>(kEps));
        EXPECT_NEAR(after.map().row(r)[c], normalised * gamma[c] + beta[c],
                    test::dot_error(kIn / 3 * 9, 8.0))
            << r << ", " << c;
      }
    }
  }
}

TEST(Conv2d, BackendsAgreeOnOddSizesWithAFoldedNorm) {
  for (const int groups : {1, 2, 8}) {
    const Conv2dSpec spec = Conv2dSpec::square(2, 1, groups);
    const TestMap x(2, 9, 5, 8, 1, 3);
    expect_backends_agree(
        [&](const Params& p) {
          return Conv2d(p / "conv", FoldedBatchNorm{p / "bn"}, 8, 8, 3, spec);
        },
        [&](const Conv2d& block, MapF y, Context& ctx) {
          EXPECT_EQ(block.out_h(9), 5);
          EXPECT_EQ(block.out_w(5), 3);
          block.forward(x, y, ctx);
        },
        TestMap(2, 5, 3, 8, 0), block_bound(1, 9 * 8 / groups));
  }
}

TEST(Conv2d, RefusesGroupsThatDoNotDivideTheChannels) {
  const auto backend = make_backend("reference");
  ParamLog log;
  const Params p = Params(nullptr, *backend, log) / "stem";
  expect_error([&] { Conv2d(p, 6, 8, 3, Conv2dSpec::square(1, 1, 4)); }, Error::Kind::argument,
               "convolution \"stem\": 6 input and 8 output channels do not divide into 4 groups");
}

TEST(Linear, BindsAOneByOneConvolution) {
  const auto backend = make_backend("reference");
  ListedSource source;
  source.add("weight", test::random_tensor({5, 7, 1, 1}, 1));
  source.add("bias", test::random_tensor({5}, 2));
  const Linear layer =
      test::build_with([](const Params& p) { return Linear(p, 7, 5); }, source, *backend);
  EXPECT_EQ(layer.in(), 7);
  EXPECT_EQ(layer.out(), 5);
}

}  // namespace
}  // namespace fovea::nn
