// SPDX-License-Identifier: Apache-2.0
#include "fovea/core/buffer.h"

#include "src/core/huge_pages.h"

namespace fovea {

void* allocate_aligned(std::size_t bytes) {
  void* const p = ::operator new (bytes, std::align_val_t{kAlignment});
  prefer_huge_pages(p, bytes);
  return p;
}

}  // namespace fovea
