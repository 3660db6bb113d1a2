// SPDX-License-Identifier: Apache-2.0
//
// A second forward takes no memory from the heap: what it needs, the first one left in the
// workspace.

#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/counting_allocator.h"
#include "tests/models/tiny_networks.h"

namespace fovea {
namespace {

template <class Body>
std::size_t count_allocations(const Body& body) {
  return test::count_allocations(body).allocations;
}

TEST(AllocationCounter, SeesEveryKindOfAllocation) {
  volatile std::size_t size = 100;  // keeps the compiler from leaving the allocation out
  EXPECT_EQ(count_allocations([&] {
              void* volatile block = std::malloc(size);
              std::free(block);
            }),
            1u);
  EXPECT_EQ(count_allocations([&] { std::vector<float> v(size); }), 1u);
  EXPECT_EQ(count_allocations([&] { FloatBuffer b(size); }), 1u);
}

// Which thread takes which part of a region differs from time to time.
TEST(PartsOfAContext, TakeNothingFromTheHeapTheSecondTime) {
  Context ctx(3);
  const auto region = [&] {
    ctx.for_parts(64, [](std::ptrdiff_t i, Context& part) {
      const Workspace::Scope scope(part.workspace());
      for (std::ptrdiff_t t = 0; t <= i % 4; ++t) part.workspace().floats(200000);
    });
  };
  EXPECT_GT(count_allocations(region), 0u);
  for (int pass = 0; pass < 20; ++pass) EXPECT_EQ(count_allocations(region), 0u);
}

class Allocation : public ::testing::TestWithParam<std::string> {};

TEST_P(Allocation, SecondForwardTakesNothingFromTheHeap) {
  for (const std::string_view isa : isa_names()) {
    const auto backend = make_backend("native", {std::string(isa)});
    const TinyNetwork net(GetParam(), *backend, 2);
    const FeatureSink sink = [](int, CMapF) {};
    for (const int threads : {1, 2}) {
      Context ctx(threads);
      const auto forward = [&] {
        net.run(
            net.batch(), sink, [](CMapF) {}, ctx);
      };
      EXPECT_GT(count_allocations(forward), 0u) << "the first forward needs memory";
      const std::size_t capacity = ctx.workspace().capacity();
      EXPECT_EQ(count_allocations(forward), 0u) << isa << ", " << threads << " threads";
      EXPECT_EQ(ctx.workspace().capacity(), capacity);
    }
  }
}

// Which thread takes which image differs from forward to forward.
TEST_P(Allocation, SecondForwardOfImagesOneByOneTakesNothingFromTheHeap) {
  const auto backend = make_backend("native");
  const TinyNetwork net(GetParam(), *backend, 5);
  for (const int threads : {1, 2}) {
    Context ctx(threads);
    FloatBuffer y(static_cast<std::size_t>(net.batch().n * net.num_outputs()));
    const auto forward = [&] { net.logits(net.batch(), y.data(), ctx, false); };
    EXPECT_GT(count_allocations(forward), 0u) << "the first forward needs memory";
    for (int pass = 0; pass < 3; ++pass) {
      EXPECT_EQ(count_allocations(forward), 0u) << threads << " threads";
    }
  }
}

INSTANTIATE_TEST_SUITE_P(TinyNetworks, Allocation, ::testing::ValuesIn(tiny_cases()),
                         tiny_case_name);

}  // namespace
}  // namespace fovea
