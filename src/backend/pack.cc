// SPDX-License-Identifier: Apache-2.0
#include <limits>

#include "fovea/backend/backend.h"
#include "src/backend/door.h"

namespace fovea {
namespace {

// What a tensor without data packs to.
class ShapeOnly final : public Packed {
 public:
  std::size_t bytes() const override { return 0; }
};

int checked_size(const Door& door, const Tensor& w, std::int64_t size) {
  if (size < 1 || size > std::numeric_limits<int>::max()) {
    door.fail("weight", "sizes from 1 to 2147483647", to_string(w.shape()));
  }
  return static_cast<int>(size);
}

void check_conv(const Door& door, const Conv2dSpec& spec, int kernel_h, int kernel_w) {
  door.extent("kernel", kernel_h, kernel_w, 1);
  door.extent("stride", spec.stride_h, spec.stride_w, 1);
  door.extent("padding", spec.pad_h, spec.pad_w, 0);
  door.extent("dilation", spec.dilation_h, spec.dilation_w, 1);
  constexpr std::int64_t kMaxReach = 1 << 30;
  if (static_cast<std::int64_t>(spec.dilation_h) * kernel_h > kMaxReach ||
      static_cast<std::int64_t>(spec.dilation_w) * kernel_w > kMaxReach) {
    door.fail("dilation", "a dilated kernel of at most 1073741824 pixels",
              pair_string(spec.dilation_h, spec.dilation_w));
  }
}

}  // namespace

PackedPtr Backend::finish(std::unique_ptr<Packed> packed, Packed::Kind kind, int in,
                          int out) const {
  packed->owner = this;
  packed->kind = kind;
  packed->in = in;
  packed->out = out;
  return packed;
}

PackedPtr Backend::pack_linear(const Tensor& w, const PackTools& tools) const {
  const Door door("pack_linear");
  const Shape& shape = w.shape();
  const bool matrix = shape.size() == 2;
  const bool pointwise = shape.size() == 4 && shape[2] == 1 && shape[3] == 1;
  if (!matrix && !pointwise) {
    door.fail("weight", "(out, in) or (out, in, 1, 1)", to_string(shape));
  }
  const int out = checked_size(door, w, shape[0]);
  const int in = checked_size(door, w, shape[1]);
  return finish(w.has_data() ? do_pack_linear(w, tools) : std::make_unique<ShapeOnly>(),
                Packed::Kind::linear, in, out);
}

PackedPtr Backend::pack_conv2d(const Tensor& w, const Conv2dSpec& spec,
                               const PackTools& tools) const {
  const Door door("pack_conv2d");
  const Shape& shape = w.shape();
  if (shape.size() != 4) {
    door.fail("weight", "(out, in / groups, kernel_h, kernel_w)", to_string(shape));
  }
  const int out = checked_size(door, w, shape[0]);
  const int group_in = checked_size(door, w, shape[1]);
  const int kernel_h = checked_size(door, w, shape[2]);
  const int kernel_w = checked_size(door, w, shape[3]);
  check_conv(door, spec, kernel_h, kernel_w);
  if (spec.groups < 1 || out % spec.groups != 0) {
    door.fail("groups", "a divisor of the " + std::to_string(out) + " output channels",
              std::to_string(spec.groups));
  }
  const int in = checked_size(door, w, static_cast<std::int64_t>(group_in) * spec.groups);
  std::unique_ptr<Packed> packed =
      w.has_data() ? do_pack_conv2d(w, spec, tools) : std::make_unique<ShapeOnly>();
  packed->kernel_h = kernel_h;
  packed->kernel_w = kernel_w;
  packed->conv = spec;
  return finish(std::move(packed), Packed::Kind::conv2d, in, out);
}

}  // namespace fovea
