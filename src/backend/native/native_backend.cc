// SPDX-License-Identifier: Apache-2.0
// Linear layers and MLPs.
#include "src/backend/native/native_backend.h"

#include "src/backend/backends.h"
#include "src/backend/float_packed.h"
#include "src/backend/native/ahead.h"
#include "src/backend/parallel.h"

namespace fovea {
namespace {

// How a product of rows x columns is cut into tasks.
struct Tiles {
  EvenParts rows;
  std::ptrdiff_t columns;  // a multiple of the panel width
};

// Tall tiles re-use a panel of B, but their rows of A, k long, should stay in L2; and every thread
// wants a few tiles.
Tiles choose_tiles(const kernels::KernelTable& kernels, std::ptrdiff_t rows, int k,
                   std::ptrdiff_t columns, int threads) {
  constexpr std::ptrdiff_t kBlock = 65536;  // floats of A
  const std::ptrdiff_t panels = ceil_div(columns, kernels.gemm_cols);
  std::ptrdiff_t height = std::clamp<std::ptrdiff_t>(kBlock / k, 64, 512);
  if (threads == 1) return {EvenParts(rows, height), panels * kernels.gemm_cols};
  const std::ptrdiff_t wanted = 4 * static_cast<std::ptrdiff_t>(threads);
  while (height > 2 * kernels.gemm_rows && ceil_div(rows, height) * panels < wanted) height /= 2;
  const EvenParts down(rows, height);
  const std::ptrdiff_t across =
      std::clamp<std::ptrdiff_t>(ceil_div(wanted, down.parts()), 1, panels);
  // So wide, or down to half of it where the busiest thread has less to do then: of nine equal
  // tasks, one of two threads would have five.
  const std::ptrdiff_t widest = ceil_div(panels, across);
  const auto busiest = [&](std::ptrdiff_t width) {
    return ceil_div(down.parts() * ceil_div(panels, width), threads) * width;
  };
  std::ptrdiff_t best = widest;
  for (std::ptrdiff_t width = widest - 1; 2 * width >= widest; --width) {
    if (busiest(width) < busiest(best)) best = width;
  }
  return {down, best * kernels.gemm_cols};
}

// Rows that pass through a whole MLP together, so that their hidden layer stays in L2. Weights that
// do not fit there with them come again for every block: then blocks are larger.
std::ptrdiff_t mlp_rows(const Packed& fc1) {
  constexpr std::ptrdiff_t kSmallWeights = 98304;  // floats of one layer
  constexpr std::ptrdiff_t kHidden = 262144;       // floats of a block's hidden layer
  constexpr std::ptrdiff_t kLeast = 72, kMost = 288;
  const std::ptrdiff_t weights = static_cast<std::ptrdiff_t>(fc1.in) * fc1.out;
  return weights <= kSmallWeights ? kLeast : std::clamp(kHidden / fc1.out, kLeast, kMost);
}

constexpr bool same(kernels::Act a, Activation::Kind b) {
  return static_cast<int>(a) == static_cast<int>(b);
}
static_assert(same(kernels::Act::none, Activation::Kind::none) &&
              same(kernels::Act::relu, Activation::Kind::relu) &&
              same(kernels::Act::gelu, Activation::Kind::gelu) &&
              same(kernels::Act::gelu_tanh, Activation::Kind::gelu_tanh) &&
              same(kernels::Act::quick_gelu, Activation::Kind::quick_gelu) &&
              same(kernels::Act::silu, Activation::Kind::silu) &&
              same(kernels::Act::star_relu, Activation::Kind::star_relu) &&
              same(kernels::Act::sigmoid, Activation::Kind::sigmoid) &&
              same(kernels::Act::tanh, Activation::Kind::tanh));

}  // namespace

std::shared_ptr<const Backend> make_native_backend(kernels::Isa isa) {
  return std::make_shared<NativeBackend>(isa);
}

kernels::Epilogue kernel_epilogue(const Epilogue& epilogue) {
  kernels::Epilogue e;
  e.bias = epilogue.bias;
  e.scale = epilogue.scale;
  e.residual = epilogue.residual.data;
  e.ldr = epilogue.residual.ld;
  e.residual_scale = epilogue.residual_scale;
  e.act = static_cast<kernels::Act>(epilogue.act.kind);
  e.act_scale = epilogue.act.scale;
  e.act_bias = epilogue.act.bias;
  return e;
}

void NativeBackend::product(const float* x, std::ptrdiff_t ldx, std::ptrdiff_t rows, const float* b,
                            int k, int n, const Epilogue& epilogue, const MapF& y,
                            const Context& ctx, const kernels::Ahead& later) const {
  const kernels::Epilogue e = kernel_epilogue(epilogue);
  const Tiles tiles = choose_tiles(kernels_, rows, k, n, ctx.threads());
  const std::ptrdiff_t across = ceil_div(n, tiles.columns);
  const std::ptrdiff_t tasks = tiles.rows.parts() * across;
  ctx.pool().parallel_for(tasks, [&](std::ptrdiff_t i, int) {
    const std::ptrdiff_t row = tiles.rows.begin(i / across);
    const std::ptrdiff_t column = i % across * tiles.columns;
    const std::ptrdiff_t count = tiles.rows.size(i / across);
    kernels_.gemm(x + row * ldx, ldx, b + column * k, y.row(row) + column, y.ld, count,
                  static_cast<int>(std::min(tiles.columns, n - column)), k,
                  kernels::block_of(e, row, column),
                  tasks == 1 ? later : kernels::Ahead{{rows_ahead(x, ldx, k, rows, row, count)}});
  });
}

void NativeBackend::do_linear(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y,
                              Context& ctx) const {
  kernels::Ahead later;
  const auto expected = ctx.take_expected();
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const CMapF& m = expected[i];
    later.ranges[i] = {m.data, m.ld, m.rows(), m.c};
  }
  product(x.data, x.ld, x.rows(), float_values(w), w.in, w.out, epilogue, y, ctx, later);
}

void NativeBackend::do_mlp(CMapF x, const Packed& fc1, const Epilogue& epilogue1, const Packed& fc2,
                           const Epilogue& epilogue2, MapF y, Context& ctx) const {
  const std::ptrdiff_t rows = x.rows();
  const std::ptrdiff_t most = mlp_rows(fc1);
  // Too few rows for the threads: then each layer's product is cut in columns as well.
  constexpr std::ptrdiff_t kLeastRows = 64;
  if (ctx.threads() > 1 && rows < kLeastRows * ctx.threads()) {
    return Backend::do_mlp(x, fc1, epilogue1, fc2, epilogue2, y, ctx);
  }
  const EvenParts blocks(rows, most, ctx.threads());
  const kernels::Epilogue e1 = kernel_epilogue(epilogue1), e2 = kernel_epilogue(epilogue2);
  const Workspace::Scope scope(ctx.workspace());
  const SlotScratch hidden(ctx, blocks.largest() * fc1.out);
  ctx.pool().parallel_for(blocks.parts(), [&](std::ptrdiff_t i, int slot) {
    const std::ptrdiff_t row = blocks.begin(i);
    const std::ptrdiff_t count = blocks.size(i);
    kernels_.gemm(x.row(row), x.ld, float_values(fc1), hidden[slot], fc1.out, count, fc1.out,
                  fc1.in, e1, {});
    kernels_.gemm(hidden[slot], fc1.out, float_values(fc2), y.row(row), y.ld, count, fc2.out,
                  fc2.in, kernels::block_of(e2, row, 0),
                  {{rows_ahead(x.data, x.ld, x.c, rows, row, count)}});
  });
}

}  // namespace fovea
