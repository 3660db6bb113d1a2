// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "fovea/backend/backend.h"

namespace fovea {

std::string pair_string(int h, int w);  // "7 x 7"

// The checks of one call of one operator, and its lifetime: it lives until the operator has ended,
// and tells the context's observer. Every function throws Error(argument) that names the
// operator and the argument, what was wanted and what was found. In a dry run maps may lack data.
class Door {
 public:
  explicit Door(std::string_view op) : op_(op), dry_run_(true) {}  // of packing: no maps
  Door(std::string_view op, const Context& ctx)
      : op_(op), dry_run_(ctx.dry_run()), ctx_(&ctx), observer_(ctx.observer()) {
    if (observer_ != nullptr) begin();
  }
  ~Door() {
    if (observer_ != nullptr) observer_->end(ctx_->macs() - macs_before_);
  }
  Door(const Door&) = delete;
  Door& operator=(const Door&) = delete;

  // "linear: x: wanted 96 channels, found (1, 56, 56, 95)."
  [[noreturn]] void fail(std::string_view argument, const std::string& wanted,
                         const std::string& found) const;

  // Packed by `backend`, for this kind of operator, with data.
  void weight(const Packed& w, const Backend& backend, Packed::Kind kind) const;
  // Sizes of at least one, rows that do not overlap, data.
  void map(std::string_view argument, const CMapF& m) const;
  void channels(std::string_view argument, const CMapF& m, int c) const;
  void same_shape(std::string_view argument, const CMapF& m, const CMapF& wanted) const;
  // A sound map of this shape, called y.
  void output(const CMapF& y, int n, int h, int w, int c) const;
  // x and y of one shape; y may be x.
  void elementwise(const CMapF& x, const CMapF& y) const;
  // y may be x, but then row by row.
  void in_place(std::string_view argument, const CMapF& x, const CMapF& y) const;
  // y is not x.
  void separate(std::string_view argument, const CMapF& x, const CMapF& y) const;
  void epilogue(const Epilogue& epilogue, const CMapF& y) const;
  // heads divide the channels of q.
  void heads(int heads, int c) const;
  // Numbers of a specification: at least `least` and small enough for sums of them to be ints.
  void extent(std::string_view argument, int h, int w, int least) const;
  // A kernel or pooling window has at least one place in x.
  void window_fits(const CMapF& x, int out_h, int out_w, int kernel_h, int kernel_w) const;

 private:
  void begin();

  std::string_view op_;
  bool dry_run_;
  const Context* ctx_ = nullptr;
  OperatorObserver* observer_ = nullptr;
  std::int64_t macs_before_ = 0;
};

}  // namespace fovea
