// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/window_attention.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fovea/nn/attention_scale.h"
#include "fovea/nn/position_embedding.h"

namespace fovea::nn {
namespace {

// Biases are kept for every pair of positions, so that memory grows with the square of a window's
// area; no published window has more than 48 x 48 positions.
constexpr int kMaxWindowArea = 4096;

int attention_width(const Params& p, int c, const WindowOptions& options) {
  const int head_dim = options.head_dim > 0 ? options.head_dim : c / std::max(options.heads, 1);
  if (options.heads < 1 || head_dim < 1) {
    throw Error(Error::Kind::argument, "window attention \"" + p.path() +
                                           "\": " + std::to_string(c) + " channels cannot have " +
                                           std::to_string(options.heads) + " heads");
  }
  if (options.window_h < 1 || options.window_w < 1 ||
      static_cast<std::int64_t>(options.window_h) * options.window_w > kMaxWindowArea) {
    throw Error(Error::Kind::argument,
                "window attention \"" + p.path() + "\": a window of " +
                    std::to_string(options.window_h) + " x " + std::to_string(options.window_w) +
                    " positions; wanted 1 to " + std::to_string(kMaxWindowArea));
  }
  return options.heads * head_dim;
}

// Swin V2 splits the channels themselves into heads.
int cosine_width(const Params& p, int c, const WindowOptions& options) {
  if (attention_width(p, c, options) != c) {
    throw Error(Error::Kind::argument,
                "window attention \"" + p.path() + "\": " + std::to_string(c) +
                    " channels do not divide into " + std::to_string(options.heads) + " heads");
  }
  return c;
}

WindowSpec window_spec(const WindowOptions& options) {
  WindowSpec spec;
  spec.heads = options.heads;
  spec.window_h = options.window_h;
  spec.window_w = options.window_w;
  spec.shift_h = options.shift_h;
  spec.shift_w = options.shift_w;
  return spec;
}

// A table of one value for each relative position and head, ((2h - 1) (2w - 1), heads), written out
// for every pair of a window's positions: (heads, h w, h w).
FloatBuffer expand_table(const float* table, int h, int w, int heads) {
  const std::size_t area = static_cast<std::size_t>(h) * w;
  FloatBuffer bias(static_cast<std::size_t>(heads) * area * area);
  float* out = bias.data();
  for (int head = 0; head < heads; ++head) {
    for (int qy = 0; qy < h; ++qy) {
      for (int qx = 0; qx < w; ++qx) {
        for (int ky = 0; ky < h; ++ky) {
          for (int kx = 0; kx < w; ++kx) {
            const int index = (qy - ky + h - 1) * (2 * w - 1) + (qx - kx + w - 1);
            *out++ = table[static_cast<std::size_t>(index) * heads + head];
          }
        }
      }
    }
  }
  return bias;
}

// The learned table for windows of h x w positions, resized when the checkpoint's window, a square,
// differs; empty without data.
FloatBuffer bias_table(const Params& p, int h, int w, int heads) {
  constexpr std::string_view kName = "relative_position_bias_table";
  const std::int64_t wanted = static_cast<std::int64_t>(2 * h - 1) * (2 * w - 1);
  const Shape found = p.shape(kName).value_or(Shape{wanted, heads});
  if (found.size() == 2 && found[0] != wanted && found[0] <= 4 * kMaxWindowArea) {
    const int side = static_cast<int>(std::lround(std::sqrt(static_cast<double>(found[0]))));
    const int window = (side + 1) / 2;
    if (static_cast<std::int64_t>(side) * side == found[0] && side % 2 == 1 && window > 1) {
      const Tensor table = p.get(kName, {found[0], heads});
      if (!table.has_data()) return {};
      return resize_bias_table(table.to_floats().data(), window, heads, h, w);
    }
  }
  const Tensor table = p.get(kName, {wanted, heads});
  return table.has_data() ? table.to_floats() : FloatBuffer();
}

// Log-spaced coordinate of Swin V2 in [-1, 1] for pretrained windows (equation 4 with the scale of
// the authors' code, 8). In single precision, as the reference has its table.
float log_coordinate(int offset, int window) {
  if (offset == 0) return 0.0f;  // also in windows of one position
  const float linear = static_cast<float>(offset) / static_cast<float>(window - 1) * 8.0f;
  return std::copysign(std::log2(std::abs(linear) + 1.0f) / 3.0f, linear);
}

// The bias network of Swin V2 at every relative position: 16 sigmoid(fc2(relu(fc1(dy, dx)))).
FloatBuffer continuous_table(const Params& p, const WindowOptions& options, int pretrained_h,
                             int pretrained_w) {
  constexpr std::size_t kHidden = 512;
  const FloatBuffer fc1 = p.floats("0.weight", {kHidden, 2});
  const FloatBuffer bias1 = p.floats("0.bias", {kHidden});
  const Tensor fc2_tensor = p.get("2.weight", {options.heads, kHidden});
  if (!fc2_tensor.has_data()) return {};
  const FloatBuffer fc2 = fc2_tensor.to_floats();

  const std::size_t heads = static_cast<std::size_t>(options.heads);
  const int h = options.window_h, w = options.window_w;
  FloatBuffer table(static_cast<std::size_t>(2 * h - 1) * (2 * w - 1) * heads);
  float* out = table.data();
  std::vector<double> hidden(kHidden);
  for (int dy = 1 - h; dy < h; ++dy) {
    const double y = log_coordinate(dy, pretrained_h);
    for (int dx = 1 - w; dx < w; ++dx) {
      const double x = log_coordinate(dx, pretrained_w);
      for (std::size_t i = 0; i < kHidden; ++i) {
        hidden[i] = std::max(fc1[2 * i] * y + fc1[2 * i + 1] * x + bias1[i], 0.0);
      }
      for (std::size_t head = 0; head < heads; ++head) {
        double sum = 0.0;
        for (std::size_t i = 0; i < kHidden; ++i) sum += hidden[i] * fc2[head * kHidden + i];
        *out++ = static_cast<float>(16.0 / (1.0 + std::exp(-sum)));
      }
    }
  }
  return table;
}

// Swin V2 has no bias for keys: q_bias, zeros, v_bias. torchvision stores the three as one and
// ignores the middle.
FloatBuffer query_value_bias(const Params& p, int c) {
  if (p.has("qkv.bias")) {
    FloatBuffer bias = p.floats("qkv.bias", {3 * c});
    std::fill_n(bias.begin() + c, c, 0.0f);
    return bias;
  }
  const FloatBuffer q = p.floats("q_bias", {c});
  const FloatBuffer v = p.floats("v_bias", {c});
  FloatBuffer bias(3 * static_cast<std::size_t>(c));
  std::copy(q.begin(), q.end(), bias.begin());
  std::fill_n(bias.begin() + c, c, 0.0f);
  std::copy(v.begin(), v.end(), bias.begin() + 2 * c);
  return bias;
}

// windows(qkv(x)) projected: what both kinds of window attention do.
void attend(const Backend& backend, const Linear& qkv, const Linear& proj, const WindowSpec& spec,
            CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) {
  Workspace::Scope scope(ctx.workspace());
  const MapF rows = ctx.workspace().map(x.n, x.h, x.w, qkv.out());
  const MapF mixed = ctx.workspace().map(x.n, x.h, x.w, qkv.out() / 3);
  qkv.forward(x, rows, ctx);
  backend.window_attention(rows, spec, mixed, ctx);
  proj.forward(mixed, y, ctx, epilogue);
}

}  // namespace

WindowAttention::WindowAttention(const Params& p, int c, const WindowOptions& options)
    : WindowAttention(p, Linear(p / "qkv", c, 3 * attention_width(p, c, options), options.qkv_bias),
                      c, options) {}

WindowAttention::WindowAttention(const Params& p, Linear qkv, int c, const WindowOptions& options)
    : backend_(&p.backend()),
      qkv_(std::move(qkv)),
      proj_(p / "proj", qkv_.out() / 3, c),
      spec_(window_spec(options)),
      inner_(attention_width(p, c, options)) {
  const int h = options.window_h, w = options.window_w;
  const FloatBuffer table = bias_table(p, h, w, options.heads);
  if (!table.empty()) bias_ = expand_table(table.data(), h, w, options.heads);
  spec_.bias = bias_.data();
  spec_.scale = options.scale != 0.0f ? options.scale : attention_scale(inner_ / options.heads);
  // Padding is zeros in the normalised map, before the projection.
  spec_.pad_qkv = qkv_.bias();
}

void WindowAttention::forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const {
  attend(*backend_, qkv_, proj_, spec_, x, y, ctx, epilogue);
}

WindowAttentionV2::WindowAttentionV2(const Params& p, int c, const WindowOptions& options,
                                     int pretrained_window_h, int pretrained_window_w)
    : backend_(&p.backend()),
      qkv_(p / "qkv", (p / "qkv").get("weight", {3 * cosine_width(p, c, options), c}),
           options.qkv_bias ? query_value_bias(p, c) : FloatBuffer()),
      proj_(p / "proj", c, c),
      head_scale_(p.floats("logit_scale", {options.heads, 1, 1})),
      spec_(window_spec(options)) {
  const FloatBuffer table = continuous_table(
      p / "cpb_mlp", options, pretrained_window_h > 0 ? pretrained_window_h : options.window_h,
      pretrained_window_w > 0 ? pretrained_window_w : options.window_w);
  if (!table.empty()) {
    bias_ = expand_table(table.data(), options.window_h, options.window_w, options.heads);
  }
  // The temperature of the cosine is learned as a logarithm and is at most 100.
  for (float& s : head_scale_) {
    s = static_cast<float>(std::exp(std::min(static_cast<double>(s), std::log(100.0))));
  }
  spec_.cosine = true;
  spec_.head_scale = head_scale_.data();
  spec_.bias = bias_.data();
  spec_.pad_qkv = qkv_.bias();
}

void WindowAttentionV2::forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const {
  attend(*backend_, qkv_, proj_, spec_, x, y, ctx, epilogue);
}

}  // namespace fovea::nn
