// SPDX-License-Identifier: Apache-2.0
#include "src/io/torch_checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "fovea/io/checkpoint.h"
#include "fovea/io/save.h"
#include "tests/expect_error.h"
#include "tests/io/pickle_writer.h"
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
    EXPECT_EQ(torch_name(source.dtype(name)), tensor["dtype"].get<std::string>());
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

// Checkpoints that no PyTorch of today writes by itself; the storage "0" is the floats 0, 1, 2, 3.
std::unique_ptr<ParamSource> open_pickle(const std::string& value, const std::string& key = {}) {
  const float floats[] = {0, 1, 2, 3};
  const std::string data(reinterpret_cast<const char*>(floats), sizeof floats);
  const auto file =
      std::make_shared<std::string>(pickle::archive(pickle::whole(value), {data}).write());
  return open_torch_checkpoint({"memory", file, std::as_bytes(std::span(*file))}, key);
}

std::vector<float> values(const ParamSource& source, const std::string& name) {
  const FloatBuffer floats = source.load(name).to_floats();
  return {floats.data(), floats.data() + source.load(name).size()};
}

TEST(TorchCheckpoint, HonoursViews) {
  using namespace pickle;
  const auto view = [](std::int64_t offset, std::initializer_list<int> sizes,
                       std::initializer_list<std::int64_t> strides) {
    std::string size_items, stride_items;
    for (const int size : sizes) size_items += integer(size);
    for (const std::int64_t stride : strides) stride_items += integer(stride);
    return tensor(storage(4), offset, tuple(size_items), tuple(stride_items));
  };
  const auto source = open_pickle(dict(
      unicode("rows") + view(2, {1, 2}, {2, 1}) + unicode("transposed") + view(0, {2, 2}, {1, 2}) +
      unicode("every_other") + view(1, {2}, {2}) + unicode("expanded") + view(3, {2, 2}, {0, 0}) +
      unicode("overlapping") + view(0, {3, 2}, {1, 1}) + unicode("unused_stride") +
      view(0, {2, 1}, {2, std::int64_t{1} << 62}) + unicode("empty") + view(4, {0, 3}, {3, 1}) +
      unicode("scalar") + view(2, {}, {})));
  EXPECT_THAT(values(*source, "rows"), ElementsAre(2, 3));
  EXPECT_THAT(values(*source, "transposed"), ElementsAre(0, 2, 1, 3));
  EXPECT_THAT(values(*source, "every_other"), ElementsAre(1, 3));
  EXPECT_THAT(values(*source, "expanded"), ElementsAre(3, 3, 3, 3));
  EXPECT_THAT(values(*source, "overlapping"), ElementsAre(0, 1, 1, 2, 2, 3));
  EXPECT_THAT(values(*source, "unused_stride"), ElementsAre(0, 2));
  EXPECT_THAT(values(*source, "empty"), IsEmpty());
  EXPECT_THAT(values(*source, "scalar"), ElementsAre(2));
}

TEST(TorchCheckpoint, ReadsEveryWayToRebuildATensor) {
  using namespace pickle;
  const std::string plain = tensor(storage(4), 0, tuple(integer(4)), tuple(integer(1)));
  const std::string arguments =
      tuple(storage(4) + integer(0) + tuple(integer(4)) + tuple(integer(1)) + kFalse + kEmptyDict);
  const std::string rebuild = global("torch._utils", "_rebuild_tensor_v2");
  const auto source = open_pickle(dict(
      unicode("v1") +
      call(global("torch._utils", "_rebuild_tensor"),
           storage(4) + integer(0) + tuple(integer(4)) + tuple(integer(1))) +
      unicode("parameter") +
      call(global("torch._utils", "_rebuild_parameter"), plain + kTrue + kEmptyDict) +
      unicode("with_state") +
      call(global("torch._utils", "_rebuild_parameter_with_state"),
           plain + kTrue + kEmptyDict + kEmptyDict) +
      unicode("old_parameter") + global("torch.nn.parameter", "Parameter") + tuple(plain + kTrue) +
      kNewObj + unicode("of_class") +
      call(global("torch._tensor", "_rebuild_from_type_v2"),
           rebuild + global("torch.nn.parameter", "Parameter") + arguments + kEmptyDict) +
      unicode("size") +
      call(rebuild, storage(4) + integer(0) + call(global("torch", "Size"), tuple(integer(4))) +
                        tuple(integer(1)) + kFalse + kEmptyDict)));
  EXPECT_EQ(source->names().size(), 6);
  for (const std::string& name : source->names()) {
    EXPECT_THAT(values(*source, name), ElementsAre(0, 1, 2, 3)) << name;
  }
}

TEST(TorchCheckpoint, ReadsUntypedStorages) {
  using namespace pickle;
  const std::string untyped = tuple(unicode("storage") + global("torch.storage", "UntypedStorage") +
                                    unicode("0") + unicode("cpu") + integer(16)) +
                              kPersId;
  const auto source = open_pickle(
      dict(unicode("a") + call(global("torch._utils", "_rebuild_tensor_v3"),
                               untyped + integer(1) + tuple(integer(3)) + tuple(integer(1)) +
                                   kFalse + kEmptyDict + global("torch", "float32"))));
  EXPECT_EQ(source->dtype("a"), DType::f32);
  EXPECT_THAT(values(*source, "a"), ElementsAre(1, 2, 3));
}

TEST(TorchCheckpoint, WalksOverWhatIsNoTensor) {
  using namespace pickle;
  const std::string scalar =
      call(global("numpy.core.multiarray", "scalar"),
           call(global("numpy", "dtype"), unicode("f8") + kFalse + kTrue) +
               tuple(integer(3) + unicode("<")) + kBuild +
               call(global("_codecs", "encode"), unicode("12345678") + unicode("latin1")));
  const auto source =
      open_pickle(dict(unicode("model") +
                       dict(unicode("module._orig_mod.w") + vector(4) + unicode("n") + integer(3) +
                            unicode("d") + dict(unicode("x") + kNone)) +
                       unicode("best") + scalar + unicode("seen") +
                       call(global("__builtin__", "set"), kEmptyList + integer(1) + kAppend) +
                       unicode("counts") + call(global("collections", "Counter"), kEmptyDict) +
                       integer(7) + dict(integer(1) + vector(4))));
  EXPECT_THAT(source->names(), ElementsAre("w"));
  EXPECT_THAT(source->summary().metadata,
              ElementsAre(Pair("best",
                               "scalar((dtype((f8, False, True), (3, <)), "
                               "encode((12345678, latin1))))"),
                          Pair("seen", "set(([1]))"), Pair("counts", "{}")));
}

// What Python 2 made of an OrderedDict: a list of pairs.
TEST(TorchCheckpoint, ReadsOrderedDictsOfPython2) {
  using namespace pickle;
  const std::string pair = kEmptyList + kMark + "U\1w" + vector(4) + kAppends;
  const auto source =
      open_pickle(call(global("collections", "OrderedDict"), kEmptyList + kMark + pair + kAppends));
  EXPECT_THAT(values(*source, "w"), ElementsAre(0, 1, 2, 3));
}

TEST(TorchCheckpoint, FindsTheTensorsWhereTimmDoes) {
  using namespace pickle;
  const auto holds = [](const char* name) { return dict(unicode(name) + vector(4)); };
  const auto key = [&](const std::string& items, const std::string& asked = {}) {
    return open_pickle(dict(items), asked)->summary().key;
  };
  const std::string model = unicode("model") + holds("w");
  const std::string state = unicode("state_dict") + holds("w");
  const std::string ema = unicode("model_ema") + holds("w");
  EXPECT_EQ(key(model), "model");
  EXPECT_EQ(key(model + state), "state_dict");
  EXPECT_EQ(key(model + state + ema), "model_ema");
  EXPECT_EQ(key(ema + unicode("state_dict_ema") + holds("w")), "state_dict_ema");
  EXPECT_EQ(key(unicode("state_dict_ema") + kNone + model), "model");  // training without EMA
  EXPECT_EQ(key(unicode("model") + unicode("swin_tiny") + unicode("w") + vector(4)), "");
  EXPECT_EQ(key(unicode("model") + dict(state)), "model.state_dict");
  EXPECT_EQ(key(unicode("net") + holds("w")), "net");  // nowhere else is a tensor
  EXPECT_EQ(key(unicode("a.b") + dict(unicode("c.d") + holds("w")) + state, "a.b.c.d"), "a.b.c.d");
  EXPECT_EQ(
      key(unicode("teacher") + dict(unicode("backbone") + holds("w")) + state, "teacher.backbone"),
      "teacher.backbone");
}

TEST(TorchCheckpoint, ReadsShards) {
  const TemporaryFolder folder;
  fs::copy(kFolder / "metadata.pth", folder / "pytorch_model-00001-of-00002.bin");
  fs::copy(kFolder / "legacy.pth", folder / "pytorch_model-00002-of-00002.bin");
  nlohmann::json index;
  for (const int shard : {1, 2}) {
    const std::string file = "pytorch_model-0000" + std::to_string(shard) + "-of-00002.bin";
    for (const std::string& name : open_checkpoint(folder / file)->names()) {
      index["weight_map"][name] = file;
    }
  }
  const auto source = open_checkpoint(folder.write("pytorch_model.bin.index.json", index.dump()));
  EXPECT_EQ(source->names().size(), 8);
  EXPECT_EQ(source->summary().format, "PyTorch zip");
  EXPECT_EQ(values(*source, "conv.bias"),
            values(*open_checkpoint(kFolder / "metadata.pth"), "conv.bias"));
}

TEST(TorchCheckpoint, TensorsOutliveTheirSource) {
  const Tensor mapped = open_checkpoint(kFolder / "plain.pth")->load("norm.weight");
  const Tensor copied = open_checkpoint(kFolder / "views.pth")->load("b");
  EXPECT_EQ(crc32(mapped.bytes(), 32),
            expected()["plain.pth"]["tensors"]["norm.weight"]["crc32"].get<std::uint32_t>());
  EXPECT_EQ(crc32(copied.bytes(), 4096),
            expected()["views.pth"]["tensors"]["b"]["crc32"].get<std::uint32_t>());
}

}  // namespace
}  // namespace fovea
