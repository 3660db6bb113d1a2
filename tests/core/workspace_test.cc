// SPDX-License-Identifier: Apache-2.0
#include "fovea/core/workspace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <limits>
#include <vector>

#include "tests/expect_error.h"

namespace fovea {
namespace {

constexpr std::size_t kMega = std::size_t{1} << 20;

// What a forward does: scopes in scopes, some larger than all that came before. Fills what it
// takes and checks it at the end, so that overlapping memory shows.
void forward(Workspace& ws) {
  const Workspace::Scope outer(ws);
  float* kept = ws.floats(100000);
  std::fill_n(kept, 100000, 1.0f);
  for (std::size_t step = 1; step <= 4; ++step) {
    const Workspace::Scope inner(ws);
    float* a = ws.floats(step * 300000);
    float* b = ws.floats(7);
    std::fill_n(a, step * 300000, 2.0f);
    std::fill_n(b, 7, 3.0f);
    ASSERT_TRUE(std::all_of(a, a + step * 300000, [](float v) { return v == 2.0f; }));
  }
  float* last = ws.floats(50000);
  std::fill_n(last, 50000, 4.0f);
  ASSERT_TRUE(std::all_of(kept, kept + 100000, [](float v) { return v == 1.0f; }));
}

TEST(Workspace, GrowsOnceAndNeverAgain) {
  Workspace ws;
  EXPECT_EQ(ws.capacity(), 0u);
  forward(ws);
  const std::size_t capacity = ws.capacity();
  const std::size_t peak = ws.peak();
  // The largest of the scopes: 100000 + 4 * 300000 floats and one unit for seven more.
  EXPECT_EQ(peak, 1300000 * sizeof(float) + kAlignment);
  EXPECT_EQ(capacity, peak);
  for (int pass = 0; pass < 3; ++pass) {
    forward(ws);
    EXPECT_EQ(ws.capacity(), capacity);
    EXPECT_EQ(ws.peak(), peak);
  }
}

TEST(Workspace, ReservesWithoutTaking) {
  Workspace ws;
  ws.reserve(3 * kMega);
  EXPECT_EQ(ws.capacity(), 3 * kMega);
  EXPECT_EQ(ws.peak(), 0u);
  ws.reserve(kMega);
  EXPECT_EQ(ws.capacity(), 3 * kMega);
  const Workspace::Scope scope(ws);
  ws.bytes(3 * kMega);
  EXPECT_EQ(ws.capacity(), 3 * kMega);
}

TEST(Workspace, AlignsTheRowsOfAMap) {
  Workspace ws;
  const Workspace::Scope scope(ws);
  for (const int c : {1, 15, 16, 17, 419}) {
    const MapF map = ws.aligned_map(2, 3, 5, c);
    EXPECT_EQ(shape_string(map), shape_string(MapF(nullptr, 2, 3, 5, c)));
    for (std::ptrdiff_t r = 0; r < map.rows(); ++r) {
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(map.row(r)) % kAlignment, 0u);
      std::fill_n(map.row(r), c, 1.0f);
    }
  }
}

TEST(Workspace, ServesTheSecondPassFromOneBlock) {
  Workspace ws;
  forward(ws);
  const Workspace::Scope scope(ws);
  auto* first = static_cast<std::byte*>(ws.bytes(kMega));
  auto* second = static_cast<std::byte*>(ws.bytes(kMega));
  auto* third = static_cast<std::byte*>(ws.bytes(kMega));
  EXPECT_EQ(second, first + kMega);
  EXPECT_EQ(third, second + kMega);
}

TEST(Workspace, AlignsEverythingAndGivesEverybodyTheirOwn) {
  Workspace ws;
  const Workspace::Scope scope(ws);
  std::vector<std::byte*> pointers;
  for (const std::size_t size : {0, 1, 63, 64, 65, 0, 1 << 21, 3}) {
    pointers.push_back(static_cast<std::byte*>(ws.bytes(size)));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(pointers.back()) % kAlignment, 0u);
  }
  std::sort(pointers.begin(), pointers.end());
  EXPECT_EQ(std::adjacent_find(pointers.begin(), pointers.end()), pointers.end());
}

TEST(Workspace, GivesBackWhatAScopeTook) {
  Workspace ws;
  const Workspace::Scope outer(ws);
  ws.floats(10);
  void* inside = nullptr;
  {
    const Workspace::Scope inner(ws);
    inside = ws.bytes(1000);
    ws.bytes(3 * kMega);  // in a block of its own
  }
  EXPECT_EQ(ws.bytes(1000), inside);
}

TEST(Workspace, NeverMovesWhatLives) {
  Workspace ws;
  float* before = ws.floats(4);  // outside every scope
  std::fill_n(before, 4, 5.0f);
  {
    const Workspace::Scope scope(ws);
    std::fill_n(ws.floats(4 * kMega), 4 * kMega, 6.0f);
  }
  EXPECT_EQ(before[0], 5.0f);
  EXPECT_EQ(before[3], 5.0f);
}

TEST(Workspace, MakesMapsWithRowsSideBySide) {
  Workspace ws;
  const Workspace::Scope scope(ws);
  const MapF map = ws.map(2, 3, 4, 5);
  EXPECT_EQ(shape_string(map), "(2, 3, 4, 5)");
  EXPECT_EQ(map.ld, 5);
  EXPECT_TRUE(ws.map_like(map).same_shape(map));
}

TEST(Workspace, RefusesSizesThatCannotBe) {
  Workspace ws;
  const Workspace::Scope scope(ws);
  expect_error([&] { ws.map(1 << 30, 1 << 30, 1 << 30, 4); }, Error::Kind::failed, "out of memory");
  expect_error([&] { ws.map(1, -1, 1, 1); }, Error::Kind::failed, "(1, -1, 1, 1)");
  expect_error([&] { ws.bytes(std::numeric_limits<std::size_t>::max() - 3); }, Error::Kind::failed,
               "out of memory");
  EXPECT_NE(ws.bytes(1), nullptr);
}

}  // namespace
}  // namespace fovea
