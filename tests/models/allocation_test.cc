// SPDX-License-Identifier: Apache-2.0
//
// A second forward takes no memory from the heap: what it needs, the first one left in the
// workspace. The C library's allocator is replaced by one that counts; sanitizers replace it
// themselves, so this test is not built with them.

#include <gtest/gtest.h>
#include <malloc.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <new>

#include "tests/models/tiny_networks.h"

namespace {

std::atomic<bool> counting{false};
std::atomic<int> allocations{0};

void count() {
  if (counting.load(std::memory_order_relaxed)) allocations.fetch_add(1, std::memory_order_relaxed);
}

}  // namespace

// operator new ends in one of these.
extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t n, std::size_t size);
void* __libc_realloc(void* p, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);

void* malloc(std::size_t size) noexcept {
  count();
  return __libc_malloc(size);
}
void* calloc(std::size_t n, std::size_t size) noexcept {
  count();
  return __libc_calloc(n, size);
}
void* realloc(void* p, std::size_t size) noexcept {
  count();
  return __libc_realloc(p, size);
}
void* memalign(std::size_t alignment, std::size_t size) noexcept {
  count();
  return __libc_memalign(alignment, size);
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return memalign(alignment, size);
}
int posix_memalign(void** p, std::size_t alignment, std::size_t size) noexcept {
  *p = memalign(alignment, size);
  return *p == nullptr ? ENOMEM : 0;
}
}

namespace fovea {
namespace {

// The allocations of all threads while `body` runs.
template <class Body>
int count_allocations(const Body& body) {
  allocations = 0;
  counting = true;
  body();
  counting = false;
  return allocations;
}

TEST(AllocationCounter, SeesEveryKindOfAllocation) {
  volatile std::size_t size = 100;  // keeps the compiler from leaving the allocation out
  EXPECT_EQ(count_allocations([&] { std::free(std::malloc(size)); }), 1);
  EXPECT_EQ(count_allocations([&] { std::vector<float> v(size); }), 1);
  EXPECT_EQ(count_allocations([&] { FloatBuffer b(size); }), 1);
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
      EXPECT_GT(count_allocations(forward), 0) << "the first forward needs memory";
      const std::size_t capacity = ctx.workspace().capacity();
      EXPECT_EQ(count_allocations(forward), 0) << isa << ", " << threads << " threads";
      EXPECT_EQ(ctx.workspace().capacity(), capacity);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(TinyNetworks, Allocation, ::testing::ValuesIn(tiny_cases()),
                         tiny_case_name);

}  // namespace
}  // namespace fovea
