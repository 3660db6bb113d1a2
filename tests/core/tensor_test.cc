// SPDX-License-Identifier: Apache-2.0
#include "fovea/core/tensor.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "tests/expect_error.h"

namespace fovea {
namespace {

// A tensor whose bytes begin one behind an aligned address, as in a mapped file.
template <class Stored>
Tensor unaligned(DType dtype, const std::vector<Stored>& values) {
  const std::size_t bytes = values.size() * sizeof(Stored);
  auto block = std::make_shared<Buffer<std::byte>>(bytes + 1);
  std::byte* data = block->data() + 1;
  std::memcpy(data, values.data(), bytes);
  return {{static_cast<std::int64_t>(values.size())}, dtype, block, data};
}

template <class Stored>
std::vector<float> converted(DType dtype, const std::vector<Stored>& values) {
  const FloatBuffer floats = unaligned(dtype, values).to_floats();
  return {floats.begin(), floats.end()};
}

using Floats = std::vector<float>;

TEST(Tensor, ConvertsUnalignedValuesOfEveryType) {
  EXPECT_EQ(converted<float>(DType::f32, {1.5f, -2.25f, 0x1p-149f}),
            (Floats{1.5f, -2.25f, 0x1p-149f}));
  EXPECT_EQ(converted<double>(DType::f64, {1.5, 0.1, 1e-300}), (Floats{1.5f, 0.1f, 0.0f}));
  EXPECT_EQ(converted<std::uint16_t>(DType::f16, {0x3C00, 0xC100, 0x0001}),
            (Floats{1.0f, -2.5f, 0x1p-24f}));
  EXPECT_EQ(converted<std::uint16_t>(DType::bf16, {0x3F80, 0xC020}), (Floats{1.0f, -2.5f}));
  EXPECT_EQ(converted<std::int64_t>(DType::i64, {-7, 16777217, 16777219}),
            (Floats{-7.0f, 16777216.0f, 16777220.0f}));
  EXPECT_EQ(converted<std::int32_t>(DType::i32, {-7, 2147483647}), (Floats{-7.0f, 2147483648.0f}));
  EXPECT_EQ(converted<std::int16_t>(DType::i16, {-32768, 5}), (Floats{-32768.0f, 5.0f}));
  EXPECT_EQ(converted<std::int8_t>(DType::i8, {-128, 5}), (Floats{-128.0f, 5.0f}));
  EXPECT_EQ(converted<std::uint8_t>(DType::u8, {255, 5}), (Floats{255.0f, 5.0f}));
  EXPECT_EQ(converted<std::uint8_t>(DType::boolean, {0, 1, 2}), (Floats{0.0f, 1.0f, 1.0f}));
}

TEST(Tensor, KeepsInfinitiesAndNaNs) {
  const float infinity = std::numeric_limits<float>::infinity();
  const Floats from_double = converted<double>(
      DType::f64, {infinity, -infinity, std::numeric_limits<double>::quiet_NaN()});
  EXPECT_EQ(from_double[0], infinity);
  EXPECT_EQ(from_double[1], -infinity);
  EXPECT_TRUE(std::isnan(from_double[2]));
}

TEST(Tensor, KeepsTheOwnerOfItsBytesAlive) {
  auto owner = std::make_shared<Floats>(Floats{1.0f, 2.0f});
  const std::weak_ptr<Floats> watch = owner;
  Tensor copy;
  {
    const auto* bytes = reinterpret_cast<const std::byte*>(owner->data());
    const Tensor tensor({2}, DType::f32, std::move(owner), bytes);
    copy = tensor.reshaped({2, 1});
  }
  EXPECT_FALSE(watch.expired());
  EXPECT_EQ(copy.to_floats()[1], 2.0f);
  copy = Tensor();
  EXPECT_TRUE(watch.expired());
}

TEST(Tensor, CopiesTheFloatsItIsMadeFrom) {
  Floats values = {1.0f, 2.0f, 3.0f, 4.0f, 5.0f, 6.0f};
  const Tensor tensor = Tensor::from_floats({2, 3}, values);
  values.assign(6, 0.0f);
  EXPECT_EQ(tensor.to_floats()[5], 6.0f);
  EXPECT_EQ(tensor.size(), 6);
  expect_error(
      [&] {
        Tensor::from_floats({2, 2}, values);
      },
      Error::Kind::argument, "a tensor of shape [2, 2] wants 4 values, found 6");
}

TEST(Tensor, ReadsAsZerosWithoutData) {
  const Tensor tensor = Tensor::shape_only({2, 2});
  EXPECT_FALSE(tensor.has_data());
  for (const float value : tensor.to_floats()) EXPECT_EQ(value, 0.0f);
}

TEST(Tensor, MayBeEmptyAndHaveDataAllTheSame) {
  const Tensor tensor = Tensor::from_floats({0, 3}, {});
  EXPECT_TRUE(tensor.has_data());
  EXPECT_TRUE(tensor.to_floats().empty());
}

TEST(Tensor, ReshapesToAnEqualSizeOnly) {
  const Tensor tensor = Tensor::from_floats({4}, Floats(4, 1.0f));
  EXPECT_EQ(tensor.reshaped({2, 2, 1}).shape(), (Shape{2, 2, 1}));
  expect_error([&] { tensor.reshaped({3}); }, Error::Kind::argument,
               "a tensor of shape [4] cannot become one of shape [3]");
  expect_error([&] { tensor.reshaped({-1, -4}); }, Error::Kind::argument, "[-1, -4]");
}

TEST(Tensor, GivesRowsWhereTheyLie) {
  const std::vector<std::uint16_t> halves = {0x3C00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600};
  const Tensor tensor = unaligned(DType::f16, halves).reshaped({3, 2});
  const Tensor rows = tensor.rows(1, 2);
  EXPECT_EQ(rows.shape(), (Shape{2, 2}));
  EXPECT_EQ(rows.bytes(), tensor.bytes() + 4);
  const FloatBuffer floats = rows.to_floats();
  EXPECT_EQ(Floats(floats.begin(), floats.end()), (Floats{3, 4, 5, 6}));
  EXPECT_EQ(tensor.rows(3, 0).shape(), (Shape{0, 2}));
  EXPECT_FALSE(Tensor::shape_only({3, 2}).rows(1, 1).has_data());
  expect_error([&] { tensor.rows(2, 2); }, Error::Kind::argument,
               "a tensor of shape [3, 2] has no rows 2 to 4");
  expect_error([&] { tensor.rows(-1, 2); }, Error::Kind::argument, "no rows -1 to 1");
  expect_error([&] { Tensor::shape_only({}).rows(0, 1); }, Error::Kind::argument, "shape []");
}

}  // namespace
}  // namespace fovea
