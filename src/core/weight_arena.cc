// SPDX-License-Identifier: Apache-2.0
#include "fovea/core/weight_arena.h"

#include <algorithm>
#include <limits>
#include <new>

#include "fovea/core/buffer.h"
#include "src/core/huge_pages.h"

namespace fovea {
namespace {

// Pages that nobody touches cost nothing, so a block may be larger than what comes.
constexpr std::size_t kBlock = std::size_t{32} << 20;

std::shared_ptr<std::byte> make_block(std::size_t size) {
  std::shared_ptr<std::byte> block(
      static_cast<std::byte*>(::operator new (size, std::align_val_t{kHugePage})),
      [](std::byte* p) { ::operator delete (p, std::align_val_t{kHugePage}); });
  prefer_huge_pages(block.get(), size);
  return block;
}

}  // namespace

std::shared_ptr<float> WeightArena::floats(std::size_t count) {
  if (count > std::numeric_limits<std::size_t>::max() / 2 / sizeof(float)) throw std::bad_alloc();
  const std::size_t bytes = (count * sizeof(float) + kAlignment - 1) / kAlignment * kAlignment;
  if (block_ == nullptr || bytes > size_ - used_) {
    // Whole huge pages: the last one is shared with nobody else.
    size_ = std::max(kBlock, (bytes + kHugePage - 1) / kHugePage * kHugePage);
    used_ = 0;
    block_ = make_block(size_);
  }
  auto* const first = reinterpret_cast<float*>(block_.get() + used_);
  used_ += bytes;
  return {block_, first};
}

}  // namespace fovea
