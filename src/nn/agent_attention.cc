// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/agent_attention.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "fovea/nn/attention_scale.h"

namespace fovea::nn {
namespace {

constexpr int kLearned = 7;  // the side of the grids that biases are learned on
// The tables hold every pair of a position and an agent; 256 x 256 are the patches of an image of
// 1024 x 1024 pixels.
constexpr std::int64_t kMaxPositions = 1 << 16;

[[noreturn]] void refuse(const Params& p, const std::string& what) {
  throw Error(Error::Kind::argument, "agent attention \"" + p.path() + "\": " + what);
}

const AgentOptions& checked(const Params& p, int c, const AgentOptions& o) {
  if (o.heads < 1 || c % o.heads != 0) {
    refuse(p, std::to_string(c) + " channels do not divide into " + std::to_string(o.heads) +
                  " heads");
  }
  const int side = static_cast<int>(std::lround(std::sqrt(std::max(o.agents, 0))));
  if (side < 1 || side * side != o.agents) {
    refuse(p, std::to_string(o.agents) + " agents; wanted a square number of them");
  }
  if (o.reduction < 1 || o.h < o.reduction || o.w < o.reduction ||
      std::int64_t{o.h} * o.w > kMaxPositions) {
    refuse(p, "a map of " + std::to_string(o.h) + " x " + std::to_string(o.w) +
                  " positions; wanted " + std::to_string(o.reduction) + " x " +
                  std::to_string(o.reduction) + " to " + std::to_string(kMaxPositions) +
                  " positions");
  }
  return o;
}

std::size_t size(int n) { return static_cast<std::size_t>(n); }

// Where output i of `out` lies between two of the learned positions.
struct Between {
  std::size_t first, second;
  double t;
};

std::vector<Between> between(int out) {
  std::vector<Between> places;
  for (int i = 0; i < out; ++i) {
    const double x = std::max((i + 0.5) * kLearned / out - 0.5, 0.0);
    const int first = std::min(static_cast<int>(x), kLearned - 1);
    places.push_back({size(first), size(std::min(first + 1, kLearned - 1)), x - first});
  }
  return places;
}

// The biases between `agents` agents and the positions of an (h, w) map, for every head.
struct BiasParts {
  FloatBuffer grid;     // (heads, agents, 7, 7)
  FloatBuffer rows;     // of every row of the map, by head and agent
  FloatBuffer columns;  // of every column
  FloatBuffer token;    // (heads, agents): the class token's; or empty
};

// Values of (heads, agents, 1 + h w), or with `position_first` (heads, 1 + h w, agents); then
// `rows` is (heads, h, agents), else (heads, agents, h), and `columns` likewise. In double.
FloatBuffer bias_table(const BiasParts& parts, int heads, int agents, int h, int w,
                       bool position_first) {
  const std::size_t tokens = parts.token.empty() ? 0 : 1;
  const std::size_t positions = tokens + size(h) * size(w);
  FloatBuffer table(size(heads) * size(agents) * positions);
  const std::vector<Between> down = between(h), across = between(w);
  const auto index = [&](std::size_t head, std::size_t agent, std::size_t position,
                         std::size_t length) {
    return position_first ? (head * length + position) * size(agents) + agent
                          : (head * size(agents) + agent) * length + position;
  };
  for (std::size_t head = 0; head < size(heads); ++head) {
    for (std::size_t a = 0; a < size(agents); ++a) {
      const std::size_t pair = head * size(agents) + a;
      const float* grid = parts.grid.data() + pair * kLearned * kLearned;
      if (tokens > 0) table[index(head, a, 0, positions)] = parts.token[pair];
      for (std::size_t y = 0; y < size(h); ++y) {
        const float* upper = grid + down[y].first * kLearned;
        const float* lower = grid + down[y].second * kLearned;
        const double row = parts.rows[index(head, a, y, size(h))];
        for (std::size_t x = 0; x < size(w); ++x) {
          const Between& b = across[x];
          const double above = upper[b.first] * (1.0 - b.t) + upper[b.second] * b.t;
          const double below = lower[b.first] * (1.0 - b.t) + lower[b.second] * b.t;
          const double value = above * (1.0 - down[y].t) + below * down[y].t + row +
                               parts.columns[index(head, a, x, size(w))];
          table[index(head, a, tokens + y * size(w) + x, positions)] = static_cast<float>(value);
        }
      }
    }
  }
  return table;
}

FloatBuffer to_agents(const Params& p, const AgentOptions& o) {
  const int h = o.h / o.reduction, w = o.w / o.reduction;
  BiasParts parts;
  parts.grid = p.floats("an_bias", {o.heads, o.agents, kLearned, kLearned});
  parts.rows = p.floats("ah_bias", {1, o.heads, o.agents, h, 1});
  parts.columns = p.floats("aw_bias", {1, o.heads, o.agents, 1, w});
  if (o.class_token) parts.token = p.floats("ac_bias", {1, o.heads, o.agents, 1});
  return bias_table(parts, o.heads, o.agents, h, w, /*position_first=*/false);
}

FloatBuffer from_agents(const Params& p, const AgentOptions& o) {
  BiasParts parts;
  parts.grid = p.floats("na_bias", {o.heads, o.agents, kLearned, kLearned});
  parts.rows = p.floats("ha_bias", {1, o.heads, o.h, 1, o.agents});
  parts.columns = p.floats("wa_bias", {1, o.heads, 1, o.w, o.agents});
  if (o.class_token) parts.token = p.floats("ca_bias", {1, o.heads, 1, o.agents});
  return bias_table(parts, o.heads, o.agents, o.h, o.w, /*position_first=*/true);
}

AttentionSpec spec(int c, int heads, const FloatBuffer& bias) {
  return {.heads = heads, .scale = attention_scale(c / heads), .bias = bias.data()};
}

}  // namespace

AgentMixing::AgentMixing(const Params& p, int c, const AgentOptions& options)
    : backend_(&p.backend()),
      conv_(p / checked(p, c, options).conv, c, c, 3, Conv2dSpec::square(1, 1, c)),
      grid_(static_cast<int>(std::lround(std::sqrt(options.agents)))),
      h_(options.h),
      w_(options.w),
      class_token_(options.class_token),
      to_agents_(to_agents(p, options)),
      from_agents_(from_agents(p, options)),
      gather_(spec(c, options.heads, to_agents_)),
      spread_(spec(c, options.heads, from_agents_)) {}

void AgentMixing::forward(CMapF q, CMapF k, CMapF v, MapF y, Context& ctx) const {
  const Workspace::Scope scope(ctx.workspace());
  const MapF agents = ctx.workspace().map(q.n, grid_, grid_, q.c);
  const MapF values = ctx.workspace().map(q.n, 1, grid_ * grid_, q.c);
  pool(q, agents, ctx);
  backend_->attention(agents.tokens(), k.tokens(), v.tokens(), gather_, values, ctx);
  backend_->attention(q.tokens(), agents.tokens(), values, spread_, y.tokens(), ctx);
  if (!class_token_ && (v.h != y.h || v.w != y.w)) {
    const MapF wide = ctx.workspace().map_like(y);
    backend_->resize2d(v, Interpolation::bilinear, wide, ctx);
    v = wide;
  }
  add_convolved(v, y, ctx);
}

void AgentMixing::pool(CMapF q, MapF agents, Context& ctx) const {
  if (!class_token_) return backend_->adaptive_average(q, agents, ctx);
  for (int i = 0; i < q.n; ++i) {
    backend_->adaptive_average(q.image(i).token_range(1, h_ * w_).reshaped(1, h_, w_),
                               agents.image(i), ctx);
  }
}

void AgentMixing::add_convolved(CMapF v, MapF y, Context& ctx) const {
  if (!class_token_) return conv_.forward(v, y, ctx, {.residual = y});
  for (int i = 0; i < y.n; ++i) {
    const MapF patches = y.image(i).token_range(1, h_ * w_).reshaped(1, h_, w_);
    conv_.forward(v.image(i).token_range(1, h_ * w_).reshaped(1, h_, w_), patches, ctx,
                  {.residual = patches});
  }
}

}  // namespace fovea::nn
