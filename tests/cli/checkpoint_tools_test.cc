// SPDX-License-Identifier: Apache-2.0
//
// `fovea inspect` and `fovea convert`.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <limits>
#include <string>
#include <vector>

#include "fovea/io/checkpoint.h"
#include "fovea/io/save.h"
#include "tests/cli/tool.h"

namespace fovea::test {
namespace {

using nlohmann::json;
using ::testing::HasSubstr;

std::string weights_of(const std::string& demo) { return demo_model(demo) + "/model.safetensors"; }

// The demo's tensors with one more, one less, one of another shape.
std::string spoilt(const TemporaryFolder& folder) {
  const auto source = open_checkpoint(weights_of("poolformer"));
  NamedTensors tensors;
  std::vector<float> values(7, 1.0f);
  values[3] = std::numeric_limits<float>::quiet_NaN();
  values[4] = -std::numeric_limits<float>::infinity();
  for (const std::string& name : source->names()) {
    if (name == "head.fc.bias") continue;
    tensors.emplace_back(
        name, name == "head.norm.weight" ? Tensor::from_floats({7}, values) : source->load(name));
  }
  tensors.emplace_back("more", Tensor::from_floats({1, 2}, std::vector<float>(2, 0.0f)));
  const std::string path = folder / "spoilt.safetensors";
  save_safetensors(path, tensors);
  return path;
}

std::vector<std::string> first_labels(const std::string& model) {
  const Outcome run = fovea_tool({"classify", "--model", model, "--json", demo_image("cat.jpg")});
  EXPECT_EQ(run.code, 0) << run.err;
  std::vector<std::string> rows;
  const json result = run.json();
  for (const json& label : result.at(0).at("labels")) rows.push_back(label.dump());
  return rows;
}

TEST(Inspect, AFolderFitsItsNetwork) {
  const Outcome run = fovea_tool({"inspect", demo_model("swin"), "--json", "--check"});
  ASSERT_EQ(run.code, 0) << run.err;
  const json report = run.json();
  EXPECT_EQ(report.at("format"), "safetensors");
  EXPECT_EQ(report.at("models").size(), 1u);
  EXPECT_TRUE(report.at("models").at(0).at("problems").empty());
  EXPECT_EQ(report.at("models").at(0).at("wanted"), report.at("tensors").size());
  EXPECT_TRUE(report.at("unsound").empty());
  std::int64_t numbers = 0;
  for (const json& tensor : report.at("tensors")) {
    std::int64_t count = 1;
    for (const json& size : tensor.at("shape")) count *= size.get<std::int64_t>();
    numbers += count;
  }
  EXPECT_EQ(report.at("numbers"), numbers);
}

TEST(Inspect, EverythingThatDoesNotFitIsListed) {
  const TemporaryFolder folder;
  const std::string path = spoilt(folder);
  std::filesystem::create_directory(folder.path() / "hub");
  std::filesystem::copy(demo_model("poolformer") + "/config.json", folder.path() / "hub");
  std::filesystem::copy(path, folder.path() / "hub" / "model.safetensors");
  const Outcome run = fovea_tool({"inspect", folder / "hub", "--json", "--check"});
  ASSERT_EQ(run.code, 0) << run.err;
  const json report = run.json();
  const std::string problems = report.at("models").at(0).at("problems").dump();
  EXPECT_THAT(problems, HasSubstr("missing head.fc.bias"));
  EXPECT_THAT(problems, HasSubstr("superfluous more [1, 2]"));
  EXPECT_THAT(problems, HasSubstr("head.norm.weight: wanted"));
  EXPECT_EQ(report.at("models").at(0).at("problems").size(), 3u);
  EXPECT_EQ(report.at("unsound"),
            json::parse(R"([{"name": "head.norm.weight", "nan": 1, "inf": 1}])"));
}

TEST(Inspect, TextIsShortUnlessAllIsAskedFor) {
  const Outcome brief = fovea_tool({"inspect", weights_of("convnext")});
  const Outcome all = fovea_tool({"inspect", weights_of("convnext"), "--tensors"});
  EXPECT_THAT(brief.out, HasSubstr("more: --tensors prints all"));
  EXPECT_THAT(brief.out, HasSubstr("format       safetensors"));
  EXPECT_THAT(all.out, HasSubstr("head.fc.weight f16 [10,"));
  EXPECT_LT(brief.out.size(), all.out.size());
}

TEST(Inspect, BadFilesAreRefused) {
  const TemporaryFolder folder;
  EXPECT_EQ(fovea_tool({"inspect", folder.write("x.safetensors", "short")}).code, 3);
  EXPECT_EQ(fovea_tool({"inspect", folder / "absent.safetensors"}).code, 3);
  EXPECT_EQ(fovea_tool({"inspect", folder.path().string()}).code, 3);
  EXPECT_EQ(fovea_tool({"inspect", weights_of("swin"), "--model", "swim"}).code, 2);
  EXPECT_EQ(fovea_tool({"inspect"}).code, 2);
}

TEST(Convert, TheResultIsAFolderThatClassifiesAlike) {
  for (const char* demo : {"swin", "convnext", "poolformer"}) {
    SCOPED_TRACE(demo);
    const TemporaryFolder folder;
    const Outcome run = fovea_tool({"convert", demo_model(demo), folder / "model.safetensors"});
    ASSERT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(first_labels(folder.path().string()), first_labels(demo_model(demo)));
    EXPECT_EQ(first_labels(folder.path().string()).size(), 5u);
  }
}

TEST(Convert, NumbersCanBeNarrowed) {
  const TemporaryFolder folder;
  const std::string out = folder / "half.safetensors";
  const Outcome run = fovea_tool({"convert", demo_model("swin"), out, "--dtype", "bf16"});
  ASSERT_EQ(run.code, 0) << run.err;
  const auto source = open_checkpoint(out);
  for (const std::string& name : source->names()) EXPECT_EQ(source->dtype(name), DType::bf16);
  EXPECT_EQ(first_labels(folder.path().string()).size(), 5u);
}

TEST(Convert, NothingIsOverwrittenOrGuessed) {
  const TemporaryFolder folder;
  folder.write("config.json", "{}");
  Outcome run = fovea_tool({"convert", demo_model("swin"), folder / "a.safetensors"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("config.json: exists already"));
  std::filesystem::remove(folder.path() / "config.json");

  run = fovea_tool({"convert", demo_model("swin"), folder / "a.npy"});
  EXPECT_EQ(run.code, 2);
  run = fovea_tool({"convert", weights_of("swin"), folder / "a.safetensors"});
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("--model NAME is wanted"));
  run = fovea_tool({"convert", demo_model("swin"), folder / "a.safetensors", "--model", "swin_t"});
  EXPECT_EQ(run.code, 2);
  run = fovea_tool({"convert", spoilt(folder), folder / "a.safetensors", "--model", "swin_t"});
  EXPECT_EQ(run.code, 3);
  EXPECT_THAT(run.err, HasSubstr("does not fit swin_t"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "a.safetensors"));
  EXPECT_FALSE(std::filesystem::exists(folder.path() / "config.json"));
}

}  // namespace
}  // namespace fovea::test
