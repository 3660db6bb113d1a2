// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "fovea/io/checkpoint.h"
#include "fovea/io/save.h"
#include "tests/expect_error.h"
#include "tests/io/malformed.h"
#include "tests/io/safetensors_builder.h"
#include "tests/temporary_folder.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using namespace std::string_literals;

using test::repeated;
using test::safetensors_file;
using test::tensor_a;

TEST(Safetensors, ReadsWhatTheFormatAllows) {
  const TemporaryFolder folder;
  const auto path = folder.write(
      "good.safetensors",
      safetensors_file("{\"__metadata__\":{\"format\":\"pt\"},"
                       "\"late\":{\"data_offsets\":[4,8],\"dtype\":\"F32\",\"shape\":[1,1]},"
                       "\"scalar\":{\"dtype\":\"U8\",\"shape\":[],\"data_offsets\":[3,4]},"
                       "\"empty\":{\"dtype\":\"F64\",\"shape\":[0,7],\"data_offsets\":[3,3]},"
                       "\"first\":{\"dtype\":\"I8\",\"shape\":[3],\"data_offsets\":[0,3]}}\t \r\n",
                       "\x01\x02\xFF\x07\0\0\x80\x3F"s));
  const auto source = open_checkpoint(path);
  EXPECT_THAT(source->names(), ElementsAre("empty", "first", "late", "scalar"));
  EXPECT_EQ(source->description(), path.string());
  EXPECT_EQ(*source->find("empty"), (Shape{0, 7}));
  EXPECT_EQ(source->find("other"), nullptr);
  EXPECT_EQ(source->load("first").to_floats()[2], -1.0f);
  EXPECT_EQ(source->load("late").to_floats()[0], 1.0f);
  EXPECT_EQ(source->load("scalar").to_floats()[0], 7.0f);
  EXPECT_TRUE(source->load("empty").has_data());
  expect_error([&] { source->load("other"); }, Error::Kind::argument, "no tensor \"other\"");
}

TEST(Safetensors, ReadsAFileWithoutTensors) {
  const TemporaryFolder folder;
  EXPECT_TRUE(
      open_checkpoint(folder.write("e.safetensors", safetensors_file("{}")))->names().empty());
}

TEST(Safetensors, KeepsTheMappingForItsTensors) {
  const TemporaryFolder folder;
  const auto path = folder.write(
      "a.safetensors",
      safetensors_file(tensor_a("\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]"), "A"));
  const Tensor tensor = open_checkpoint(path)->load("a");  // the source is gone
  EXPECT_EQ(tensor.to_floats()[0], 65.0f);
}

// The safe mode: what happens to the file after it was opened does not matter.
TEST(Safetensors, ReadToTheEndAreIndependentOfTheirFile) {
  const TemporaryFolder folder;
  const std::string content =
      safetensors_file(tensor_a("\"dtype\":\"U8\",\"shape\":[100000],\"data_offsets\":[0,100000]"),
                       std::string(100000, 'A'));
  const auto path = folder.write("a.safetensors", content);
  const auto source = open_checkpoint(path, {.map = false});
  const Tensor before = source->load("a");
  std::filesystem::resize_file(path, 10);
  const Tensor after = source->load("a");
  folder.write("a.safetensors", std::string(content.size(), 'B'));
  EXPECT_EQ(before.to_floats()[99999], 65.0f);
  EXPECT_EQ(after.to_floats()[99999], 65.0f);
  std::filesystem::remove(path);
  EXPECT_EQ(source->load("a").to_floats()[0], 65.0f);
}

// People hand over what they have.
TEST(Safetensors, IsNotAPointerToTheFile) {
  const TemporaryFolder folder;
  const auto path =
      folder.write("a.safetensors", "version https://git-lfs.github.com/spec/v1\noid sha256:0");
  expect_error([&] { open_checkpoint(path); }, Error::Kind::file, "Git LFS pointer");
}

TEST(Checkpoint, RefusesWhatIsNoFile) {
  const TemporaryFolder folder;
  expect_error([&] { open_checkpoint(folder / "absent.safetensors"); }, Error::Kind::file,
               "absent.safetensors: cannot be read: No such file");
  expect_error([&] { open_checkpoint(folder.path()); }, Error::Kind::file,
               "wanted a file, found a folder");
}

// A sharded checkpoint: "a" in one.safetensors and "b" in two.safetensors.
class ShardsTest : public ::testing::Test {
 protected:
  ShardsTest() {
    write_shard("one.safetensors", {"a"});
    write_shard("two.safetensors", {"b"});
  }

  void write_shard(const std::string& file, const std::vector<std::string>& names) {
    NamedTensors tensors;
    for (const std::string& name : names) {
      const float value = static_cast<float>(name[0]);
      tensors.emplace_back(name, Tensor::from_floats({1}, {&value, 1}));
    }
    save_safetensors(folder_ / file, tensors);
  }

  std::unique_ptr<ParamSource> open(const std::string& weight_map) {
    return open_checkpoint(
        folder_.write("model.safetensors.index.json", "{\"weight_map\":" + weight_map + "}"));
  }

  TemporaryFolder folder_;
};

TEST_F(ShardsTest, AreOneSource) {
  const auto source = open(R"({"a": "one.safetensors", "b": "two.safetensors"})");
  EXPECT_THAT(source->names(), ElementsAre("a", "b"));
  EXPECT_EQ(source->load("a").to_floats()[0], 97.0f);
  EXPECT_EQ(source->load("b").to_floats()[0], 98.0f);
  EXPECT_EQ(source->find("c"), nullptr);
  expect_error([&] { source->load("c"); }, Error::Kind::argument, "no tensor \"c\"");
}

TEST_F(ShardsTest, AreRefusedWhenTheIndexIsWrong) {
  write_shard("both.safetensors", {"a", "b"});
  folder_.write("bad.safetensors", "short");
  const std::vector<std::pair<const char*, const char*>> rows = {
      {R"([])", "weight_map wants an object, found an array of 0"},
      {R"({"a": 1})", "\"a\" wants a file name, found 1"},
      {R"({"a": "/etc/passwd"})", "beside the index, found \"/etc/passwd\""},
      {R"({"a": "../one.safetensors"})", "found \"../one.safetensors\""},
      {R"({"a": ".."})", "found \"..\""},
      {R"({"a": ""})", "found \"\""},
      {R"({"a": "x\\one.safetensors"})", "beside the index"},
      {R"({"a": "one\u0000.safetensors"})", "beside the index"},
      {R"({"a": "three.safetensors"})", "the shard \"three.safetensors\" is missing"},
      {R"({"a": "model.safetensors.index.json"})", "index.json: not a safetensors file"},
      {R"({"a": "bad.safetensors"})", "bad.safetensors: not a safetensors file"},
      {R"({"a": "one.safetensors", "c": "one.safetensors"})",
       "the tensor \"c\" is not in one.safetensors"},
      {R"({"a": "both.safetensors"})", "the tensor \"b\" of both.safetensors is not listed"},
      {R"({"a": "both.safetensors", "b": "two.safetensors"})",
       "the tensor \"b\" is in two shards, two.safetensors and both.safetensors"},
      {R"({"a": "one.safetensors", "a": "two.safetensors"})", "the key \"a\" twice"},
  };
  for (const auto& [weight_map, message] : rows) {
    SCOPED_TRACE(weight_map);
    expect_error([&] { open(weight_map); }, Error::Kind::file, message);
  }
}

TEST_F(ShardsTest, AreRefusedWhenTheIndexIsNoIndex) {
  const std::vector<std::pair<std::string, const char*>> rows = {
      {"", "not JSON"},
      {"[]", "weight_map is missing"},
      {"{}", "weight_map is missing"},
      {"{}\0"s, "contains a NUL byte"},
      {"{\"a\":" + repeated("[", 100000), "nested more than 64 levels deep"},
      {"{\"a\": 1e999}", "a number out of range"},
  };
  for (const auto& [content, message] : rows) {
    SCOPED_TRACE(content.substr(0, 20));
    const auto path = folder_.write("model.safetensors.index.json", content);
    expect_error([&] { open_checkpoint(path); }, Error::Kind::file, message);
  }
}

}  // namespace
}  // namespace fovea
