// SPDX-License-Identifier: Apache-2.0
// The tool's sub-commands on the demo models: what they print, in which form.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <filesystem>

#include "fovea/io/checkpoint.h"
#include "tests/cli/tool.h"

namespace fovea::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::HasSubstr;

const std::array<std::string, 3> kDemos = {"convnext", "poolformer", "swin"};

TEST(Cli, VersionNamesCompilerBackendsAndInstructionSets) {
  const Outcome run = fovea_tool_with_isa("generic", {"--version"});
  EXPECT_EQ(run.code, 0);
  EXPECT_THAT(run.out, HasSubstr("fovea 0."));
  EXPECT_THAT(run.out, HasSubstr("compiler: "));
  EXPECT_THAT(run.out, HasSubstr("reference"));
  EXPECT_THAT(run.out, HasSubstr("chosen: generic"));
}

TEST(Cli, HelpShowsExamplesAndExitCodes) {
  const Outcome all = fovea_tool({"--help"});
  EXPECT_EQ(all.code, 0);
  EXPECT_THAT(all.out, HasSubstr("Exit codes:"));
  for (const char* command :
       {"list", "info", "classify", "embed", "features", "validate", "benchmark"}) {
    EXPECT_THAT(all.out, HasSubstr(command));
    const Outcome run = fovea_tool({command, "--help"});
    EXPECT_EQ(run.code, 0);
    EXPECT_THAT(run.out, HasSubstr("Examples:\n  fovea " + std::string(command)));
    EXPECT_EQ(run.err, "");
  }
}

TEST(Cli, ListTakesAPattern) {
  const json all = fovea_tool({"list", "--json"}).json();
  const json swin = fovea_tool({"list", "swin_*", "--json"}).json();
  EXPECT_GT(all.size(), swin.size());
  ASSERT_FALSE(swin.empty());
  for (const json& entry : swin) {
    EXPECT_EQ(entry.at("name").get<std::string>().rfind("swin_", 0), 0u);
    EXPECT_TRUE(entry.at("family").is_string());
    EXPECT_TRUE(entry.at("num_classes").is_number_integer());
    EXPECT_EQ(entry.at("input_size").size(), 2u);
  }
  EXPECT_THAT(fovea_tool({"list", "swin_tiny*"}).out, HasSubstr("swin_tiny_patch4_window7_224"));
}

TEST(Cli, InfoOfANameCountsParametersAndMacs) {
  const Outcome run = fovea_tool({"info", "convnext_tiny", "--json"});
  ASSERT_EQ(run.code, 0) << run.err;
  const json info = run.json();
  EXPECT_EQ(info.at("parameters"), 28589128);               // timm's count
  EXPECT_NEAR(info.at("gmacs").get<double>(), 4.47, 0.02);  // timm's results-imagenet: 4.47
  EXPECT_EQ(info.at("labels"), 1000);
  ASSERT_EQ(info.at("pyramid").size(), 4u);
  EXPECT_EQ(info.at("pyramid").at(3).at("channels"), 768);
  EXPECT_EQ(info.at("pyramid").at(3).at("reduction"), 32);
  EXPECT_EQ(info.at("pyramid").at(3).at("size"), json({7, 7}));
  EXPECT_GE(info.at("packed_bytes").get<std::int64_t>(), 28589128 * 4 * 9 / 10);
  EXPECT_GT(info.at("workspace_bytes").get<std::int64_t>(), 0);
  EXPECT_EQ(info.at("preprocessing").at("interpolation"), "bicubic");
}

TEST(Cli, InfoFollowsImageSizeAndBatch) {
  const json small = fovea_tool({"info", demo_model("convnext"), "--json"}).json();
  const json large =
      fovea_tool({"info", demo_model("convnext"), "--json", "--img-size", "128x64"}).json();
  const json batch = fovea_tool({"info", demo_model("convnext"), "--json", "--batch", "4"}).json();
  EXPECT_EQ(large.at("input_size"), json({128, 64}));
  EXPECT_NEAR(large.at("gmacs").get<double>(), 2 * small.at("gmacs").get<double>(),
              0.01 * small.at("gmacs").get<double>());
  EXPECT_DOUBLE_EQ(batch.at("gmacs").get<double>(), small.at("gmacs").get<double>());
  // Pictures go through one by one: the others only lie there, with their logits.
  const double picture = 4.0 * 3 * small.at("input_size").at(0).get<double>() *
                         small.at("input_size").at(1).get<double>();
  const double more =
      batch.at("workspace_bytes").get<double>() - small.at("workspace_bytes").get<double>();
  EXPECT_GE(more, 3 * picture);
  EXPECT_LT(more, 3 * picture + 4096);
}

TEST(Cli, ImgSizeRebuildsANetworkOfFixedSize) {
  const Outcome run = fovea_tool({"info", demo_model("swin"), "--json", "--img-size", "64"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.json().at("input_size"), json({64, 64}));
  EXPECT_EQ(run.json().at("pyramid").at(0).at("size"), json({32, 32}));
}

TEST(Cli, ClassifyPrintsAListOfFilesAndLabels) {
  for (const std::string& demo : kDemos) {
    const Outcome run = fovea_tool({"classify", "--model", demo_model(demo), "--json", "--topk",
                                    "3", demo_image("ship.jpg"), demo_image("frog.jpg")});
    ASSERT_EQ(run.code, 0) << run.err;
    EXPECT_EQ(run.err, "");
    const json list = run.json();
    ASSERT_EQ(list.size(), 2u);
    EXPECT_EQ(list.at(0).at("file"), demo_image("ship.jpg"));
    for (const json& entry : list) {
      const json& labels = entry.at("labels");
      ASSERT_EQ(labels.size(), 3u);
      double before = 1.0;
      for (const json& label : labels) {
        EXPECT_TRUE(label.at("label").is_string());
        EXPECT_TRUE(label.at("index").is_number_integer());
        const double probability = label.at("probability");
        EXPECT_LE(probability, before);
        EXPECT_GE(probability, 0.0);
        before = probability;
      }
    }
  }
}

TEST(Cli, ClassifyTableNamesTheLikeliestLabel) {
  const std::vector<std::string> base = {"classify", "--model", demo_model("poolformer"),
                                         demo_image("ship.jpg")};
  std::vector<std::string> with_json = base;
  with_json.push_back("--json");
  const json best = fovea_tool(with_json).json().at(0).at("labels").at(0);
  const Outcome run = fovea_tool(base);
  EXPECT_THAT(run.out, HasSubstr(demo_image("ship.jpg")));
  EXPECT_THAT(run.out, HasSubstr(" ms"));
  EXPECT_THAT(run.out, HasSubstr(best.at("label").get<std::string>() + " (" +
                                 std::to_string(best.at("index").get<int>()) + ")"));
}

TEST(Cli, ProbabilitiesDoNotDependOnBatchOrThreads) {
  const std::vector<std::string> pictures = {demo_image("ship.jpg"), demo_image("frog.jpg"),
                                             demo_image("cat.jpg")};
  const auto labels = [&](const std::vector<std::string>& options) {
    std::vector<std::string> args = {"classify", "--model", demo_model("swin"), "--json"};
    args.insert(args.end(), options.begin(), options.end());
    args.insert(args.end(), pictures.begin(), pictures.end());
    std::vector<json> found;
    for (const json& entry : fovea_tool(args).json()) found.push_back(entry.at("labels"));
    return found;
  };
  const auto single = labels({"--batch", "1", "--threads", "1"});
  ASSERT_EQ(single.size(), 3u);
  EXPECT_EQ(labels({"--batch", "3"}), single);
  EXPECT_EQ(labels({"--batch", "2", "--threads", "2"}), single);
}

TEST(Cli, BackendsGiveTheSameProbabilities) {
  const auto best = [](const std::string& backend) {
    return fovea_tool({"classify", "--model", demo_model("convnext"), "--json", "--backend",
                       backend, demo_image("horse.jpg")})
        .json()
        .at(0)
        .at("labels")
        .at(0);
  };
  const json native = best("native");
  const json reference = best("reference");
  EXPECT_EQ(native.at("index"), reference.at("index"));
  EXPECT_NEAR(native.at("probability").get<double>(), reference.at("probability").get<double>(),
              1e-5);
}

TEST(Cli, ANameWithWeightsIsClassifiedWithoutLabels) {
  const std::string picture = demo_image("truck.jpg");
  const Outcome by_name =
      fovea_tool({"classify", "--model", "convnext_atto_ols", "--weights",
                  demo_model("convnext") + "/model.safetensors", "--num-classes", "10",
                  "--model-args", R"({"depths": [3, 4, 3, 1], "dims": [64, 112, 176, 224]})",
                  "--img-size", "64", "--json", picture});
  ASSERT_EQ(by_name.code, 0) << by_name.err;
  const json labels = by_name.json().at(0).at("labels");
  EXPECT_EQ(labels.size(), 5u);
  for (const json& label : labels) EXPECT_EQ(label.at("label"), "");
}

TEST(Cli, EmbedWritesTheRowsThatItPrints) {
  const TemporaryFolder folder;
  const std::vector<std::string> base = {"embed",
                                         "--model",
                                         demo_model("poolformer"),
                                         "--json",
                                         demo_image("dog.jpg"),
                                         demo_image("deer.jpg")};
  const json printed = fovea_tool(base).json();
  std::vector<std::string> to_file = base;
  to_file.insert(to_file.end(), {"-o", folder / "rows.safetensors"});
  const Outcome run = fovea_tool(to_file);
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.json().at(1).at("row"), 1);

  const auto file = open_checkpoint(folder / "rows.safetensors");
  const FloatBuffer rows = file->load("embeddings").to_floats();
  const auto channels = printed.at(0).at("embedding").size();
  ASSERT_EQ(*file->find("embeddings"), (Shape{2, static_cast<std::int64_t>(channels)}));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    ASSERT_EQ(rows[i], printed.at(i / channels).at("embedding").at(i % channels).get<float>());
  }
}

TEST(Cli, FeaturesWritesOneTensorForEachLevel) {
  const TemporaryFolder folder;
  const json info = fovea_tool({"info", demo_model("convnext"), "--json"}).json();
  const Outcome run =
      fovea_tool({"features", "--model", demo_model("convnext"), "--json", "-o",
                  folder / "pyramid.safetensors", "--batch", "2", demo_image("dog.jpg"),
                  demo_image("cat.jpg"), demo_image("deer.jpg")});
  ASSERT_EQ(run.code, 0) << run.err;
  const auto file = open_checkpoint(folder / "pyramid.safetensors");
  ASSERT_EQ(file->names().size(), info.at("pyramid").size());
  for (const json& level : info.at("pyramid")) {
    const std::string name = "features." + std::to_string(level.at("level").get<int>());
    const Shape* shape = file->find(name);
    ASSERT_NE(shape, nullptr) << name;
    EXPECT_EQ(*shape,
              (Shape{3, level.at("channels"), level.at("size").at(0), level.at("size").at(1)}));
  }

  const Outcome npy = fovea_tool({"features", "--model", demo_model("convnext"), "-o",
                                  folder / "pyramid.npy", demo_image("dog.jpg")});
  ASSERT_EQ(npy.code, 0) << npy.err;
  for (std::size_t i = 0; i < info.at("pyramid").size(); ++i) {
    EXPECT_THAT(read_file(folder / ("pyramid." + std::to_string(i) + ".npy")),
                HasSubstr("'fortran_order': False"));
  }
}

// Pictures of four classes, each in a folder of the given name.
void make_image_folder(const TemporaryFolder& folder, const std::vector<std::string>& names) {
  const std::array<std::string, 4> kClasses = {"airplane", "automobile", "bird", "cat"};
  for (std::size_t i = 0; i < kClasses.size(); ++i) {
    folder.write("data/" + names[i] + "/1.jpg", read_file(demo_image(kClasses[i] + ".jpg")));
  }
}

double top1(const json& result) { return result.at("top1").get<double>(); }

TEST(Cli, FastDecodeLeavesPicturesAloneThatAreAsSmallAsTheInput) {
  const std::vector<std::string> call = {"embed", "--model", demo_model("swin"), "--json",
                                         demo_image("cat.jpg")};
  std::vector<std::string> fast = call;
  fast.push_back("--fast-decode");
  const Outcome run = fovea_tool(fast);
  EXPECT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.json(), fovea_tool(call).json());
}

TEST(Cli, ValidateMatchesFoldersWithLabelsByName) {
  const TemporaryFolder folder;
  make_image_folder(folder, {"airplane", "automobile", "bird", "cat"});
  int right = 0;
  for (const std::string name : {"airplane", "automobile", "bird", "cat"}) {
    const json best =
        fovea_tool({"classify", "--model", demo_model("swin"), "--json", demo_image(name + ".jpg")})
            .json()
            .at(0)
            .at("labels")
            .at(0);
    right += best.at("label") == name ? 1 : 0;
  }
  const Outcome run =
      fovea_tool({"validate", "--model", demo_model("swin"), "--data", folder / "data", "--json"});
  ASSERT_EQ(run.code, 0) << run.err;
  EXPECT_EQ(run.err, "");
  const json result = run.json();
  EXPECT_DOUBLE_EQ(top1(result), 25.0 * right);
  EXPECT_GE(result.at("top5").get<double>(), top1(result));
  EXPECT_EQ(result.at("images"), 4);
  EXPECT_EQ(result.at("failed"), 0);
  EXPECT_EQ(result.at("classes_by"), "label");
  EXPECT_GT(result.at("seconds").get<double>(), 0.0);
  EXPECT_GT(result.at("network_seconds").get<double>(), 0.0);
  EXPECT_LE(result.at("network_seconds").get<double>(), result.at("seconds").get<double>());
  EXPECT_DOUBLE_EQ(result.at("network_busy").get<double>(),
                   result.at("network_seconds").get<double>() / result.at("seconds").get<double>());

  // The same pictures under wrong labels cannot all be right.
  const TemporaryFolder wrong;
  make_image_folder(wrong, {"ship", "frog", "horse", "deer"});
  EXPECT_LT(top1(fovea_tool({"validate", "--model", demo_model("swin"), "--data", wrong / "data",
                             "--json"})
                     .json()),
            25.0 * right);
}

TEST(Cli, ValidateTakesOtherFoldersInSortedOrder) {
  const TemporaryFolder named, numbered;
  make_image_folder(named, {"airplane", "automobile", "bird", "cat"});
  make_image_folder(numbered, {"0", "1", "2", "3"});
  const auto validate = [](const TemporaryFolder& folder) {
    return fovea_tool(
        {"validate", "--model", demo_model("poolformer"), "--data", folder / "data", "--json"});
  };
  const Outcome by_order = validate(numbered);
  EXPECT_EQ(by_order.code, 0);
  EXPECT_EQ(by_order.json().at("classes_by"), "order");
  EXPECT_THAT(by_order.err, HasSubstr("sorted order"));  // 4 folders for 10 classes
  EXPECT_EQ(top1(by_order.json()), top1(validate(named).json()));
}

TEST(Cli, ValidateCountsPicturesThatCannotBeRead) {
  const TemporaryFolder folder;
  make_image_folder(folder, {"airplane", "automobile", "bird", "cat"});
  folder.write("data/cat/0.jpg", "not a picture");
  folder.write("data/cat/notes.txt", "no picture's extension: not looked at");
  const Outcome run =
      fovea_tool({"validate", "--model", demo_model("swin"), "--data", folder / "data", "--json"});
  EXPECT_EQ(run.code, 3);
  EXPECT_THAT(run.err, HasSubstr("cat/0.jpg"));
  EXPECT_EQ(run.json().at("failed"), 1);
  EXPECT_EQ(run.json().at("images"), 4);
}

}  // namespace
}  // namespace fovea::test
