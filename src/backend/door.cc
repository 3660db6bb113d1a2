// SPDX-License-Identifier: Apache-2.0
#include "src/backend/door.h"

#include "fovea/core/error.h"

namespace fovea {
namespace {

// Strides, paddings and kernels beyond this are mistakes, and sums of a few stay ints.
constexpr int kMaxExtent = 1 << 24;

std::string_view kind_name(Packed::Kind kind) {
  return kind == Packed::Kind::linear ? "linear" : "conv2d";
}

}  // namespace

std::string pair_string(int h, int w) { return std::to_string(h) + " x " + std::to_string(w); }

void Door::fail(std::string_view argument, const std::string& wanted,
                const std::string& found) const {
  std::string message(op_);
  message.append(": ").append(argument);
  message.append(": wanted ").append(wanted).append(", found ").append(found).append(".");
  throw Error(Error::Kind::argument, message);
}

void Door::weight(const Packed& w, const Backend& backend, Packed::Kind kind) const {
  if (w.owner != &backend) {
    const std::string found =
        w.owner == nullptr ? "none" : "another, \"" + std::string(w.owner->name()) + "\"";
    fail("weight", "one packed by this backend, \"" + std::string(backend.name()) + "\"", found);
  }
  if (w.kind != kind) {
    fail("weight", "one packed for " + std::string(kind_name(kind)),
         "one packed for " + std::string(kind_name(w.kind)));
  }
  if (!dry_run_ && w.bytes() == 0) {
    fail("weight", "values", "a shape only, which serves dry runs");
  }
}

void Door::map(std::string_view argument, const CMapF& m) const {
  if (m.n < 1 || m.h < 1 || m.w < 1 || m.c < 1) {
    fail(argument, "sizes of at least 1", shape_string(m));
  }
  if (m.ld < m.c) {
    fail(argument, "rows at least " + std::to_string(m.c) + " elements apart",
         std::to_string(m.ld));
  }
  if (!dry_run_ && m.empty()) fail(argument, "data", "none");
}

void Door::channels(std::string_view argument, const CMapF& m, int c) const {
  if (m.c != c) fail(argument, std::to_string(c) + " channels", shape_string(m));
}

void Door::same_shape(std::string_view argument, const CMapF& m, const CMapF& wanted) const {
  if (!m.same_shape(wanted)) fail(argument, shape_string(wanted), shape_string(m));
}

void Door::begin() {
  macs_before_ = ctx_->macs();
  observer_->begin(op_);
}

void Door::output(const CMapF& y, int n, int h, int w, int c) const {
  map("y", y);
  same_shape("y", y, CMapF(nullptr, n, h, w, c));
  if (observer_ != nullptr) observer_->output(y);
}

void Door::elementwise(const CMapF& x, const CMapF& y) const {
  map("x", x);
  output(y, x.n, x.h, x.w, x.c);
  in_place("x", x, y);
}

void Door::in_place(std::string_view argument, const CMapF& x, const CMapF& y) const {
  if (!x.empty() && x.data == y.data && x.ld != y.ld) {
    fail(argument, "rows " + std::to_string(y.ld) + " elements apart, as it shares y's data",
         std::to_string(x.ld));
  }
}

void Door::separate(std::string_view argument, const CMapF& x, const CMapF& y) const {
  if (!x.empty() && x.data == y.data) fail(argument, "data apart from y's", "the same");
}

void Door::epilogue(const Epilogue& epilogue, const CMapF& y) const {
  const CMapF& residual = epilogue.residual;
  if (residual.empty()) return;
  map("residual", residual);
  same_shape("residual", residual, y);
  in_place("residual", residual, y);
}

void Door::heads(int heads, int c) const {
  if (heads < 1 || c % heads != 0) {
    fail("heads", "a divisor of the " + std::to_string(c) + " channels", std::to_string(heads));
  }
}

void Door::extent(std::string_view argument, int h, int w, int least) const {
  if (h < least || w < least || h > kMaxExtent || w > kMaxExtent) {
    fail(argument, "numbers from " + std::to_string(least) + " to " + std::to_string(kMaxExtent),
         pair_string(h, w));
  }
}

void Door::window_fits(const CMapF& x, int out_h, int out_w, int kernel_h, int kernel_w) const {
  if (out_h < 1 || out_w < 1) {
    fail("x",
         "an image that with its padding holds the " + pair_string(kernel_h, kernel_w) +
             " window once",
         shape_string(x));
  }
}

}  // namespace fovea
