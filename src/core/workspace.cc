// SPDX-License-Identifier: Apache-2.0
#include "fovea/core/workspace.h"

#include <algorithm>
#include <limits>
#include <new>
#include <string>

#include "fovea/core/error.h"

// The allocator stands at byte used_ of block block_; before_ counts the bytes taken from earlier
// blocks. Blocks behind block_ hold nothing that lives. Every request is rounded up to kAlignment,
// so the tails left over in a chain are the only difference between a chain and one block: a single
// block of peak_ bytes serves the same sequence of requests.

namespace fovea {
namespace {

constexpr std::size_t kFirstBlock = std::size_t{1} << 20;

[[noreturn]] void fail(const std::string& wanted) {
  throw Error(Error::Kind::failed, "out of memory: the workspace wanted " + wanted);
}

Buffer<std::byte> make_block(std::size_t size) {
  try {
    return Buffer<std::byte>(size);
  } catch (const std::bad_alloc&) {
    fail(std::to_string(size) + " more bytes");
  }
}

}  // namespace

void* Workspace::bytes(std::size_t count, std::size_t size_of_one) {
  if (__builtin_mul_overflow(count, size_of_one, &count) ||
      count > std::numeric_limits<std::ptrdiff_t>::max() - kAlignment) {
    fail("more bytes than there are addresses");
  }
  // Rounding zero up to one unit gives every request a pointer of its own.
  const std::size_t size =
      (std::max<std::size_t>(count, 1) + kAlignment - 1) / kAlignment * kAlignment;
  if (blocks_.empty()) blocks_.push_back(make_block(std::max(size, kFirstBlock)));
  if (size > blocks_[block_].size() - used_) {
    const bool next_serves = block_ + 1 < blocks_.size() && size <= blocks_[block_ + 1].size();
    if (!next_serves) {
      // At least as much as there is already: the number of blocks stays logarithmic.
      auto block = make_block(std::max(size, capacity()));
      blocks_.resize(block_ + 1);
      blocks_.push_back(std::move(block));
    }
    before_ += used_;
    used_ = 0;
    ++block_;
  }
  std::byte* result = blocks_[block_].data() + used_;
  used_ += size;
  peak_ = std::max(peak_, before_ + used_);
  return result;
}

MapF Workspace::map(int n, int h, int w, int c) {
  std::size_t count = 1;
  bool sound = true;
  for (const int size : {n, h, w, c}) {
    sound = sound && size >= 0 && !__builtin_mul_overflow(count, size, &count);
  }
  std::size_t size = 0;
  if (!sound || __builtin_mul_overflow(count, sizeof(float), &size)) {
    fail("a map of shape " + shape_string(MapF(nullptr, n, h, w, c)));
  }
  return {static_cast<float*>(bytes(size)), n, h, w, c};
}

MapF Workspace::aligned_map(int n, int h, int w, int c) {
  constexpr int kLine = 64 / sizeof(float);
  if (c < 0 || c > std::numeric_limits<int>::max() - kLine) return map(n, h, w, c);
  return map(n, h, w, (c + kLine - 1) / kLine * kLine).channels(0, c);
}

void Workspace::reserve(std::size_t size) {
  if (size <= capacity()) return;
  blocks_.clear();
  blocks_.push_back(make_block(size));
}

std::size_t Workspace::capacity() const {
  std::size_t total = 0;
  for (const auto& block : blocks_) total += block.size();
  return total;
}

void Workspace::release(std::size_t block, std::size_t used, std::size_t before) noexcept {
  block_ = block;
  used_ = used;
  before_ = before;
  --depth_;
  const bool nothing_lives = block_ == 0 && used_ == 0;
  if (depth_ > 0 || !nothing_lives || blocks_.size() <= 1) return;
  // From here on one block is enough for what has been asked for so far. The chain goes first, so
  // that both are never held together; without memory for the block, the next request asks again.
  blocks_.clear();
  try {
    blocks_.push_back(make_block(peak_));
  } catch (const Error&) {
    blocks_.clear();
  }
}

}  // namespace fovea
