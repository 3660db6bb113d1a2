// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/windowed_mixing.h"

#include <cstdint>
#include <string>

namespace fovea::nn {
namespace {

// The tables are made for the built size, whatever the checkpoint says.
constexpr std::int64_t kMaxArea = 1 << 20;

const WindowDivision& checked(const Params& p, const WindowDivision& d) {
  if (d.h < 1 || d.w < 1 || d.window_h < 1 || d.window_w < 1 || d.h % d.window_h != 0 ||
      d.w % d.window_w != 0 || std::int64_t{d.h} * d.w > kMaxArea) {
    throw Error(Error::Kind::argument,
                "\"" + p.path() + "\": windows of " + std::to_string(d.window_h) + " x " +
                    std::to_string(d.window_w) + " positions do not divide a map of " +
                    std::to_string(d.h) + " x " + std::to_string(d.w) +
                    ", or that has more than 2^20");
  }
  return d;
}

}  // namespace

Windows::Windows(const Params& p, const WindowDivision& division)
    : backend_(&p.backend()), d_(checked(p, division)) {
  const bool shifted = d_.shift_h % d_.h != 0 || d_.shift_w % d_.w != 0;
  if (!shifted && d_.window_w == d_.w) return;
  const std::size_t area = static_cast<std::size_t>(d_.h) * d_.w;
  from_map_.reserve(area);
  from_windows_.resize(area);
  for (int top = 0; top < d_.h; top += d_.window_h) {
    for (int left = 0; left < d_.w; left += d_.window_w) {
      for (int i = 0; i < d_.window_h; ++i) {
        for (int j = 0; j < d_.window_w; ++j) {
          const int row = (top + i + d_.shift_h) % d_.h, column = (left + j + d_.shift_w) % d_.w;
          const int token = row * d_.w + column;
          from_windows_[static_cast<std::size_t>(token)] = static_cast<int>(from_map_.size());
          from_map_.push_back(token);
        }
      }
    }
  }
}

MapF Windows::split(CMapF x, Context& ctx) const {
  const MapF y = ctx.workspace().map_like(x);
  backend_->gather(x, from_map_.data(), y, ctx);
  return view(y);
}

void Windows::join(CMapF windows, MapF y, Context& ctx) const {
  backend_->gather(windows.reshaped(y.n, y.h, y.w), from_windows_.data(), y, ctx);
}

}  // namespace fovea::nn
