// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

namespace fovea::test {

// What the heap was asked for, by all threads. Programs that link counting_allocator.cc have the C
// library's allocator replaced by one that counts; operator new ends there, and so do C libraries.
// Sanitizers replace it themselves, so such programs are not built with them.
struct AllocationCount {
  std::size_t allocations = 0;
  std::size_t peak_bytes = 0;  // the most that was held at a time, above what was held before
};

void start_counting() noexcept;
AllocationCount stop_counting() noexcept;

template <class Body>
AllocationCount count_allocations(const Body& body) {
  start_counting();
  body();
  return stop_counting();
}

}  // namespace fovea::test
