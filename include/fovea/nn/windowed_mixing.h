// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>
#include <vector>

#include "fovea/backend/backend.h"
#include "fovea/core/params.h"

namespace fovea::nn {

// A division of (h, w) maps into windows, after a cyclic shift of the origin.
struct WindowDivision {
  int h = 0, w = 0;
  int window_h = 0, window_w = 0;
  int shift_h = 0, shift_w = 0;
};

// The windows of a map side by side as images, and back. The order of the tokens is worked out
// once, at load.
class Windows {
 public:
  // Throws Error(argument), naming `p`, when windows do not divide the map.
  Windows(const Params& p, const WindowDivision& division);

  int count() const { return (d_.h / d_.window_h) * (d_.w / d_.window_w); }  // of one map
  // Whether the windows lie one after the other in the map, so that nothing has to move.
  bool in_order() const { return from_map_.empty(); }

  // x (n, h, w, c) as (n * count(), window_h, window_w, c); of x's memory where they are in order.
  template <class T>
  Map<T> view(Map<T> x) const {
    return x.reshaped(x.n * count(), d_.window_h, d_.window_w);
  }
  // The windows of x, in the workspace.
  MapF split(CMapF x, Context& ctx) const;
  // The map y (n, h, w, c) of its windows.
  void join(CMapF windows, MapF y, Context& ctx) const;

 private:
  const Backend* backend_;
  WindowDivision d_;
  std::vector<int> from_map_;      // the map's token for every token of the windows
  std::vector<int> from_windows_;  // the reverse
};

// Mixing, which has the forward() of SoftmaxMixing (self_attention.h), in every window by itself.
// Tokens that a cyclic shift brings together are not kept apart.
template <class Mixing>
class WindowedMixing {
 public:
  WindowedMixing(const Params& p, const WindowDivision& division, Mixing mixing)
      : windows_(p, division), mixing_(std::move(mixing)) {}

  // q, k, v, y (n, h, w, c), any channel ranges.
  void forward(CMapF q, CMapF k, CMapF v, MapF y, Context& ctx) const {
    if (windows_.in_order()) {
      mixing_.forward(windows_.view(q), windows_.view(k), windows_.view(v), windows_.view(y), ctx);
      return;
    }
    const Workspace::Scope scope(ctx.workspace());
    const MapF mixed = windows_.view(ctx.workspace().map_like(y));
    mixing_.forward(windows_.split(q, ctx), windows_.split(k, ctx), windows_.split(v, ctx), mixed,
                    ctx);
    windows_.join(mixed, y, ctx);
  }

 private:
  Windows windows_;
  Mixing mixing_;
};

}  // namespace fovea::nn
