// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <span>

#include "fovea/core/error.h"

namespace fovea {

// Alignment of everything a kernel reads or writes: one cache line, one AVX-512 register.
inline constexpr std::size_t kAlignment = 64;

// `bytes` of memory, aligned and uninitialised, in huge pages where there is much of it and the
// system has them; std::bad_alloc when there is none. Freed by operator delete with kAlignment.
void* allocate_aligned(std::size_t bytes);

// Owning, aligned, uninitialised array of a trivial type; move-only. Where bias vectors and packed
// weights live.
template <class T>
class Buffer {
 public:
  Buffer() = default;
  explicit Buffer(std::size_t size)
      : data_(size == 0 ? nullptr : static_cast<T*>(allocate_aligned(size * sizeof(T)))),
        size_(size) {}

  T* data() { return data_.get(); }
  const T* data() const { return data_.get(); }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  T& operator[](std::size_t i) { return data_.get()[i]; }
  const T& operator[](std::size_t i) const { return data_.get()[i]; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  std::span<const T> span() const { return {data(), size_}; }

 private:
  struct Free {
    void operator()(T* p) const { ::operator delete (p, std::align_val_t{kAlignment}); }
  };
  std::unique_ptr<T, Free> data_;
  std::size_t size_ = 0;
};

using FloatBuffer = Buffer<float>;

}  // namespace fovea
