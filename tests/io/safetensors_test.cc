// SPDX-License-Identifier: Apache-2.0
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "fovea/io/checkpoint.h"
#include "fovea/io/save.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace fovea {
namespace {

using ::testing::ElementsAre;
using namespace std::string_literals;

// A file whose header announces its own length.
std::string file_of(const std::string& header, const std::string& data = "") {
  std::string length(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) {
    length[i] = static_cast<char>(static_cast<std::uint64_t>(header.size()) >> (8 * i) & 0xFF);
  }
  return length + header + data;
}

std::string repeated(const std::string& text, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += text;
  return out;
}

// The header of a file with tensor "a", of which `fields` are the three keys.
std::string entry(const std::string& fields) { return "{\"a\":{" + fields + "}}"; }

// One tensor "a" of 4 bytes with another shape, dtype or offsets.
std::string with_shape(const std::string& shape) {
  return file_of(entry("\"dtype\":\"F32\",\"data_offsets\":[0,4],\"shape\":" + shape), "1234");
}
std::string with_dtype(const std::string& dtype) {
  return file_of(entry("\"shape\":[1],\"data_offsets\":[0,4],\"dtype\":" + dtype), "1234");
}
std::string with_offsets(const std::string& offsets) {
  return file_of(entry("\"shape\":[1],\"dtype\":\"F32\",\"data_offsets\":" + offsets), "1234");
}

// Two tensors of bytes, "a" and "b", and `size` bytes of data.
std::string two(const std::string& a, const std::string& b, int size, int shape_b = 2) {
  return file_of("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":" + a +
                     "},\"b\":{\"dtype\":\"U8\",\"shape\":[" + std::to_string(shape_b) +
                     "],\"data_offsets\":" + b + "}}",
                 std::string(static_cast<std::size_t>(size), 'x'));
}

const std::string kEntry = "{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}";

std::string many_tensors(int count) {
  std::string header = "{\"0\":" + kEntry;
  for (int i = 1; i < count; ++i) header += ",\"" + std::to_string(i) + "\":" + kEntry;
  return header + "}";
}

struct Malformed {
  const char* name;
  std::string content;
  const char* message;  // part of the one wanted
};

std::vector<Malformed> malformed_files() {
  const std::string open = "{\"a\":";
  return {
      // Length of the header.
      {"empty", "", "wanted at least 8 bytes, found 0"},
      {"seven bytes", "\x01\0\0\0\0\0\0"s, "wanted at least 8 bytes, found 7"},
      {"no header", "\0\0\0\0\0\0\0\0{}"s, "the header is empty"},
      {"header above the cap", "\x01\xE1\xF5\x05\0\0\0\0{}"s, "a header of 100000001 bytes"},
      {"header behind the end", "\x03\0\0\0\0\0\0\0{}"s,
       "truncated: a header of 3 bytes is announced, but 2 follow"},
      {"header length wraps", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}"s,
       "a header of 18446744073709551615 bytes"},
      // What people take for safetensors.
      {"pointer", "version https://git-lfs.github.com/spec/v1\noid sha256:0", "Git LFS pointer"},
      // Text of the header.
      {"not an object", file_of("[]"), "does not begin with {"},
      {"space before", file_of(" {}"), "does not begin with {"},
      {"byte order mark", file_of("\xEF\xBB\xBF{}"), "does not begin with {"},
      {"padded with NUL", file_of("{}\0\0"s), "contains a NUL byte"},
      {"text behind", file_of("{} x"), "not JSON: an error at its byte 4"},
      {"second value behind", file_of("{}{}"), "not JSON"},
      {"unclosed", file_of("{"), "not JSON"},
      {"not JSON", file_of("{a:1}"), "not JSON"},
      {"not UTF-8", file_of("{\"\xFF\xFE\":" + kEntry + "}"), "not JSON"},
      {"comment", file_of("{/* */}"), "not JSON"},
      {"trailing comma", file_of("{\"a\":" + kEntry + ",}"), "not JSON"},
      {"lone surrogate", file_of("{\"\\ud800\":" + kEntry + "}"), "not JSON"},
      {"NUL in a name", file_of("{\"a\\u0000b\":" + kEntry + "}"), "contains NUL"},
      {"nested arrays", file_of(open + repeated("[", 1000000)), "wants an object, found an array"},
      {"nested objects", file_of(repeated(open, 1000000)), "unknown key \"a\""},
      {"nested in shape", with_shape(repeated("[", 1000000)), "shape wants integers"},
      {"long name", file_of("{\"" + std::string(5000, 'n') + "\":" + kEntry + "}"),
       "is longer than 4096 bytes"},
      {"many tensors", file_of(many_tensors(100001)), "more than 100000 tensors"},
      // Keys.
      {"tensor twice", file_of("{\"a\":" + kEntry + ",\"a\":" + kEntry + "}"),
       "\"a\" appears twice"},
      {"dtype twice", with_dtype("\"F32\",\"dtype\":\"F32\""), "tensor \"a\": dtype appears twice"},
      {"shape twice", with_shape("[1],\"shape\":[1]"), "shape appears twice"},
      {"offsets twice", with_offsets("[0,4],\"data_offsets\":[0,4]"), "data_offsets appears twice"},
      {"entry is a number", file_of("{\"a\":1}"), "tensor \"a\" wants an object, found 1"},
      {"entry is null", file_of("{\"a\":null}"), "tensor \"a\" wants an object, found null"},
      {"no dtype", file_of(entry("\"shape\":[0],\"data_offsets\":[0,0]")), "dtype is missing"},
      {"no shape", file_of(entry("\"dtype\":\"U8\",\"data_offsets\":[0,0]")), "shape is missing"},
      {"no offsets", file_of(entry("\"dtype\":\"U8\",\"shape\":[0]")), "data_offsets is missing"},
      {"unknown key", with_dtype("\"F32\",\"extra\":1"), "unknown key \"extra\""},
      {"control characters", with_dtype("\"F32\",\"\\u001b[2J\":1"), "unknown key \"\\x1b[2J\""},
      // Types.
      {"unknown dtype", with_dtype("\"F31\""), "tensor \"a\": unknown dtype \"F31\""},
      {"lower case dtype", with_dtype("\"f32\""), "unknown dtype \"f32\""},
      {"8-bit float", with_dtype("\"F8_E4M3\""), "the dtype F8_E4M3 is not supported"},
      {"sub-byte float", with_dtype("\"F4\""), "the dtype F4 is not supported"},
      {"dtype is a number", with_dtype("32"), "dtype wants a string, found 32"},
      {"dtype is null", with_dtype("null"), "dtype wants a string, found null"},
      {"dtype is an array", with_dtype("[\"F32\"]"), "dtype wants a string, found an array"},
      // Shapes.
      {"shape is a number", with_shape("1"), "shape wants an array, found 1"},
      {"shape is an object", with_shape("{}"), "shape wants an array, found an object"},
      {"negative size", with_shape("[-1]"), "shape wants integers from 0 to 2^63 - 1, found -1"},
      {"fractional size", with_shape("[1.0]"),
       "shape wants integers from 0 to 2^63 - 1, found 1.0"},
      {"exponent", with_shape("[1e0]"), "found 1e0"},
      {"size of 2^63", with_shape("[9223372036854775808]"), "found 9223372036854775808"},
      {"size of 2^64", with_shape("[18446744073709551616]"), "found 18446744073709551616"},
      {"infinite size", with_shape("[1e999]"), "not JSON"},
      {"size is a string", with_shape("[\"1\"]"), "found \"1\""},
      {"size is true", with_shape("[true]"), "found true"},
      {"rank above the cap", with_shape("[1" + repeated(",1", 16) + "]"), "more than 16 sizes"},
      {"product wraps to zero", with_shape("[4294967296,4294967296]"),
       "shape [4294967296, 4294967296] is too large"},
      {"product wraps to the size", with_shape("[4611686018427387905,4]"), "is too large"},
      {"bytes wrap to the size", with_shape("[4611686018427387905]"), "is too large"},
      {"huge behind zero", with_shape("[0,4294967296,4294967296]"), "is too large"},
      {"more than the data", with_shape("[2]"), "wants 8 bytes, data_offsets give 4"},
      {"less than the data", with_shape("[0]"), "wants 0 bytes, data_offsets give 4"},
      // Offsets.
      {"one offset", with_offsets("[0]"), "data_offsets wants two integers, found 1"},
      {"three offsets", with_offsets("[0,2,4]"), "data_offsets wants two integers, found more"},
      {"offsets in an object", with_offsets("{}"), "data_offsets wants an array"},
      {"negative offset", with_offsets("[-4,0]"), "found -4"},
      {"fractional offset", with_offsets("[0,4.0]"), "found 4.0"},
      {"reversed", with_offsets("[4,0]"), "data_offsets are reversed: 4, 0"},
      {"wrapping", with_offsets("[18446744073709551612,18446744073709551616]"),
       "found 18446744073709551616"},
      {"far behind the end", with_offsets("[18446744073709551611,18446744073709551615]"),
       "truncated: tensor \"a\" ends at byte 18446744073709551615 of the data, which have 4"},
      {"overlap", two("[0,2]", "[1,3]", 3), "tensor \"b\" overlaps another one at byte 1"},
      {"same bytes", two("[0,2]", "[0,2]", 2), "overlaps another one"},
      {"empty inside another", two("[0,2]", "[1,1]", 2, 0), "tensor \"b\" overlaps"},
      {"gap", two("[0,2]", "[3,5]", 5), "1 bytes before tensor \"b\" belong to no tensor"},
      {"does not begin at zero", two("[2,4]", "[4,6]", 6), "2 bytes before tensor \"a\""},
      {"data cut", two("[0,2]", "[2,4]", 3), "truncated: tensor \"b\" ends at byte 4"},
      {"data behind", two("[0,2]", "[2,4]", 5), "1 bytes after the last tensor"},
      {"data without tensors", file_of("{}", "x"), "1 bytes after the last tensor"},
      // Metadata.
      {"metadata is an array", file_of("{\"__metadata__\":[]}"),
       "__metadata__ wants an object, found an array"},
      {"metadata has a number", file_of("{\"__metadata__\":{\"a\":1}}"),
       "__metadata__ wants strings only, found 1"},
      {"metadata has an object", file_of("{\"__metadata__\":{\"a\":{}}}"),
       "__metadata__ wants strings only, found an object"},
      {"metadata twice", file_of("{\"__metadata__\":{},\"__metadata__\":{}}"),
       "\"__metadata__\" appears twice"},
      {"metadata key twice", file_of("{\"__metadata__\":{\"a\":\"\",\"a\":\"\"}}"),
       "__metadata__ has \"a\" twice"},
  };
}

TEST(Safetensors, RefusesEveryMalformedFileAndSaysWhy) {
  const TemporaryFolder folder;
  for (const Malformed& row : malformed_files()) {
    SCOPED_TRACE(row.name);
    const auto path = folder.write("bad.safetensors", row.content);
    expect_error([&] { open_checkpoint(path); }, Error::Kind::file, row.message);
    expect_error([&] { open_checkpoint(path); }, Error::Kind::file, path.string() + ": ");
  }
}

TEST(Safetensors, RefusesAFileCutAnywhere) {
  const TemporaryFolder folder;
  const std::string whole =
      file_of(entry("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]"), "12345678");
  EXPECT_NO_THROW(open_checkpoint(folder.write("whole.safetensors", whole)));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    const auto path = folder.write("cut.safetensors", whole.substr(0, size));
    EXPECT_THROW(open_checkpoint(path), Error) << size;
  }
}

TEST(Safetensors, ReadsWhatTheFormatAllows) {
  const TemporaryFolder folder;
  const auto path = folder.write(
      "good.safetensors",
      file_of("{\"__metadata__\":{\"format\":\"pt\"},"
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
  EXPECT_TRUE(open_checkpoint(folder.write("e.safetensors", file_of("{}")))->names().empty());
}

TEST(Safetensors, KeepsTheMappingForItsTensors) {
  const TemporaryFolder folder;
  const auto path =
      folder.write("a.safetensors",
                   file_of(entry("\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]"), "A"));
  const Tensor tensor = open_checkpoint(path)->load("a");  // the source is gone
  EXPECT_EQ(tensor.to_floats()[0], 65.0f);
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
