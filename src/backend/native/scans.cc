// SPDX-License-Identifier: Apache-2.0
// Recurrences: selective scans, causal state spaces, gated attention. Tasks are images and blocks
// of channels, which see nothing of each other; tokens follow one another inside a task.
#include <algorithm>

#include "src/backend/native/native_backend.h"
#include "src/backend/parallel.h"

namespace fovea {
namespace {

constexpr std::ptrdiff_t kTokens = 64;  // whose gates or decays are made at a time
constexpr float kLog2e = 1.44269504f;

// Channels of a task, a multiple of a cache line: `most`, or fewer where threads would idle.
int channels_per_task(std::ptrdiff_t channels, std::ptrdiff_t others, int most, int threads) {
  constexpr std::ptrdiff_t kLine = 16;
  if (threads == 1) return most;
  const std::ptrdiff_t wanted = ceil_div(4 * threads, others);  // parts of the channels
  return static_cast<int>(
      std::clamp<std::ptrdiff_t>(channels / wanted / kLine * kLine, kLine, most));
}

// One walk of a path over one image, channels `first` .. first + s.channels; y is that image's.
void scan_walk(const kernels::KernelTable& k, const CMapF& u, const ScanPath& path,
               const ScanWalk& walk, int first, int group, int image, kernels::ScanSteps s,
               const MapF& y) {
  const CMapF us = u.image(image), rs = path.r.image(image), bs = path.b.image(image),
              cs = path.c.image(image);
  std::ptrdiff_t step = 0;
  const int runs = scan_runs(walk, u.h, u.w);
  for (int i = 0; i < runs; ++i) {
    const ScanRun run = scan_run(walk, u.h, u.w, i);
    const std::ptrdiff_t at = path.by_step ? step : run.start;
    const std::ptrdiff_t stride = path.by_step ? 1 : run.stride;
    s.u = us.row(run.start) + first;
    s.u_step = run.stride * us.ld;
    s.y = y.row(run.start) + first;
    s.y_step = run.stride * y.ld;
    s.r = rs.row(at);
    s.r_step = stride * rs.ld;
    s.b = bs.row(at) + group * s.state;
    s.b_step = stride * bs.ld;
    s.c = cs.row(at) + group * s.state;
    s.c_step = stride * cs.ld;
    k.selective_scan(s, run.count);
    step += run.count;
  }
}

// The part of a channel block that lies in one group of b and c, along all paths.
void scan_channels(const kernels::KernelTable& k, const CMapF& u, std::span<const ScanPath> paths,
                   int state, int first, int count, int group, int image, float* scratch,
                   const MapF& y) {
  kernels::ScanSteps s;
  s.channels = count;
  s.state = state;
  s.row = u.c;
  s.h = scratch;
  s.h_row = count;
  float* const rate = scratch + static_cast<std::ptrdiff_t>(state) * count;
  s.rate = rate;
  for (const ScanPath& path : paths) {
    s.rank = path.r.c;
    s.dt_weight = path.dt_weight + first;
    s.dt_bias = path.dt_bias + first;
    s.d = path.d == nullptr ? nullptr : path.d + first;
    for (std::ptrdiff_t n = 0; n < state; ++n) {
      const float* const a = path.a + n * u.c + first;
      for (int c = 0; c < count; ++c) rate[n * count + c] = a[c] * kLog2e;
      const float* const initial =
          path.initial == nullptr
              ? nullptr
              : path.initial + (static_cast<std::ptrdiff_t>(image) * state + n) * u.c + first;
      for (int c = 0; c < count; ++c) s.h[n * count + c] = initial == nullptr ? 0.0f : initial[c];
    }
    for (const ScanWalk& walk : path.walks) {
      scan_walk(k, u, path, walk, first, group, image, s, y);
      s.add = true;  // every walk visits every token
    }
  }
}

// Recurrences with a matrix state per head, cut into blocks of a head's channels. The blocks of a
// share, which is a task, pass a few tokens together: rows of the maps are read whole, and memory
// is asked for all of a row at once.
class HeadBlocks {
 public:
  // `width`: channels of a head.
  HeadBlocks(int images, int heads, int width, int threads)
      : width_(width),
        block_(
            channels_per_task(width, static_cast<std::ptrdiff_t>(images) * heads, width, threads)),
        per_head_(ceil_div(width, block_)),
        shares_(heads * per_head_,
                threads == 1 ? heads * per_head_ : ceil_div(heads * per_head_, 2 * threads)) {}

  int block() const { return block_; }  // channels, at most
  const EvenParts& shares() const { return shares_; }

  // steps(unit, head, first channel, count of channels, first token, count of tokens) for all units
  // of a share and all tokens; the tokens in order, or from the last chunk to the first.
  template <class Steps>
  void pass(std::ptrdiff_t share, int tokens, bool backward, const Steps& steps) const {
    const std::ptrdiff_t chunks = ceil_div(tokens, kTokens);
    for (std::ptrdiff_t chunk = 0; chunk < chunks; ++chunk) {
      const std::ptrdiff_t begin = (backward ? chunks - 1 - chunk : chunk) * kTokens;
      for (std::ptrdiff_t unit = 0; unit < shares_.size(share); ++unit) {
        const std::ptrdiff_t at = shares_.begin(share) + unit;
        const int first = static_cast<int>(at % per_head_) * block_;
        steps(unit, static_cast<int>(at / per_head_), first, std::min(block_, width_ - first),
              begin, std::min<std::ptrdiff_t>(kTokens, tokens - begin));
      }
    }
  }

 private:
  int width_, block_;
  std::ptrdiff_t per_head_;
  EvenParts shares_;
};

}  // namespace

void NativeBackend::do_selective_scan(CMapF u, std::span<const ScanPath> paths, int state, MapF y,
                                      Context& ctx) const {
  // As many channels as keep their states and rates in L1: all of them share r, b and c, and a row
  // of u and y is read whole.
  constexpr int kStates = 4096;
  const int most = std::max(16, kStates / state / 16 * 16);
  const auto one_walk = [](const ScanPath& path) { return path.walks.size() == 1; };
  // Too few channels for the threads: then paths are tasks too, whose outputs are added up in the
  // order in which one thread adds them.
  constexpr std::ptrdiff_t kLeastChannels = 16;
  const bool apart = u.n * ceil_div(u.c, kLeastChannels) < 2 * ctx.threads() && ctx.threads() > 1 &&
                     std::all_of(paths.begin(), paths.end(), one_walk);
  const std::ptrdiff_t parts = apart ? static_cast<std::ptrdiff_t>(paths.size()) : 1;
  const int block = channels_per_task(u.c, u.n * parts, most, ctx.threads());
  const std::ptrdiff_t blocks = ceil_div(u.c, block);
  const Workspace::Scope scope(ctx.workspace());
  const SlotScratch scratch(ctx, 2 * static_cast<std::ptrdiff_t>(state) * block);
  const MapF others = ctx.workspace().map(static_cast<int>(parts - 1) * y.n, y.h, y.w, y.c);
  ctx.pool().parallel_for(parts * u.n * blocks, [&](std::ptrdiff_t i, int slot) {
    const int part = static_cast<int>(i / blocks / u.n);
    const int image = static_cast<int>(i / blocks % u.n);
    const int end = std::min(u.c, static_cast<int>(i % blocks + 1) * block);
    const int per_group = u.c / (paths.front().b.c / state);
    const MapF to = part == 0 ? y.image(image) : others.image((part - 1) * u.n + image);
    for (int first = static_cast<int>(i % blocks) * block; first < end;) {
      const int count = std::min(end, (first / per_group + 1) * per_group) - first;
      scan_channels(kernels_, u, apart ? paths.subspan(static_cast<std::size_t>(part), 1) : paths,
                    state, first, count, first / per_group, image, scratch[slot], to);
      first += count;
    }
  });
  const std::ptrdiff_t rows = y.rows();
  for (std::ptrdiff_t part = 1; part < parts; ++part) {
    parallel_rows(ctx, rows, y.c, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
      kernels_.add_rows(y.row(first), y.ld, others.row((part - 1) * rows + first), others.ld,
                        y.row(first), y.ld, last - first, y.c);
    });
  }
}

void NativeBackend::do_state_space(CMapF x, CMapF dt, CMapF b, CMapF c, const StateSpaceSpec& spec,
                                   MapF y, Context& ctx) const {
  if (!spec.causal) return shared_state(x, dt, b, c, spec, y, ctx);
  const int p = x.c / spec.heads, state = b.c / spec.groups;
  const HeadBlocks blocks(x.n, spec.heads, p, ctx.threads());
  const EvenParts& shares = blocks.shares();
  const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(state) * blocks.block();
  const Workspace::Scope scope(ctx.workspace());
  const MapF step = ctx.workspace().map_like(dt), decay = ctx.workspace().map_like(dt);
  const SlotScratch states(ctx, shares.largest() * size);
  parallel_rows(ctx, dt.rows(), dt.c, [&](std::ptrdiff_t first, std::ptrdiff_t last) {
    kernels_.softplus_decay(dt.row(first), dt.ld, spec.dt_bias, spec.a, step.row(first),
                            decay.row(first), step.ld, last - first, dt.c);
  });
  ctx.pool().parallel_for(x.n * shares.parts(), [&](std::ptrdiff_t i, int slot) {
    const int image = static_cast<int>(i / shares.parts());
    const std::ptrdiff_t share = i % shares.parts();
    std::fill_n(states[slot], shares.size(share) * size, 0.0f);
    const auto steps = [&](std::ptrdiff_t unit, int head, int first, int channels,
                           std::ptrdiff_t token, std::ptrdiff_t count) {
      const int group = head / (spec.heads / spec.groups);
      kernels::GatedSteps g;
      g.rows = state;
      g.channels = channels;
      g.s = states[slot] + unit * size;
      g.s_row = blocks.block();
      g.query = c.image(image).row(token) + group * state;
      g.query_step = c.ld;
      g.key = b.image(image).row(token) + group * state;
      g.key_step = b.ld;
      g.one_gate = true;
      g.gate = decay.image(image).row(token) + head;
      g.gate_step = decay.ld;
      g.weight = step.image(image).row(token) + head;
      g.weight_step = step.ld;
      g.value = x.image(image).row(token) + head * p + first;
      g.value_step = x.ld;
      g.skip = spec.d == nullptr ? nullptr : spec.d + head * p + first;
      g.y = y.image(image).row(token) + head * p + first;
      g.y_step = y.ld;
      kernels_.gated_scan(g, count);
    };
    blocks.pass(share, x.w, /*backward=*/false, steps);
  });
}

void NativeBackend::do_gated_attention(CMapF q, CMapF k, CMapF v, CMapF gates,
                                       const GatedAttentionSpec& spec, MapF y, Context& ctx) const {
  const int d = q.c / spec.heads, dv = v.c / spec.heads;
  const HeadBlocks blocks(q.n, spec.heads, dv, ctx.threads());
  const EvenParts& shares = blocks.shares();
  const std::ptrdiff_t size = static_cast<std::ptrdiff_t>(d) * blocks.block();
  const Workspace::Scope scope(ctx.workspace());
  const SlotScratch states(ctx, shares.largest() * size);
  const SlotScratch opened(ctx, kTokens * d);  // the gates of a chunk
  ctx.pool().parallel_for(q.n * shares.parts(), [&](std::ptrdiff_t i, int slot) {
    const int image = static_cast<int>(i / shares.parts());
    const std::ptrdiff_t share = i % shares.parts();
    float* const open = opened[slot];
    for (const int way : {0, 1}) {
      std::fill_n(states[slot], shares.size(share) * size, 0.0f);
      const std::ptrdiff_t step = way == 0 ? 1 : -1;
      const auto steps = [&](std::ptrdiff_t unit, int head, int first, int channels,
                             std::ptrdiff_t begin, std::ptrdiff_t count) {
        const std::ptrdiff_t from = way == 0 ? 0 : count - 1;  // of the chunk
        kernels_.power_gates(gates.image(image).row(begin + from) + way * q.c + head * d,
                             step * gates.ld, open, d, 1.0f / spec.normalizer, count, d);
        kernels::GatedSteps g;
        g.rows = d;
        g.channels = channels;
        g.s = states[slot] + unit * size;
        g.s_row = blocks.block();
        g.weight = &spec.scale;
        g.add = way == 1;
        g.gate = open;
        g.gate_step = d;
        g.query = q.image(image).row(begin + from) + head * d;
        g.query_step = step * q.ld;
        g.key = k.image(image).row(begin + from) + head * d;
        g.key_step = step * k.ld;
        g.value = v.image(image).row(begin + from) + head * dv + first;
        g.value_step = step * v.ld;
        g.y = y.image(image).row(begin + from) + head * dv + first;
        g.y_step = step * y.ld;
        kernels_.gated_scan(g, count);
      };
      blocks.pass(share, q.w, /*backward=*/way == 1, steps);
    }
  });
}

}  // namespace fovea
