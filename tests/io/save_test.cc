// SPDX-License-Identifier: Apache-2.0
#include "fovea/io/save.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>

#include "fovea/io/checkpoint.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using namespace std::string_literals;

std::vector<std::string> files_in(const TemporaryFolder& folder) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path())) {
    names.push_back(entry.path().filename().string());
  }
  return names;
}

const std::vector<float> kValues = {1.0f, -2.5f, 0.0f, 3.0f, 1e-40f, 6.0f};

std::string as_bytes(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

TEST(SaveNpy, WritesTheHeaderThatNumPyWrites) {
  const TemporaryFolder folder;
  save_npy(folder / "a.npy", Tensor::from_floats({2, 3}, kValues));
  const std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
  EXPECT_EQ(folder.read("a.npy"), "\x93NUMPY\x01\x00v\x00"s + header +
                                      std::string(0x76 - header.size() - 1, ' ') + "\n" +
                                      as_bytes(kValues));
  EXPECT_THAT(files_in(folder), ElementsAre("a.npy"));
}

TEST(SaveNpy, WritesShapesAsPythonDoesAndAlignsTheData) {
  const TemporaryFolder folder;
  const std::vector<std::pair<Shape, const char*>> rows = {
      {{}, "'shape': (), }"},
      {{1}, "'shape': (1,), }"},
      {{1, 1, 1}, "'shape': (1, 1, 1), }"},
      {Shape(20, 1), "1, 1), }"},
  };
  for (const auto& [shape, text] : rows) {
    save_npy(folder / "a.npy", Tensor::from_floats(shape, {kValues.data(), 1}));
    const std::string content = folder.read("a.npy");
    EXPECT_NE(content.find(text), std::string::npos) << text;
    EXPECT_EQ((content.size() - sizeof(float)) % 64, 0u);
  }
}

TEST(SaveNpy, TakesSinglePrecisionOnly) {
  const TemporaryFolder folder;
  expect_error([&] { save_npy(folder / "a.npy", Tensor::shape_only({2})); }, Error::Kind::file,
               "the tensor has no data to save");
  const Tensor f32 = Tensor::from_floats({2}, {kValues.data(), 2});
  const Tensor f64({1}, DType::f64, std::make_shared<Tensor>(f32), f32.bytes());
  expect_error([&] { save_npy(folder / "a.npy", f64); }, Error::Kind::file,
               "wanted a tensor of f32, found f64");
  EXPECT_THAT(files_in(folder), ElementsAre());
}

TEST(SaveSafetensors, GivesBackEveryTensorOfEveryType) {
  const TemporaryFolder folder;
  NamedTensors tensors;
  tensors.emplace_back("z.weight", Tensor::from_floats({3, 2}, kValues));
  tensors.emplace_back("scalar \"quoted\" \xC3\xA9", Tensor::from_floats({}, {kValues.data(), 1}));
  tensors.emplace_back("empty", Tensor::from_floats({0, 4}, {}));
  const auto owner = std::make_shared<Tensor>(tensors[0].second);
  const DType types[] = {DType::f64, DType::f32, DType::f16, DType::bf16, DType::i64,
                         DType::i32, DType::i16, DType::i8,  DType::u8,   DType::boolean};
  for (const DType type : types) {
    tensors.emplace_back(to_string(type), Tensor({3}, type, owner, owner->bytes()));
  }
  save_safetensors(folder / "a.safetensors", tensors);
  const auto source = open_checkpoint(folder / "a.safetensors");
  EXPECT_EQ(source->names().size(), tensors.size());
  for (const auto& [name, tensor] : tensors) {
    SCOPED_TRACE(name);
    ASSERT_NE(source->find(name), nullptr);
    const Tensor found = source->load(name);
    EXPECT_EQ(found.shape(), tensor.shape());
    EXPECT_EQ(found.dtype(), tensor.dtype());
    EXPECT_EQ(std::memcmp(found.bytes(), tensor.bytes(),
                          static_cast<std::size_t>(tensor.size()) * size_of(tensor.dtype())),
              0);
  }
  EXPECT_THAT(files_in(folder), ElementsAre("a.safetensors"));
}

TEST(SaveSafetensors, KeepsTheOrderGiven) {
  const TemporaryFolder folder;
  const Tensor tensor = Tensor::from_floats({1}, {kValues.data(), 1});
  save_safetensors(folder / "a.safetensors", {{"z", tensor}, {"a", tensor}});
  const std::string content = folder.read("a.safetensors");
  EXPECT_LT(content.find("\"z\""), content.find("\"a\""));
  EXPECT_NE(content.find(R"("z":{"dtype":"F32","shape":[1],"data_offsets":[0,4]})"),
            std::string::npos);
  EXPECT_EQ((content.size() - 8) % 8, 0u);  // the data are aligned
}

TEST(SaveSafetensors, RefusesNamesThatNoReaderTakes) {
  const TemporaryFolder folder;
  const Tensor tensor = Tensor::from_floats({1}, {kValues.data(), 1});
  const auto save = [&](const NamedTensors& tensors) {
    save_safetensors(folder / "a.safetensors", tensors);
  };
  const auto kind = Error::Kind::file;
  expect_error([&] { save({{"a", tensor}, {"a", tensor}}); }, kind, "two tensors are called \"a\"");
  expect_error([&] { save({{"__metadata__", tensor}}); }, kind, "cannot be the name of a tensor");
  expect_error([&] { save({{"\xFF", tensor}}); }, kind, "not UTF-8");
  expect_error(
      [&] {
        save({{"a", Tensor::shape_only({1})}});
      },
      kind, "tensor \"a\" has no data to save");
  EXPECT_THAT(files_in(folder), ElementsAre());
}

TEST(Save, ReplacesAFileOrLeavesItAlone) {
  const TemporaryFolder folder;
  folder.write("a.npy", "before");
  expect_error([&] { save_npy(folder / "a.npy", Tensor::shape_only({1})); }, Error::Kind::file,
               "no data");
  EXPECT_EQ(folder.read("a.npy"), "before");
  save_npy(folder / "a.npy", Tensor::from_floats({1}, {kValues.data(), 1}));
  EXPECT_TRUE(folder.read("a.npy").starts_with("\x93NUMPY"));
}

TEST(Save, LeavesNothingBehindWhenItFails) {
  const TemporaryFolder folder;
  const Tensor tensor = Tensor::from_floats({1}, {kValues.data(), 1});
  expect_error([&] { save_npy(folder / "absent/a.npy", tensor); }, Error::Kind::file,
               "a.npy: cannot be written: No such file");
  // A folder in the way: the temporary file can be written, but not renamed.
  std::filesystem::create_directory(folder / "a.npy");
  expect_error([&] { save_npy(folder / "a.npy", tensor); }, Error::Kind::file, "cannot be written");
  EXPECT_THAT(files_in(folder), ElementsAre("a.npy"));
}

}  // namespace
}  // namespace fovea
