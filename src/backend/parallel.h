// SPDX-License-Identifier: Apache-2.0
// How backends cut work for the threads of a context. A cut may follow the number of threads only
// where results do not depend on it.
#pragma once

#include <algorithm>
#include <cstddef>

#include "fovea/core/context.h"

namespace fovea {

inline std::ptrdiff_t ceil_div(std::ptrdiff_t a, std::ptrdiff_t b) { return (a + b - 1) / b; }
inline std::ptrdiff_t round_up(std::ptrdiff_t a, std::ptrdiff_t multiple) {
  return ceil_div(a, multiple) * multiple;
}

// `count` things in as few parts of at most `most` as possible, all nearly of one size: a last part
// of a few rows would read all weights for their sake. With `threads`, so many parts that every
// thread gets as many.
class EvenParts {
 public:
  EvenParts(std::ptrdiff_t count, std::ptrdiff_t most, int threads = 1)
      : count_(count),
        parts_(std::clamp<std::ptrdiff_t>(round_up(ceil_div(count, most), threads), 1,
                                          std::max<std::ptrdiff_t>(1, count))) {}

  std::ptrdiff_t parts() const { return parts_; }
  std::ptrdiff_t largest() const { return ceil_div(count_, parts_); }
  std::ptrdiff_t begin(std::ptrdiff_t part) const { return part * count_ / parts_; }
  std::ptrdiff_t size(std::ptrdiff_t part) const { return begin(part + 1) - begin(part); }

 private:
  std::ptrdiff_t count_, parts_;
};

// Scratch of `count` elements for every thread of a region; slot s has the s-th part.
template <class T>
class SlotArray {
 public:
  SlotArray(Context& ctx, std::ptrdiff_t count)
      : stride_(round_up(count, kLine)),
        data_(static_cast<T*>(ctx.workspace().bytes(static_cast<std::size_t>(stride_) *
                                                    static_cast<std::size_t>(ctx.threads()) *
                                                    sizeof(T)))) {}
  T* operator[](int slot) const { return data_ + slot * stride_; }

 private:
  // Slots do not share a cache line.
  static constexpr std::ptrdiff_t kLine = static_cast<std::ptrdiff_t>(kAlignment / sizeof(T));
  std::ptrdiff_t stride_;
  T* data_;
};
using SlotScratch = SlotArray<float>;

// body(first, last) over ranges that cover [0, rows), each some tens of kilobytes of rows of c.
template <class Body>
void parallel_rows(const Context& ctx, std::ptrdiff_t rows, int c, const Body& body) {
  const std::ptrdiff_t range = std::max<std::ptrdiff_t>(1, 8192 / c);
  ctx.pool().parallel_for(ceil_div(rows, range), [&](std::ptrdiff_t i, int) {
    body(i * range, std::min(rows, (i + 1) * range));
  });
}

// body(image, first, last) over ranges that cover the lines [0, lines) of n images: as many as keep
// the threads busy, but at least `least` lines each, since neighbouring lines share inputs.
template <class Body>
void parallel_lines(const Context& ctx, int n, int lines, int least, const Body& body) {
  const std::ptrdiff_t wanted = ctx.threads() == 1 ? 1 : ceil_div(4 * ctx.threads(), n);
  const std::ptrdiff_t parts = std::clamp<std::ptrdiff_t>(wanted, 1, ceil_div(lines, least));
  ctx.pool().parallel_for(n * parts, [&](std::ptrdiff_t i, int) {
    const std::ptrdiff_t part = i % parts;
    body(static_cast<int>(i / parts), static_cast<int>(part * lines / parts),
         static_cast<int>((part + 1) * lines / parts));
  });
}

}  // namespace fovea
