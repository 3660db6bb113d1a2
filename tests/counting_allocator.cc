// SPDX-License-Identifier: Apache-2.0
#include "tests/counting_allocator.h"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cerrno>

namespace {

std::atomic<bool> counting{false};
std::atomic<std::size_t> allocations{0};
std::atomic<long> held{0};  // may go below zero: blocks from before are freed
std::atomic<long> peak{0};

void* count(void* block) {
  if (block != nullptr && counting.load(std::memory_order_relaxed)) {
    allocations.fetch_add(1, std::memory_order_relaxed);
    const long size = static_cast<long>(malloc_usable_size(block));
    const long now = held.fetch_add(size, std::memory_order_relaxed) + size;
    long highest = peak.load(std::memory_order_relaxed);
    while (now > highest && !peak.compare_exchange_weak(highest, now)) {
    }
  }
  return block;
}

void discount(void* block) {
  if (block != nullptr && counting.load(std::memory_order_relaxed)) {
    held.fetch_sub(static_cast<long>(malloc_usable_size(block)), std::memory_order_relaxed);
  }
}

}  // namespace

extern "C" {
void* __libc_malloc(std::size_t size);
void* __libc_calloc(std::size_t n, std::size_t size);
void* __libc_realloc(void* p, std::size_t size);
void* __libc_memalign(std::size_t alignment, std::size_t size);
void __libc_free(void* p);

void* malloc(std::size_t size) noexcept { return count(__libc_malloc(size)); }
void* calloc(std::size_t n, std::size_t size) noexcept { return count(__libc_calloc(n, size)); }
void* realloc(void* p, std::size_t size) noexcept {
  discount(p);
  return count(__libc_realloc(p, size));
}
void* memalign(std::size_t alignment, std::size_t size) noexcept {
  return count(__libc_memalign(alignment, size));
}
void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  return memalign(alignment, size);
}
int posix_memalign(void** p, std::size_t alignment, std::size_t size) noexcept {
  *p = memalign(alignment, size);
  return *p == nullptr ? ENOMEM : 0;
}
void free(void* p) noexcept {
  discount(p);
  __libc_free(p);
}
}

namespace fovea::test {

void start_counting() noexcept {
  allocations = 0;
  held = 0;
  peak = 0;
  counting = true;
}

AllocationCount stop_counting() noexcept {
  counting = false;
  return {allocations, static_cast<std::size_t>(peak.load())};
}

}  // namespace fovea::test
