// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <vector>

#include "fovea/core/buffer.h"
#include "fovea/core/map.h"

namespace fovea {

// Memory for activations: a bump allocator with scopes. It grows while the first forward runs and
// allocates nothing afterwards, so no network states how much it needs. Not thread safe: one
// workspace serves one forward at a time.
class Workspace {
 public:
  // Everything taken while a scope lives is given back at its end.
  class Scope {
   public:
    explicit Scope(Workspace& ws)
        : ws_(ws), block_(ws.block_), used_(ws.used_), before_(ws.before_) {
      ++ws.depth_;
    }
    ~Scope() { ws_.release(block_, used_, before_); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Workspace& ws_;
    std::size_t block_, used_, before_;
  };

  // Uninitialised, aligned to kAlignment.
  float* floats(std::size_t count) { return static_cast<float*>(bytes(count, sizeof(float))); }
  void* bytes(std::size_t count, std::size_t size_of_one = 1);
  MapF map(int n, int h, int w, int c);
  // The same with every row at the beginning of a cache line, for maps whose channels have several
  // users: their ranges then share no line from row to row.
  MapF aligned_map(int n, int h, int w, int c);
  MapF map_like(CMapF x) { return map(x.n, x.h, x.w, x.c); }

  // Has at least so many bytes from now on. Only while nothing is taken.
  void reserve(std::size_t size);
  std::size_t capacity() const;               // bytes held
  std::size_t peak() const { return peak_; }  // most bytes ever in use at once

 private:
  friend class Scope;
  void release(std::size_t block, std::size_t used, std::size_t before) noexcept;

  std::vector<Buffer<std::byte>> blocks_;
  std::size_t block_ = 0;   // the block being filled
  std::size_t used_ = 0;    // bytes used of it
  std::size_t before_ = 0;  // bytes used of the blocks before it
  std::size_t peak_ = 0;
  int depth_ = 0;
};

}  // namespace fovea
