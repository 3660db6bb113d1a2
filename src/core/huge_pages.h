// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>

#if defined(__linux__)
#include <sys/mman.h>
#endif

namespace fovea {

inline constexpr std::size_t kHugePage = std::size_t{2} << 20;

// Asks the system for huge pages where the memory holds whole ones. A wish: without it everything
// works as well, but what walks through large arrays spends some percent of its time looking up
// addresses.
inline void prefer_huge_pages([[maybe_unused]] void* p, [[maybe_unused]] std::size_t size) {
#if defined(__linux__) && defined(MADV_HUGEPAGE)
  constexpr std::size_t kPage = 4096;
  const std::size_t before = (kPage - reinterpret_cast<std::uintptr_t>(p) % kPage) % kPage;
  if (size < before + kHugePage) return;
  ::madvise(static_cast<char*>(p) + before, (size - before) / kPage * kPage, MADV_HUGEPAGE);
#endif
}

}  // namespace fovea
