// SPDX-License-Identifier: Apache-2.0
// Weights into the panels that gemm reads. The rows of a panel are read from the tensor, converted
// where need be, and packed by one task: nothing of the size of the tensor is allocated but the
// result, and the tasks run on all threads that there are.
#include <limits>

#include "fovea/core/error.h"
#include "fovea/core/weight_arena.h"
#include "src/backend/float_packed.h"
#include "src/backend/im2col.h"
#include "src/backend/native/native_backend.h"
#include "src/backend/parallel.h"

namespace fovea {
namespace {

std::shared_ptr<float> allocate(std::size_t count, const PackTools& tools) {
  WeightArena own;
  return (tools.arena != nullptr ? *tools.arena : own).floats(count);
}

// body(i, slot) for i in [0, count), on the threads of `tools`.
template <class Body>
void for_each(std::ptrdiff_t count, const PackTools& tools, const Body& body) {
  if (tools.pool != nullptr) return tools.pool->parallel_for(count, body);
  for (std::ptrdiff_t i = 0; i < count; ++i) body(i, 0);
}

}  // namespace

// w is (out, k), or (out, inner, positions) with k = inner * positions, which becomes (out,
// positions, inner) first. The outputs of each group start a new panel.
std::unique_ptr<Packed> NativeBackend::pack_rows(const Tensor& w, int groups, int inner,
                                                 int positions, const PackTools& tools) const {
  const int k = inner * positions;
  const int group_out = static_cast<int>(w.shape()[0]) / groups;
  const std::ptrdiff_t panels = ceil_div(group_out, kernels_.gemm_cols);
  const std::ptrdiff_t panel = static_cast<std::ptrdiff_t>(kernels_.gemm_cols) * k;
  const auto total = static_cast<std::size_t>(groups * panels * panel);
  const std::shared_ptr<float> packed = allocate(total, tools);

  const float* const in_place = positions == 1 ? w.as_floats() : nullptr;
  const std::size_t rows_size =
      in_place != nullptr ? 0
                          : static_cast<std::size_t>(std::min(group_out, kernels_.gemm_cols)) *
                                static_cast<std::size_t>(k);
  const std::size_t threads =
      tools.pool != nullptr ? static_cast<std::size_t>(tools.pool->threads()) : 1;
  FloatBuffer read(threads * rows_size);
  FloatBuffer turned(positions == 1 ? 0 : threads * rows_size);

  for_each(groups * panels, tools, [&](std::ptrdiff_t i, int slot) {
    const std::ptrdiff_t first = i % panels * kernels_.gemm_cols;
    const int rows =
        static_cast<int>(std::min<std::ptrdiff_t>(kernels_.gemm_cols, group_out - first));
    const std::ptrdiff_t from = (i / panels * group_out + first) * k;
    const float* source = in_place + from;
    if (in_place == nullptr) {
      const std::size_t mine = static_cast<std::size_t>(slot) * rows_size;
      const std::span<float> values{read.data() + mine,
                                    static_cast<std::size_t>(rows) * static_cast<std::size_t>(k)};
      w.read_floats(from, values);
      source = values.data();
      if (positions > 1) {
        positions_outside(values.data(), rows, inner, positions, turned.data() + mine);
        source = turned.data() + mine;
      }
    }
    kernels_.pack_nk(source, k, rows, k, packed.get() + i * panel);
  });
  return std::make_unique<FloatPacked>(packed, total);
}

std::unique_ptr<Packed> NativeBackend::do_pack_linear(const Tensor& w,
                                                      const PackTools& tools) const {
  return pack_rows(w, 1, static_cast<int>(w.shape()[1]), 1, tools);
}

// Dense: the panels of each group's (kernel_h kernel_w group_in, group_out), group after group.
// Depthwise: (kernel_h kernel_w, channels).
std::unique_ptr<Packed> NativeBackend::do_pack_conv2d(const Tensor& w, const Conv2dSpec& spec,
                                                      const PackTools& tools) const {
  const std::ptrdiff_t out = w.shape()[0], group_in = w.shape()[1];
  const std::ptrdiff_t positions = w.shape()[2] * w.shape()[3];
  if (group_in == 1 && spec.groups == out) {
    return std::make_unique<FloatPacked>(positions_outside(w.to_floats(), 1, out, positions));
  }
  if (positions * group_in > std::numeric_limits<int>::max()) {
    throw Error(Error::Kind::argument,
                "pack_conv2d: weight: wanted at most 2147483647 products "
                "for one output, found " +
                    std::to_string(positions * group_in) + ".");
  }
  return pack_rows(w, spec.groups, static_cast<int>(group_in), static_cast<int>(positions), tools);
}

}  // namespace fovea
