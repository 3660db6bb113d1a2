// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>

namespace fovea {

// Where the packed weights of one network lie: side by side in large blocks, for which the system
// is asked for huge pages. A forward walks through all weights, and with pages of 4 KiB it would
// spend some percent of its time looking up addresses. A block lives as long as the last array in
// it.
class WeightArena {
 public:
  // `count` floats, aligned to kAlignment, uninitialised. Throws std::bad_alloc.
  std::shared_ptr<float> floats(std::size_t count);

 private:
  std::shared_ptr<std::byte> block_;
  std::size_t used_ = 0;
  std::size_t size_ = 0;
};

}  // namespace fovea
