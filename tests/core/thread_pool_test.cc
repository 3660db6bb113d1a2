// SPDX-License-Identifier: Apache-2.0
#include "fovea/core/thread_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <thread>
#include <vector>

#if defined(__SSE__)
#include <xmmintrin.h>
#endif

#include "tests/expect_error.h"

namespace fovea {
namespace {

// Plain, not atomic: two calls with one index, or a result that is not seen, is a data race.
void cover(const ThreadPool& pool, std::ptrdiff_t count) {
  std::vector<int> visits(static_cast<std::size_t>(count), 0);
  std::vector<int> by_slot(static_cast<std::size_t>(pool.threads()), 0);
  pool.parallel_for(count, [&](std::ptrdiff_t i, int slot) {
    ++visits[static_cast<std::size_t>(i)];
    ++by_slot.at(static_cast<std::size_t>(slot));
  });
  EXPECT_TRUE(std::all_of(visits.begin(), visits.end(), [](int n) { return n == 1; }));
  std::ptrdiff_t calls = 0;
  for (const int n : by_slot) calls += n;
  EXPECT_EQ(calls, count);
}

TEST(ThreadPool, CallsTheBodyOnceForEveryIndex) {
  for (int threads = 1; threads <= 4; ++threads) {
    const ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const std::ptrdiff_t count : {0, 1, 2, 3, 4, 5, 17, 1000}) {
      for (int repeat = 0; repeat < 3; ++repeat) cover(pool, count);
    }
  }
}

TEST(ThreadPool, TakesCallersInTurns) {
  for (const int threads : {1, 3}) {
    const ThreadPool pool(threads);
    std::vector<int> scratch(static_cast<std::size_t>(threads), 0);  // one per slot, shared by both
    std::array<std::vector<int>, 2> results;
    const auto call = [&](std::vector<int>& result) {
      result.assign(500, 0);
      for (int repeat = 0; repeat < 10; ++repeat) {
        pool.parallel_for(500, [&](std::ptrdiff_t i, int slot) {
          int& mine = scratch[static_cast<std::size_t>(slot)];
          mine = static_cast<int>(i);
          result[static_cast<std::size_t>(i)] += mine;
        });
      }
    };
    std::thread other([&] { call(results[1]); });
    call(results[0]);
    other.join();
    for (const auto& result : results) {
      for (int i = 0; i < 500; ++i) ASSERT_EQ(result[static_cast<std::size_t>(i)], 10 * i);
    }
  }
}

TEST(ThreadPool, HasAtLeastOneThreadByDefault) {
  EXPECT_GE(ThreadPool(0).threads(), 1);
  EXPECT_GE(ThreadPool(-3).threads(), 1);
}

TEST(ThreadPool, RefusesAnAbsurdNumberOfThreads) {
  expect_error([] { const ThreadPool pool(1 << 20); }, Error::Kind::argument,
               "threads: wanted at most 1024, found 1048576");
}

#if defined(__SSE__)
TEST(ThreadPool, FlushesDenormalsInsideARegionOnly) {
  constexpr unsigned kFlushToZero = 0x8000;
  constexpr unsigned kDenormalsAreZero = 0x0040;
  constexpr unsigned kBoth = kFlushToZero | kDenormalsAreZero;
  const unsigned before = _mm_getcsr();
  ASSERT_EQ(before & kBoth, 0u);
  for (const int threads : {1, 3}) {
    const ThreadPool pool(threads);
    for (const std::ptrdiff_t count : {1, 64}) {
      std::vector<unsigned> modes(static_cast<std::size_t>(count), 0);
      pool.parallel_for(count, [&](std::ptrdiff_t i, int) {
        modes[static_cast<std::size_t>(i)] = _mm_getcsr() & kBoth;
      });
      for (const unsigned mode : modes) EXPECT_EQ(mode, kBoth);
      EXPECT_EQ(_mm_getcsr() & kBoth, 0u);
    }
  }
}
#endif

}  // namespace
}  // namespace fovea
