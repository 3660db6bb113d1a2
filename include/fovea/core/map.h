// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <string>
#include <type_traits>

namespace fovea {

// A feature map, NHWC, not owning: n*h*w rows of c channels, rows `ld` elements apart. A token
// sequence is a map with h = 1, a matrix is a map with n = h = 1. A range of rows is a map and a
// range of channels is a map, so that q, k, v and every split cost nothing.
template <class T>
struct Map {
  T* data = nullptr;
  int n = 0, h = 0, w = 0, c = 0;
  std::ptrdiff_t ld = 0;

  Map() = default;
  Map(T* p, int n_, int h_, int w_, int c_) : Map(p, n_, h_, w_, c_, c_) {}
  Map(T* p, int n_, int h_, int w_, int c_, std::ptrdiff_t ld_)
      : data(p), n(n_), h(h_), w(w_), c(c_), ld(ld_) {}

  // A writable map is a readable one.
  operator Map<const T>() const requires(!std::is_const_v<T>) { return {data, n, h, w, c, ld}; }

  bool empty() const { return data == nullptr; }
  std::ptrdiff_t rows() const { return static_cast<std::ptrdiff_t>(n) * h * w; }
  T* row(std::ptrdiff_t r) const { return data + r * ld; }
  T* pixel(int in, int iy, int ix) const {
    return row((static_cast<std::ptrdiff_t>(in) * h + iy) * w + ix);
  }

  Map image(int i) const { return images(i, 1); }
  Map images(int first, int count) const { return {pixel(first, 0, 0), count, h, w, c, ld}; }
  // Channels first .. first + count of every row.
  Map channels(int first, int count) const { return {data + first, n, h, w, count, ld}; }
  // Rows first .. first + count, as one sequence (1, 1, count, c).
  Map row_range(std::ptrdiff_t first, int count) const { return {row(first), 1, 1, count, c, ld}; }
  // The same rows under another division into images and lines: (n, h, w) with an equal product.
  Map reshaped(int n_, int h_, int w_) const { return {data, n_, h_, w_, c, ld}; }
  // Every image as one sequence: (n, 1, h*w, c).
  Map tokens() const { return {data, n, 1, h * w, c, ld}; }
  // Tokens first .. first + count of every image of a sequence map (n, 1, w, c) with n == 1, or of
  // one image: use image(i).token_range(...) for batches.
  Map token_range(int first, int count) const { return {row(first), 1, 1, count, c, ld}; }

  bool same_shape(const Map<const T>& o) const {
    return n == o.n && h == o.h && w == o.w && c == o.c;
  }
};

using MapF = Map<float>;
using CMapF = Map<const float>;

template <class T>
std::string shape_string(const Map<T>& m) {  // "(1, 56, 56, 96)"
  return "(" + std::to_string(m.n) + ", " + std::to_string(m.h) + ", " + std::to_string(m.w) +
         ", " + std::to_string(m.c) + ")";
}

}  // namespace fovea
