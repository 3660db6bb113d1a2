// SPDX-License-Identifier: Apache-2.0
// Whatever is wrong with a call: one message on stderr, the documented exit code, nothing on
// stdout.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cstdlib>
#include <filesystem>

#include "fovea/io/checkpoint.h"
#include "fovea/io/save.h"
#include "tests/cli/tool.h"

namespace fovea::test {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

// The call fails with `code`, says `message`, and writes nothing to stdout.
void expect_refusal(const std::vector<std::string>& args, int code,
                    const ::testing::Matcher<const std::string&>& message) {
  const Outcome run = fovea_tool(args);
  std::string line = "fovea";
  for (const std::string& arg : args) line += " " + arg;
  SCOPED_TRACE(line);
  EXPECT_EQ(run.code, code);
  EXPECT_THAT(run.err, AllOf(StartsWith("fovea: "), message));
  EXPECT_EQ(run.out, "");
  // One message: no second line begins like one.
  EXPECT_EQ(run.err.find("fovea: ", 1), std::string::npos) << run.err;
}

std::vector<std::string> classify_with(const std::vector<std::string>& options,
                                       const std::string& demo = "swin") {
  std::vector<std::string> args = {"classify", "--model", demo_model(demo)};
  args.insert(args.end(), options.begin(), options.end());
  args.push_back(demo_image("cat.jpg"));
  return args;
}

TEST(BadInput, NoOrUnknownSubcommandIsUsage) {
  expect_refusal({}, 2, HasSubstr("--help"));
  expect_refusal({"clasify"}, 2, AllOf(HasSubstr("clasify"), HasSubstr("validate")));
}

TEST(BadInput, UnknownOptionIsUsage) {
  expect_refusal(classify_with({"--frobnicate"}), 2, HasSubstr("--frobnicate"));
}

TEST(BadInput, PicturesOfTooManyPixelsAreBadFiles) {
  expect_refusal(classify_with({"--max-pixels", "100"}), 3, HasSubstr("limit of 100 pixels"));
  expect_refusal(classify_with({"--max-pixels", "0"}), 2, HasSubstr("--max-pixels"));
}

TEST(BadInput, UnknownOptionValuesListTheKnownOnes) {
  expect_refusal(classify_with({"--backend", "gpu"}), 2,
                 AllOf(HasSubstr("gpu"), HasSubstr("native"), HasSubstr("reference")));
  expect_refusal(classify_with({"--isa", "sse9"}), 2,
                 AllOf(HasSubstr("sse9"), HasSubstr("generic"), HasSubstr("avx2")));
  expect_refusal(classify_with({"--isa", "generic", "--backend", "reference"}), 2,
                 HasSubstr("native"));
}

TEST(BadInput, EnvironmentVariableOfUnknownInstructionSetIsUsage) {
  const Outcome run = fovea_tool_with_isa("sse9", classify_with({}));
  EXPECT_EQ(run.code, 2);
  EXPECT_THAT(run.err, HasSubstr("sse9"));
  EXPECT_EQ(run.out, "");
}

TEST(BadInput, NumbersThatAreNoneAreUsage) {
  for (const char* option : {"--batch", "--topk", "--threads", "--img-size"}) {
    for (const char* value : {"nan", "inf", "0", "1.5", "12abc", "99999999999999999999", ""}) {
      expect_refusal(classify_with({option, value}), 2,
                     AllOf(HasSubstr(option), HasSubstr("wanted")));
    }
    expect_refusal(classify_with({std::string(option) + "=-1"}), 2, HasSubstr(option));
  }
  expect_refusal(classify_with({"--img-size", "32x"}), 2, HasSubstr("HxW"));
  expect_refusal(classify_with({"--img-size", "32xnan"}), 2, HasSubstr("HxW"));
}

TEST(BadInput, UnknownArchitectureSuggestsTheNearestNames) {
  expect_refusal({"info", "swin_tiny_patch4_window7_225"}, 2,
                 HasSubstr("swin_tiny_patch4_window7_224"));
  expect_refusal({"list", "no_such_*"}, 2, HasSubstr("no_such_*"));
  const TemporaryFolder folder;
  folder.write("model/config.json", R"({"architecture": "convnext_tinny"})");
  fs::copy_file(demo_model("convnext") + "/model.safetensors", folder / "model/model.safetensors");
  expect_refusal({"info", folder / "model"}, 3,
                 AllOf(HasSubstr("config.json"), HasSubstr("convnext_tiny,")));
}

TEST(BadInput, ModelArgumentsAreChecked) {
  const auto info = [](const std::string& json_text) {
    return std::vector<std::string>{"info", "convnext_tiny", "--model-args", json_text};
  };
  expect_refusal(info(R"({"dephts": [3, 3, 9, 3]})"), 2, HasSubstr("dephts"));
  expect_refusal(info(R"({"depths": "deep"})"), 2, HasSubstr("depths"));
  expect_refusal(info(R"({"depths": [3,)"), 2, HasSubstr("JSON"));
  expect_refusal(info(R"({"depths": [NaN, 3, 9, 3]})"), 2, HasSubstr("JSON"));
  expect_refusal(info(R"({"ls_init_value": 1e999})"), 2, HasSubstr("JSON"));
}

TEST(BadInput, MissingFilesAreBadFiles) {
  const TemporaryFolder folder;
  expect_refusal({"classify", "--model", folder / "none", demo_image("cat.jpg")}, 3,
                 HasSubstr(folder / "none"));
  fs::create_directory(folder / "empty");
  expect_refusal({"classify", "--model", folder / "empty", demo_image("cat.jpg")}, 3,
                 HasSubstr("config.json"));
  expect_refusal({"classify", "--model", "convnext_tiny", "--weights", folder / "none.safetensors",
                  demo_image("cat.jpg")},
                 3, HasSubstr("none.safetensors"));
  expect_refusal({"validate", "--model", demo_model("swin"), "--data", folder / "none"}, 3,
                 HasSubstr(folder / "none"));
  expect_refusal({"validate", "--model", demo_model("swin"), "--data", folder / "empty"}, 3,
                 HasSubstr(folder / "empty"));
  expect_refusal({"classify", "--model", demo_model("swin"), folder / "none.jpg"}, 3,
                 HasSubstr("none.jpg"));
}

TEST(BadInput, ConfigThatIsNoJsonIsABadFile) {
  const TemporaryFolder folder;
  folder.write("model/config.json", R"({"architecture": )");
  fs::copy_file(demo_model("convnext") + "/model.safetensors", folder / "model/model.safetensors");
  expect_refusal({"info", folder / "model"}, 3, HasSubstr("config.json"));
}

TEST(BadInput, NameAndFolderWantDifferentOptions) {
  expect_refusal({"classify", "--model", "convnext_tiny", demo_image("cat.jpg")}, 2,
                 HasSubstr("--weights"));
  expect_refusal(classify_with({"--weights", "x.safetensors"}), 2, HasSubstr("--weights"));
  expect_refusal(classify_with({"--num-classes", "5"}), 2, HasSubstr("--num-classes"));
}

// The tensors of a demo model, to be spoilt and saved in a folder of their own.
NamedTensors demo_tensors(const std::string& demo) {
  const auto source = open_checkpoint(demo_model(demo) + "/model.safetensors");
  NamedTensors tensors;
  for (const std::string& name : source->names()) tensors.emplace_back(name, source->load(name));
  return tensors;
}

TEST(BadInput, EveryTensorThatDoesNotFitIsListed) {
  const TemporaryFolder folder;
  fs::create_directory(folder / "model");
  fs::copy_file(demo_model("convnext") + "/config.json", folder / "model/config.json");
  NamedTensors tensors = demo_tensors("convnext");
  for (auto& [name, tensor] : tensors) {
    if (name == "stem.0.bias") name = "stem.0.surplus";
    if (name == "head.fc.bias") tensor = Tensor::from_floats({3}, std::vector<float>(3));
    if (name == "head.fc.weight") tensor = tensor.reshaped({112, 20});
  }
  save_safetensors(folder / "model/model.safetensors", tensors);
  expect_refusal(
      {"classify", "--model", folder / "model", demo_image("cat.jpg")}, 3,
      AllOf(HasSubstr("stem.0.bias"), HasSubstr("stem.0.surplus"), HasSubstr("head.fc.bias"),
            HasSubstr("[10]"), HasSubstr("[3]"), HasSubstr("[10, 224]"), HasSubstr("[112, 20]")));
}

TEST(BadInput, AnotherNumberOfClassesIsPointedOut) {
  expect_refusal(
      {"info", "convnext_atto_ols", "--weights", demo_model("convnext") + "/model.safetensors",
       "--model-args", R"({"depths": [3, 4, 3, 1], "dims": [64, 112, 176, 224]})"},
      3, AllOf(HasSubstr("[10, 224]"), HasSubstr("--num-classes 10")));
}

TEST(BadInput, TruncatedCheckpointIsABadFile) {
  const TemporaryFolder folder;
  folder.write("model/config.json", read_file(demo_model("swin") + "/config.json"));
  const std::string whole = read_file(demo_model("swin") + "/model.safetensors");
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{5}, std::size_t{100}, whole.size() - 1}) {
    folder.write("model/model.safetensors", whole.substr(0, size));
    expect_refusal({"info", folder / "model"}, 3, HasSubstr("model.safetensors"));
  }
}

TEST(BadInput, BadPicturesDoNotStopTheOthers) {
  const TemporaryFolder folder;
  const std::string whole = read_file(demo_image("cat.jpg"));
  const std::string truncated = folder.write("truncated.jpg", whole.substr(0, whole.size() / 2));
  const std::string text = folder.write("text.jpg", "not a picture");
  const std::string missing = folder / "missing.jpg";
  for (const char* batch : {"1", "2", "8"}) {
    const Outcome run =
        fovea_tool({"classify", "--model", demo_model("swin"), "--json", "--batch", batch,
                    truncated, demo_image("cat.jpg"), text, missing, demo_image("ship.jpg")});
    EXPECT_EQ(run.code, 3);
    EXPECT_THAT(run.err, AllOf(HasSubstr(truncated), HasSubstr(text), HasSubstr(missing),
                               Not(HasSubstr("ship.jpg"))));
    const json list = run.json();
    ASSERT_EQ(list.size(), 5u);
    for (const std::size_t bad : {0u, 2u, 3u}) {
      EXPECT_TRUE(list.at(bad).at("error").is_string());
      EXPECT_FALSE(list.at(bad).contains("labels"));
    }
    const json alone =
        fovea_tool({"classify", "--model", demo_model("swin"), "--json", demo_image("ship.jpg")})
            .json();
    EXPECT_EQ(list.at(4).at("labels"), alone.at(0).at("labels"));
    EXPECT_EQ(list.at(1).at("labels").size(), 5u);
  }
}

TEST(BadInput, ImageSizesThatTheNetworkCannotTakeAreUsage) {
  expect_refusal({"info", "vit_tiny_patch16_224", "--img-size", "8"}, 2, HasSubstr("8"));
  expect_refusal({"info", "convnext_tiny", "--img-size", "3"}, 2, HasSubstr("3"));
  expect_refusal(classify_with({"--img-size", "1"}), 2, HasSubstr("1"));
}

TEST(BadInput, OutputsAreWrittenWholeOrNotAtAll) {
  const TemporaryFolder folder;
  const std::string text = folder.write("text.jpg", "not a picture");
  const auto embed = [&](const std::string& output, const std::string& picture) {
    return std::vector<std::string>{"embed", "--model", demo_model("swin"), "-o", output, picture};
  };
  expect_refusal(embed(folder / "rows.txt", demo_image("cat.jpg")), 2, HasSubstr(".npy"));
  expect_refusal(embed(folder / "none/rows.npy", demo_image("cat.jpg")), 3, HasSubstr("none"));
  expect_refusal(embed(folder / "rows.npy", text), 3, HasSubstr("text.jpg"));
  expect_refusal({"features", "--model", demo_model("swin"), "-o", folder / "x.npy", text}, 3,
                 HasSubstr("text.jpg"));
  const auto files = std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator());
  EXPECT_EQ(files, 1);  // the text file
}

TEST(BadInput, FoldersThatAreNoClassesOfTheModelAreUsage) {
  const TemporaryFolder folder;
  for (int i = 0; i < 11; ++i) {
    folder.write("data/" + std::to_string(i) + "/1.jpg", read_file(demo_image("cat.jpg")));
  }
  expect_refusal({"validate", "--model", demo_model("swin"), "--data", folder / "data"}, 2,
                 AllOf(HasSubstr("11"), HasSubstr("10 classes")));
}

TEST(BadInput, StandardOutputThatIsFullIsAFailedRun) {
  if (!fs::exists("/dev/full")) GTEST_SKIP();
  const int status = std::system("'" FOVEA_TOOL "' list > /dev/full 2> /dev/null");
  EXPECT_EQ(WEXITSTATUS(status), 1);
}

}  // namespace
}  // namespace fovea::test
