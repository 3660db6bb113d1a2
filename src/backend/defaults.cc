// SPDX-License-Identifier: Apache-2.0
// The fused operators in terms of the others.
#include <algorithm>

#include "fovea/backend/backend.h"

namespace fovea {

// Row blocks keep the hidden layer, four times as wide as the input, in the caches of the cores
// that share a block. Their size does not depend on the threads: neither do the results then.
void Backend::do_mlp(CMapF x, const Packed& fc1, const Epilogue& epilogue1, const Packed& fc2,
                     const Epilogue& epilogue2, MapF y, Context& ctx) const {
  constexpr std::ptrdiff_t kBlock = 256;
  const std::ptrdiff_t rows = x.rows();
  const int block = static_cast<int>(std::min(rows, kBlock));
  const Workspace::Scope scope(ctx.workspace());
  const MapF hidden = ctx.workspace().map(1, 1, block, fc1.out);
  for (std::ptrdiff_t first = 0; first < rows; first += block) {
    const int count = static_cast<int>(std::min<std::ptrdiff_t>(block, rows - first));
    const MapF part = hidden.row_range(0, count);
    do_linear(x.row_range(first, count), fc1, epilogue1, part, ctx);
    Epilogue epilogue = epilogue2;
    if (!epilogue.residual.empty()) epilogue.residual = epilogue.residual.row_range(first, count);
    do_linear(part, fc2, epilogue, y.row_range(first, count), ctx);
  }
}

void Backend::do_pooling(CMapF x, int k, const Epilogue& epilogue, MapF y, Context& ctx) const {
  const Workspace::Scope scope(ctx.workspace());
  const MapF mixed = ctx.workspace().map_like(x);
  float* minus_one = ctx.workspace().floats(static_cast<std::size_t>(x.c));
  std::fill_n(minus_one, x.c, -1.0f);

  do_pool2d(x, Pool2dSpec::square(Pool2dSpec::Kind::average, k, 1, k / 2, false), mixed, ctx);
  Epilogue subtract;
  subtract.residual = x;
  subtract.residual_scale = minus_one;
  do_apply(mixed, subtract, mixed, ctx);
  do_apply(mixed, epilogue, y, ctx);
}

}  // namespace fovea
