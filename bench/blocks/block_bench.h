// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bench/bench.h"
#include "bench/shapes.h"
#include "fovea/fovea.h"

namespace fovea::bench {

using Forward = std::function<void(CMapF x, MapF y, Context& ctx)>;
// Binds a block's weights and returns how it runs.
using Make = std::function<Forward(const Params& p)>;

struct Block {
  std::string name;
  MapShape in, out;
  Make make;
  bool native_only = false;  // on one thread of the native backend
  int repetitions = 0;       // 0: as many as the command line says
};

// A block that is constructed with `args` behind the parameters, and run with an epilogue or none.
template <class T, class... Args>
Make block(Args... args) {
  return [=](const Params& p) -> Forward {
    auto made = std::make_shared<const T>(p, args...);
    return [made](CMapF x, MapF y, Context& ctx) { made->forward(x, y, ctx, Epilogue{}); };
  };
}

// Mixers of tokens on maps of 14 x 14 to 224 x 224 pixels, of several widths and state sizes: how
// their time grows. Named "growth/<mixer>/<channels>/<tokens>".
std::vector<Block> growth_blocks();

}  // namespace fovea::bench
