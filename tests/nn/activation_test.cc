// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/activation.h"

#include "tests/expect_error.h"
#include "tests/nn/blocks.h"

namespace fovea::nn {
namespace {

TEST(Activation, IsKnownByTimmsNames) {
  using Kind = Activation::Kind;
  EXPECT_EQ(activation("gelu").kind, Kind::gelu);
  EXPECT_EQ(activation("gelu_tanh").kind, Kind::gelu_tanh);
  EXPECT_EQ(activation("quick_gelu").kind, Kind::quick_gelu);
  EXPECT_EQ(activation("silu").kind, activation("swish").kind);
  EXPECT_EQ(activation("relu").kind, Kind::relu);
}

TEST(Activation, AnUnknownNameListsTheKnownOnes) {
  expect_error([] { activation("mish"); }, Error::Kind::argument,
               "unknown activation \"mish\"; the known ones are identity, relu, gelu");
}

TEST(Activation, StarReluReadsItsTwoNumbers) {
  test::ListedSource source;
  source.add("act.scale", Tensor::from_floats({1}, std::vector<float>{0.75f}));
  source.add("act.bias", Tensor::from_floats({1}, std::vector<float>{-0.5f}));
  const auto backend = make_backend("reference");
  const Activation act =
      test::build_with([](const Params& p) { return star_relu(p / "act"); }, source, *backend);
  EXPECT_EQ(act.kind, Activation::Kind::star_relu);
  EXPECT_EQ(act.scale, 0.75f);
  EXPECT_EQ(act.bias, -0.5f);
}

}  // namespace
}  // namespace fovea::nn
