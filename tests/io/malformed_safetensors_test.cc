// SPDX-License-Identifier: Apache-2.0
//
// Every row of malformed_safetensors.h is refused with its message. Items 12 and the configuration
// are in malformed_config_test.cc.

#include "tests/io/malformed_safetensors.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "fovea/io/checkpoint.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace fovea {
namespace {

using test::kEmptyTensor;
using test::many_tensors;
using test::safetensors_file;
using test::tensor_a;

class MalformedSafetensors : public ::testing::Test {
 protected:
  std::unique_ptr<ParamSource> open(const std::string& content) const {
    return open_checkpoint(folder_.write("model.safetensors", content));
  }

  TemporaryFolder folder_;
};

TEST_F(MalformedSafetensors, IsRefusedWithTheReason) {
  const std::string path = (folder_ / "model.safetensors").string();
  for (const test::Malformed& row : test::malformed_safetensors()) {
    SCOPED_TRACE("item " + std::to_string(row.item) + ": " + row.name);
    try {
      open(row.content);
      ADD_FAILURE() << "no error; wanted: " << row.message;
    } catch (const Error& e) {
      EXPECT_EQ(static_cast<int>(e.kind()), static_cast<int>(Error::Kind::file));
      EXPECT_THAT(e.what(), ::testing::StartsWith(path + ": "));
      EXPECT_THAT(e.what(), ::testing::HasSubstr(row.message));
    }
  }
}

// Item 10.
TEST_F(MalformedSafetensors, IsRefusedWhenItIsCutAnywhere) {
  const std::string whole = safetensors_file(
      tensor_a("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]"), "12345678");
  EXPECT_NO_THROW(open(whole));
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(open(whole.substr(0, size)), Error) << size;
  }
}

// Limits are limits, and not one below.
TEST_F(MalformedSafetensors, IsNotWhatKeepsToTheLimits) {
  EXPECT_EQ(open(safetensors_file(many_tensors(100000)))->names().size(), 100000u);
  const std::string name(4096, 'n');
  EXPECT_NE(open(safetensors_file("{\"" + name + "\":" + kEmptyTensor + "}"))->find(name), nullptr);
  EXPECT_EQ(open(safetensors_file(tensor_a("\"dtype\":\"U8\",\"shape\":[1" +
                                           test::repeated(",1", 15) + "],\"data_offsets\":[0,1]"),
                                  "x"))
                ->find("a")
                ->size(),
            16u);
  // A pair of surrogates is one character, and a size of 2^63 - 1 fits where there are no bytes.
  EXPECT_NE(
      open(safetensors_file("{\"\\ud83d\\ude00\":" + kEmptyTensor + "}"))->find("\xF0\x9F\x98\x80"),
      nullptr);
  EXPECT_NO_THROW(open(safetensors_file(
      tensor_a("\"dtype\":\"U8\",\"shape\":[0,9223372036854775807],\"data_offsets\":[0,0]"))));
}

// Item 14: values are the network's business.
TEST_F(MalformedSafetensors, IsNotWhatHasNanAndInfinity) {
  const float values[] = {std::numeric_limits<float>::quiet_NaN(),
                          std::numeric_limits<float>::infinity()};
  std::string data(sizeof(values), '\0');
  std::memcpy(data.data(), values, sizeof(values));
  const auto source = open(
      safetensors_file(tensor_a("\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]"), data));
  const FloatBuffer loaded = source->load("a").to_floats();
  EXPECT_TRUE(std::isnan(loaded[0]));
  EXPECT_TRUE(std::isinf(loaded[1]));
}

}  // namespace
}  // namespace fovea
