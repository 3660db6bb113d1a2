// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fovea/io/checkpoint.h"
#include "fovea/io/save.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::StartsWith;
using ::testing::UnorderedElementsAreArray;

const fs::path kFolder = fs::path(FOVEA_TEST_DATA) / "checkpoints";

// CRC-32 of zip and zlib, by its definition.
std::uint32_t crc32(const std::byte* data, std::size_t size) {
  std::uint32_t crc = 0xFFFFFFFF;
  for (std::size_t i = 0; i < size; ++i) {
    crc ^= std::to_integer<std::uint32_t>(data[i]);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (0xEDB88320 & (0U - (crc & 1)));
  }
  return ~crc;
}

std::string torch_name(DType type) {
  switch (type) {
    case DType::f64:
      return "float64";
    case DType::f32:
      return "float32";
    case DType::f16:
      return "float16";
    case DType::bf16:
      return "bfloat16";
    case DType::i64:
      return "int64";
    case DType::i32:
      return "int32";
    case DType::i16:
      return "int16";
    case DType::i8:
      return "int8";
    case DType::u8:
      return "uint8";
    case DType::boolean:
      return "bool";
  }
  return "?";
}

void expect_tensors(const ParamSource& source, const nlohmann::json& wanted) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : wanted.items()) {
    SCOPED_TRACE(name);
    names.push_back(name);
    const auto shape = tensor["shape"].get<Shape>();
    ASSERT_NE(source.find(name), nullptr);
    EXPECT_EQ(*source.find(name), shape);
    EXPECT_EQ(torch_name(source.dtype(name)), tensor["dtype"]);
    const Tensor loaded = source.load(name);
    EXPECT_EQ(loaded.shape(), shape);
    EXPECT_EQ(loaded.dtype(), source.dtype(name));
    const std::size_t bytes = static_cast<std::size_t>(loaded.size()) * size_of(loaded.dtype());
    EXPECT_EQ(crc32(loaded.bytes(), bytes), tensor["crc32"].get<std::uint32_t>());
  }
  EXPECT_THAT(source.names(), UnorderedElementsAreArray(names));
}

nlohmann::json expected() {
  return nlohmann::json::parse(std::ifstream(kFolder / "expected.json"));
}

// Each file of expected.json, which PyTorch wrote together with the .pth files: mapped, and read.
class TorchOracleTest : public ::testing::TestWithParam<std::string> {};

TEST_P(TorchOracleTest, IsReproduced) {
  const auto wanted = expected()[GetParam()]["tensors"];
  ASSERT_FALSE(wanted.empty());
  for (const bool map : {true, false}) {
    CheckpointOptions options;
    options.map = map;
    expect_tensors(*open_checkpoint(kFolder / GetParam(), options), wanted);
  }
}

std::vector<std::string> oracle_files() {
  std::vector<std::string> files;
  const nlohmann::json all = expected();
  for (const auto& [file, content] : all.items()) files.push_back(file);
  return files;
}

INSTANTIATE_TEST_SUITE_P(Files, TorchOracleTest, ::testing::ValuesIn(oracle_files()),
                         [](const auto& file) { return fs::path(file.param).stem().string(); });

TEST(TorchCheckpoint, IsToldByItsContentAndNotByItsName) {
  const TemporaryFolder folder;
  fs::copy(kFolder / "plain.pth", folder / "a.safetensors");
  fs::copy(kFolder / "legacy.pth", folder / "b");
  save_safetensors(folder / "c.pth.safetensors", {});
  fs::rename(folder / "c.pth.safetensors", folder / "c.pth");
  EXPECT_EQ(open_checkpoint(folder / "a.safetensors")->summary().format, "PyTorch zip");
  EXPECT_EQ(open_checkpoint(folder / "b")->summary().format, "PyTorch legacy");
  EXPECT_EQ(open_checkpoint(folder / "c.pth")->summary().format, "safetensors");
}

TEST(TorchCheckpoint, TellsWhatElseIsInIt) {
  const CheckpointSummary summary = open_checkpoint(kFolder / "model_key.pth")->summary();
  EXPECT_EQ(summary.key, "model");
  EXPECT_THAT(summary.other_keys, IsEmpty());
  ASSERT_EQ(summary.metadata.size(), 3);
  EXPECT_THAT(summary.metadata[0], Pair("epoch", "300"));
  EXPECT_THAT(summary.metadata[1], Pair("args", StartsWith("Namespace({")));
  EXPECT_EQ(summary.metadata[2].first, "optimizer");
}

TEST(TorchCheckpoint, GivesTheDictThatIsAskedFor) {
  EXPECT_EQ(open_checkpoint(kFolder / "ema.pth")->summary().key, "state_dict_ema");
  EXPECT_THAT(open_checkpoint(kFolder / "ema.pth")->summary().other_keys,
              ElementsAre("state_dict"));
  CheckpointOptions options;
  options.key = "state_dict";
  const auto source = open_checkpoint(kFolder / "ema.pth", options);
  EXPECT_EQ(source->summary().key, "state_dict");
  EXPECT_THAT(source->summary().other_keys, ElementsAre("state_dict_ema"));
  expect_tensors(*source, expected()["plain.pth"]["tensors"]);
  options.key = "teacher";
  expect_error([&] { open_checkpoint(kFolder / "ema.pth", options); }, Error::Kind::argument,
               "ema.pth: there is no dict of tensors at the key \"teacher\"; there is one at "
               "\"state_dict\", \"state_dict_ema\"");
}

}  // namespace
}  // namespace fovea
