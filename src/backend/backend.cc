// SPDX-License-Identifier: Apache-2.0
#include "fovea/backend/backend.h"

#include "src/backend/door.h"

namespace fovea {
namespace {

std::int64_t linear_macs(std::int64_t rows, const Packed& w) { return rows * w.in * w.out; }

std::int64_t ceil_div(int a, int b) { return (static_cast<std::int64_t>(a) + b - 1) / b; }

}  // namespace

void Backend::linear(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y,
                     Context& ctx) const {
  const Door door("linear", ctx);
  door.weight(w, *this, Packed::Kind::linear);
  door.map("x", x);
  door.channels("x", x, w.in);
  door.output(y, x.n, x.h, x.w, w.out);
  door.separate("x", x, y);
  door.epilogue(epilogue, y);
  ctx.count_macs(linear_macs(x.rows(), w));
  if (!ctx.dry_run()) do_linear(x, w, epilogue, y, ctx);
}

void Backend::conv2d(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y,
                     Context& ctx) const {
  const Door door("conv2d", ctx);
  door.weight(w, *this, Packed::Kind::conv2d);
  door.map("x", x);
  door.channels("x", x, w.in);
  const Conv2dSpec& s = w.conv;
  const int oh = conv_out_size(x.h, w.kernel_h, s.stride_h, s.pad_h, s.dilation_h);
  const int ow = conv_out_size(x.w, w.kernel_w, s.stride_w, s.pad_w, s.dilation_w);
  door.window_fits(x, oh, ow, w.kernel_h, w.kernel_w);
  door.output(y, x.n, oh, ow, w.out);
  door.separate("x", x, y);
  door.epilogue(epilogue, y);
  const std::int64_t per_output =
      static_cast<std::int64_t>(w.in / s.groups) * w.kernel_h * w.kernel_w;
  ctx.count_macs(static_cast<std::int64_t>(y.rows()) * w.out * per_output);
  if (!ctx.dry_run()) do_conv2d(x, w, epilogue, y, ctx);
}

void Backend::layer_norm(CMapF x, const NormParams& norm, MapF y, Context& ctx) const {
  const Door door("layer_norm", ctx);
  door.elementwise(x, y);
  if (!ctx.dry_run()) do_layer_norm(x, norm, y, ctx);
}

void Backend::rms_norm(CMapF x, const NormParams& norm, MapF y, Context& ctx) const {
  const Door door("rms_norm", ctx);
  door.elementwise(x, y);
  if (!ctx.dry_run()) do_rms_norm(x, norm, y, ctx);
}

void Backend::group_norm(CMapF x, const NormParams& norm, MapF y, Context& ctx) const {
  const Door door("group_norm", ctx);
  door.elementwise(x, y);
  if (!ctx.dry_run()) do_group_norm(x, norm, y, ctx);
}

void Backend::grn(CMapF x, const NormParams& norm, MapF y, Context& ctx) const {
  const Door door("grn", ctx);
  door.elementwise(x, y);
  if (!ctx.dry_run()) do_grn(x, norm, y, ctx);
}

void Backend::apply(CMapF x, const Epilogue& epilogue, MapF y, Context& ctx) const {
  const Door door("apply", ctx);
  door.elementwise(x, y);
  door.epilogue(epilogue, y);
  if (!ctx.dry_run()) do_apply(x, epilogue, y, ctx);
}

void Backend::multiply(CMapF a, CMapF b, MapF y, Context& ctx, Activation act) const {
  const Door door("multiply", ctx);
  door.map("a", a);
  door.map("b", b);
  door.same_shape("b", b, a);
  door.output(y, a.n, a.h, a.w, a.c);
  door.in_place("a", a, y);
  door.in_place("b", b, y);
  if (!ctx.dry_run()) do_multiply(a, b, act, y, ctx);
}

void Backend::scale_channels(CMapF x, CMapF s, MapF y, Context& ctx) const {
  const Door door("scale_channels", ctx);
  door.elementwise(x, y);
  door.map("s", s);
  door.same_shape("s", s, CMapF(nullptr, x.n, 1, 1, x.c));
  if (!ctx.dry_run()) do_scale_channels(x, s, y, ctx);
}

void Backend::softmax(CMapF x, MapF y, Context& ctx) const {
  const Door door("softmax", ctx);
  door.elementwise(x, y);
  if (!ctx.dry_run()) do_softmax(x, y, ctx);
}

void Backend::pool2d(CMapF x, const Pool2dSpec& spec, MapF y, Context& ctx) const {
  const Door door("pool2d", ctx);
  door.map("x", x);
  door.extent("kernel", spec.kernel_h, spec.kernel_w, 1);
  door.extent("stride", spec.stride_h, spec.stride_w, 1);
  door.extent("padding", spec.pad_h, spec.pad_w, 0);
  // More padding than half the kernel would leave windows that see no pixel at all.
  if (spec.pad_h > spec.kernel_h / 2 || spec.pad_w > spec.kernel_w / 2) {
    door.fail("padding",
              "at most half the kernel " + pair_string(spec.kernel_h / 2, spec.kernel_w / 2),
              pair_string(spec.pad_h, spec.pad_w));
  }
  const int oh = conv_out_size(x.h, spec.kernel_h, spec.stride_h, spec.pad_h);
  const int ow = conv_out_size(x.w, spec.kernel_w, spec.stride_w, spec.pad_w);
  door.window_fits(x, oh, ow, spec.kernel_h, spec.kernel_w);
  door.output(y, x.n, oh, ow, x.c);
  door.separate("x", x, y);
  if (!ctx.dry_run()) do_pool2d(x, spec, y, ctx);
}

void Backend::global_average(CMapF x, MapF y, Context& ctx) const {
  const Door door("global_average", ctx);
  door.map("x", x);
  door.output(y, x.n, 1, 1, x.c);
  door.separate("x", x, y);
  if (!ctx.dry_run()) do_global_average(x, y, ctx);
}

void Backend::adaptive_average(CMapF x, MapF y, Context& ctx) const {
  const Door door("adaptive_average", ctx);
  door.map("x", x);
  door.output(y, x.n, y.h, y.w, x.c);
  door.separate("x", x, y);
  if (!ctx.dry_run()) do_adaptive_average(x, y, ctx);
}

void Backend::resize2d(CMapF x, Interpolation interpolation, MapF y, Context& ctx) const {
  const Door door("resize2d", ctx);
  door.map("x", x);
  door.output(y, x.n, y.h, y.w, x.c);
  door.separate("x", x, y);
  if (!ctx.dry_run()) do_resize2d(x, interpolation, y, ctx);
}

void Backend::gather(CMapF x, const int* index, MapF y, Context& ctx) const {
  const Door door("gather", ctx);
  door.map("x", x);
  door.output(y, x.n, y.h, y.w, x.c);
  door.separate("x", x, y);
  if (ctx.dry_run()) return;
  const int tokens = x.h * x.w, wanted = y.h * y.w;
  for (int i = 0; i < wanted; ++i) {
    if (index[i] < -1 || index[i] >= tokens) {
      door.fail("index", "tokens from -1 to " + std::to_string(tokens - 1),
                std::to_string(index[i]));
    }
  }
  do_gather(x, index, y, ctx);
}

void Backend::rotary(CMapF x, int heads, const RotarySpec& spec, MapF y, Context& ctx) const {
  const Door door("rotary", ctx);
  door.elementwise(x, y);
  door.heads(heads, x.c);
  if (x.c / heads % 2 != 0) {
    door.fail("x", "an even number of channels per head", std::to_string(x.c / heads));
  }
  if (!ctx.dry_run()) {
    if (spec.cos == nullptr || spec.sin == nullptr)
      door.fail("rotary", "cosines and sines", "none");
    do_rotary(x, heads, spec, y, ctx);
  }
}

void Backend::patch_merge(CMapF x, MapF y, Context& ctx) const {
  const Door door("patch_merge", ctx);
  door.map("x", x);
  door.output(y, x.n, (x.h + 1) / 2, (x.w + 1) / 2, 4 * x.c);
  door.separate("x", x, y);
  if (!ctx.dry_run()) do_patch_merge(x, y, ctx);
}

void Backend::attention(CMapF q, CMapF k, CMapF v, const AttentionSpec& spec, MapF y,
                        Context& ctx) const {
  const Door door("attention", ctx);
  door.map("q", q);
  door.map("k", k);
  door.map("v", v);
  door.heads(spec.heads, q.c);
  door.channels("k", k, q.c);
  if (k.n != q.n) {
    door.fail("k", std::to_string(q.n) + " images like q", std::to_string(k.n));
  }
  door.same_shape("v", v, k);
  door.output(y, q.n, q.h, q.w, q.c);
  door.separate("q", q, y);
  door.separate("k", k, y);
  door.separate("v", v, y);
  const std::int64_t rows_k = static_cast<std::int64_t>(k.h) * k.w;
  ctx.count_macs(2 * static_cast<std::int64_t>(q.rows()) * rows_k * q.c);
  if (!ctx.dry_run()) do_attention(q.tokens(), k.tokens(), v.tokens(), spec, y.tokens(), ctx);
}

void Backend::window_attention(CMapF qkv, const WindowSpec& spec, MapF y, Context& ctx) const {
  const Door door("window_attention", ctx);
  door.map("qkv", qkv);
  if (qkv.c % 3 != 0) door.fail("qkv", "channels in three equal parts", shape_string(qkv));
  door.output(y, qkv.n, qkv.h, qkv.w, qkv.c / 3);
  door.separate("qkv", qkv, y);
  door.heads(spec.heads, y.c);
  door.extent("window", spec.window_h, spec.window_w, 1);
  door.extent("shift", spec.shift_h, spec.shift_w, 0);
  if (spec.shift_h >= spec.window_h || spec.shift_w >= spec.window_w) {
    door.fail("shift", "less than the window " + pair_string(spec.window_h, spec.window_w),
              pair_string(spec.shift_h, spec.shift_w));
  }
  const std::int64_t windows =
      static_cast<std::int64_t>(y.n) * ceil_div(y.h, spec.window_h) * ceil_div(y.w, spec.window_w);
  const std::int64_t area = static_cast<std::int64_t>(spec.window_h) * spec.window_w;
  ctx.count_macs(2 * windows * area * area * y.c);
  if (!ctx.dry_run()) do_window_attention(qkv, spec, y, ctx);
}

void Backend::mlp(CMapF x, const Packed& fc1, const Epilogue& epilogue1, const Packed& fc2,
                  const Epilogue& epilogue2, MapF y, Context& ctx) const {
  const Door door("mlp", ctx);
  door.weight(fc1, *this, Packed::Kind::linear);
  door.weight(fc2, *this, Packed::Kind::linear);
  if (fc2.in != fc1.out) {
    door.fail("fc2", std::to_string(fc1.out) + " input channels, fc1's outputs",
              std::to_string(fc2.in));
  }
  door.map("x", x);
  door.channels("x", x, fc1.in);
  door.output(y, x.n, x.h, x.w, fc2.out);
  door.separate("x", x, y);
  // The hidden layer is never there as a whole: nothing could be added to it.
  if (!epilogue1.residual.empty()) door.fail("epilogue1", "no residual", "one");
  door.epilogue(epilogue2, y);
  ctx.count_macs(linear_macs(x.rows(), fc1) + linear_macs(x.rows(), fc2));
  if (!ctx.dry_run()) do_mlp(x, fc1, epilogue1, fc2, epilogue2, y, ctx);
}

void Backend::pooling(CMapF x, int k, const Epilogue& epilogue, MapF y, Context& ctx) const {
  const Door door("pooling", ctx);
  door.map("x", x);
  door.extent("k", k, k, 1);
  if (k % 2 == 0) door.fail("k", "an odd number", std::to_string(k));
  door.output(y, x.n, x.h, x.w, x.c);
  door.separate("x", x, y);
  door.epilogue(epilogue, y);
  if (!ctx.dry_run()) do_pooling(x, k, epilogue, y, ctx);
}

}  // namespace fovea
