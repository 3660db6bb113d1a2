// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "fovea/core/param_sources.h"
#include "fovea/core/params.h"
#include "tests/expect_error.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;

std::string to_part(const std::string& name) {
  if (name == "q") return "qkv[1/3]";
  if (name == "k") return "qkv[2/3]";
  if (name == "v") return "qkv[3/3]";
  return name;
}

TEST(RenamedSource, JoinsPartsAlongTheirFirstAxis) {
  GeneratedSource source;
  source.add("v", {1, 3}, 0, 1);
  source.add("q", {2, 3}, 0, 1);
  source.add("k", {4, 3}, 0, 1);
  const auto joined = renamed(source, to_part);
  EXPECT_THAT(joined->names(), ElementsAre("qkv"));
  ASSERT_NE(joined->find("qkv"), nullptr);
  EXPECT_EQ(*joined->find("qkv"), (Shape{7, 3}));
  EXPECT_EQ(joined->dtype("qkv"), DType::f32);
  std::vector<float> wanted;
  for (const char* part : {"q", "k", "v"}) {
    const FloatBuffer values = source.load(part).to_floats();
    wanted.insert(wanted.end(), values.begin(), values.end());
  }
  const FloatBuffer found = joined->load("qkv").to_floats();
  EXPECT_EQ(std::vector<float>(found.begin(), found.end()), wanted);
}

TEST(RenamedSource, PartsThatMakeNoWholeKeepTheirNames) {
  GeneratedSource incomplete;
  incomplete.add("q", {2, 3}, 0, 1);
  incomplete.add("v", {2, 3}, 0, 1);
  EXPECT_THAT(renamed(incomplete, to_part)->names(), ElementsAre("qkv[1/3]", "qkv[3/3]"));
  EXPECT_EQ(renamed(incomplete, to_part)->find("qkv"), nullptr);
  GeneratedSource unequal;
  unequal.add("q", {2, 3}, 0, 1);
  unequal.add("k", {2, 4}, 0, 1);
  unequal.add("v", {2, 3}, 0, 1);
  EXPECT_THAT(renamed(unequal, to_part)->names(), ElementsAre("qkv[1/3]", "qkv[2/3]", "qkv[3/3]"));
  GeneratedSource scalars;
  for (const char* part : {"q", "k", "v"}) scalars.add(part, {}, 0, 1);
  EXPECT_EQ(renamed(scalars, to_part)->find("qkv"), nullptr);
}

TEST(RenamedSource, TwoOfTheSameNameAreAnError) {
  GeneratedSource source;
  for (const char* part : {"q", "k", "v", "qkv"}) source.add(part, {1}, 0, 1);
  expect_error([&] { renamed(source, to_part); }, Error::Kind::file, "are both qkv");
  expect_error([&] { renamed(source, [](const std::string&) { return "a[1/2]"; }); },
               Error::Kind::file, "are both a[1/2]");
}

}  // namespace
}  // namespace fovea
