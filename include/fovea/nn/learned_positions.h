// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "fovea/backend/backend.h"
#include "fovea/core/params.h"

namespace fovea::nn {

// A learned vector for every position of a map, added to it; resized bicubically, without
// antialiasing, in every forward of another size. Binds `name` (1, h * w, c).
class LearnedPositions {
 public:
  LearnedPositions(const Params& p, std::string_view name, int h, int w, int c);
  // x (n, any, any, c), in place.
  void add(MapF x, Context& ctx) const;

 private:
  const Backend* backend_;
  int h_, w_;
  FloatBuffer table_;  // (h * w, c); empty where there are shapes only
};

}  // namespace fovea::nn
