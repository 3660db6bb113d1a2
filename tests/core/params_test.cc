// SPDX-License-Identifier: Apache-2.0
#include "fovea/core/params.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fovea/backend/backend.h"
#include "fovea/core/param_sources.h"
#include "tests/expect_error.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;

class ParamsTest : public ::testing::Test {
 protected:
  ParamsTest() {
    source_.add("layers.0.norm1.weight", {96}, 0.5, 1.5);
    source_.add("head.weight", {1000, 768}, -0.1, 0.1);
    source_.add("scale", {4, 1, 1}, 1.0, 2.0);
  }

  Params root(const ParamSource* source, bool check_only = false) {
    return {source, *backend_, log_, check_only};
  }

  std::shared_ptr<const Backend> backend_ = make_backend("reference");
  GeneratedSource source_;
  ParamLog log_;
};

TEST_F(ParamsTest, FindsTensorsByPath) {
  const Params norm = root(&source_) / "layers" / 0 / "norm1";
  EXPECT_EQ(norm.path(), "layers.0.norm1");
  EXPECT_EQ(norm.path("weight"), "layers.0.norm1.weight");
  EXPECT_EQ(root(&source_).path("weight"), "weight");
  EXPECT_TRUE(norm.has("weight"));
  EXPECT_FALSE(norm.has("bias"));
  EXPECT_EQ(norm.floats("weight", {96}).size(), 96u);
  EXPECT_TRUE(log_.problems.empty());
}

TEST_F(ParamsTest, ListsEveryProblemAndGoesOn) {
  const Params p = root(&source_);
  EXPECT_FALSE((p / "layers" / 1 / "norm1").get("weight", {96}).has_data());
  const Tensor head = (p / "head").get("weight", {10, 768});
  EXPECT_FALSE(head.has_data());
  EXPECT_EQ(head.shape(), (Shape{10, 768}));
  EXPECT_TRUE((p / "layers" / 0 / "norm1").get("weight", {96}).has_data());
  EXPECT_THAT(log_.problems, ElementsAre("missing layers.1.norm1.weight [96]",
                                         "head.weight: wanted [10, 768], found [1000, 768]"));
}

TEST_F(ParamsTest, LogsRequestsInTheOrderOfConstruction) {
  const Params p = root(nullptr);
  EXPECT_FALSE(p.get("b", {2, 3}).has_data());
  (p / "a").get("weight", {4});
  ASSERT_EQ(log_.requested.size(), 2u);
  EXPECT_EQ(log_.requested[0].name, "b");
  EXPECT_EQ(log_.requested[0].shape, (Shape{2, 3}));
  EXPECT_EQ(log_.requested[1].name, "a.weight");
  EXPECT_TRUE(log_.problems.empty());
  EXPECT_FALSE(p.has("b"));
}

TEST_F(ParamsTest, OverlooksSizesOfOneAtEitherEnd) {
  const Params p = root(&source_);
  EXPECT_EQ(p.get("scale", {4}).shape(), (Shape{4}));
  EXPECT_EQ(p.get("scale", {4, 1, 1, 1}).shape(), (Shape{4, 1, 1, 1}));
  EXPECT_EQ(p.get("scale", {1, 4}).shape(), (Shape{1, 4}));
  EXPECT_TRUE(log_.problems.empty());
  p.get("scale", {2, 2});
  p.get("scale", {4, 1, 2});
  EXPECT_THAT(log_.problems, ElementsAre("scale: wanted [2, 2], found [4, 1, 1]",
                                         "scale: wanted [4, 1, 2], found [4, 1, 1]"));
}

TEST_F(ParamsTest, ChecksWithoutLoading) {
  const Params p = root(&source_, true);
  EXPECT_FALSE(p.get("scale", {4}).has_data());
  EXPECT_TRUE(log_.problems.empty());
  p.get("scale", {5});
  EXPECT_EQ(log_.problems.size(), 1u);
}

TEST_F(ParamsTest, RenamesASource) {
  const auto canonical = renamed(source_, [](const std::string& name) -> std::string {
    if (name == "head.weight") return "";
    return "model." + name;
  });
  EXPECT_THAT(canonical->names(), ElementsAre("model.layers.0.norm1.weight", "model.scale"));
  EXPECT_EQ(canonical->find("head.weight"), nullptr);
  EXPECT_EQ(canonical->find("scale"), nullptr);
  ASSERT_NE(canonical->find("model.scale"), nullptr);
  // The values are those of the original name.
  EXPECT_EQ(canonical->load("model.scale").to_floats()[1], source_.load("scale").to_floats()[1]);
  EXPECT_EQ(canonical->description(), "generated weights");
  expect_error([&] { canonical->load("scale"); }, Error::Kind::argument, "no tensor scale");
}

TEST_F(ParamsTest, RefusesTwoTensorsOfOneName) {
  expect_error(
      [&] { renamed(source_, [](const std::string&) { return "same"; }); }, Error::Kind::file,
      "generated weights: the tensors head.weight and layers.0.norm1.weight are both same");
}

// The numbers come from the oracles' own generator, in Python.
TEST(GeneratedSource, GivesTheValuesOfTheOracles) {
  GeneratedSource source;
  source.add("layers.0.norm1.weight", {2, 3}, 0.5, 1.5);
  source.add("head.bias", {6}, -0.02, 0.02);
  const FloatBuffer weight = source.load("layers.0.norm1.weight").to_floats();
  EXPECT_THAT(std::vector<float>(weight.begin(), weight.end()),
              ElementsAre(0x1.0de9e6p+0f, 0x1.274b18p+0f, 0x1.ebea6ap-1f, 0x1.5d8568p+0f,
                          0x1.314818p+0f, 0x1.9e7716p-1f));
  const FloatBuffer bias = source.load("head.bias").to_floats();
  EXPECT_THAT(std::vector<float>(bias.begin(), bias.end()),
              ElementsAre(-0x1.753b66p-7f, 0x1.027e1p-6f, -0x1.14a5b8p-8f, 0x1.850ffap-7f,
                          -0x1.11ab9ap-6f, 0x1.38defp-6f));
}

TEST(GeneratedSource, RefusesWhatItCannotGenerate) {
  GeneratedSource source;
  source.add("a", {2}, 0.0, 1.0);
  expect_error([&] { source.add("a", {2}, 0.0, 1.0); }, Error::Kind::argument, "a: added twice");
  expect_error([&] { source.add("b", {-2}, 0.0, 1.0); }, Error::Kind::argument,
               "b: not a shape: [-2]");
  expect_error([&] { source.add("c", {2}, 1.0, 0.0); }, Error::Kind::argument, "lo <= hi");
  expect_error([&] { source.load("d"); }, Error::Kind::argument,
               "generated weights: there is no tensor d");
}

TEST(ZeroSource, HasWhatANetworkAskedFor) {
  // A weight that two modules share is asked for twice.
  const ZeroSource source({{"b", {2, 2}}, {"a", {3}}, {"b", {2, 2}}});
  EXPECT_THAT(source.names(), ElementsAre("a", "b"));
  EXPECT_EQ(*source.find("a"), (Shape{3}));
  EXPECT_EQ(source.find("c"), nullptr);
  const Tensor tensor = source.load("b");
  EXPECT_TRUE(tensor.has_data());
  for (const float value : tensor.to_floats()) EXPECT_EQ(value, 0.0f);
}

}  // namespace
}  // namespace fovea
