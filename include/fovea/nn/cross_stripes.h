// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <utility>
#include <vector>

#include "fovea/nn/conv2d.h"
#include "fovea/nn/self_attention.h"
#include "fovea/nn/windowed_mixing.h"

namespace fovea::nn {

// The windows of CSWin (arXiv:2107.00652): branches that own an equal range of the channels each,
// and divide the map in ways of their own, as into vertical and horizontal stripes. A Mixing
// itself.
template <class Mixing>
class CrossStripes {
 public:
  explicit CrossStripes(std::vector<WindowedMixing<Mixing>> branches)
      : branches_(std::move(branches)) {}

  // q, k, v, y (n, h, w, c).
  void forward(CMapF q, CMapF k, CMapF v, MapF y, Context& ctx) const {
    const int c = y.c / static_cast<int>(branches_.size());
    int at = 0;
    for (const WindowedMixing<Mixing>& branch : branches_) {
      branch.forward(q.channels(at, c), k.channels(at, c), v.channels(at, c), y.channels(at, c),
                     ctx);
      at += c;
    }
  }

 private:
  std::vector<WindowedMixing<Mixing>> branches_;
};

// Locally enhanced positions (CSWin): mixing(q, k, v) + dw3x3(v), the convolution inside the map or
// window. Binds "get_v"; the mixing comes bound.
template <class Mixing>
class LepeMixing {
 public:
  LepeMixing(const Params& p, int c, Mixing mixing)
      : mixing_(std::move(mixing)), conv_(p / "get_v", c, c, 3, Conv2dSpec::square(1, 1, c)) {}

  // q, k, v, y (n, h, w, c).
  void forward(CMapF q, CMapF k, CMapF v, MapF y, Context& ctx) const {
    mixing_.forward(q, k, v, y, ctx);
    conv_.forward(v, y, ctx, {.residual = y});
  }

 private:
  Mixing mixing_;
  Conv2d conv_;
};

}  // namespace fovea::nn
