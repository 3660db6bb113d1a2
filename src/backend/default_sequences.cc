// SPDX-License-Identifier: Apache-2.0
// The operators on sequences by their definitions, in double, threaded over what is independent.
// Every backend has these until it has its own; the reference backend has nothing else.
#include <algorithm>
#include <cmath>

#include "fovea/backend/backend.h"
#include "src/backend/feature_map.h"
#include "src/backend/parallel.h"

namespace fovea {
namespace {

double softplus(double x) { return x > 30.0 ? x : std::log1p(std::exp(x)); }
double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

// One channel of one image along one path: y += its outputs. h (state).
void scan_channel(const CMapF& u, const ScanPath& path, int state, int n, int channel, double* h,
                  const MapF& y) {
  const int groups = path.b.c / state;
  const int first = channel / (u.c / groups) * state;  // of the group's values
  for (int s = 0; s < state; ++s) {
    h[s] = path.initial == nullptr
               ? 0.0
               : path.initial[(static_cast<std::ptrdiff_t>(n) * state + s) * u.c + channel];
  }
  const CMapF us = u.image(n), rs = path.r.image(n), bs = path.b.image(n), cs = path.c.image(n);
  const MapF ys = y.image(n);
  int step = 0;
  for (const ScanWalk& walk : path.walks) {
    const int runs = scan_runs(walk, u.h, u.w);
    for (int i = 0; i < runs; ++i) {
      const ScanRun run = scan_run(walk, u.h, u.w, i);
      for (int t = 0; t < run.count; ++t, ++step) {
        const int token = run.start + t * run.stride;
        const int at = path.by_step ? step : token;
        double raw = path.dt_bias[channel];
        for (int j = 0; j < rs.c; ++j) {
          raw +=
              static_cast<double>(path.dt_weight[static_cast<std::ptrdiff_t>(j) * u.c + channel]) *
              rs.row(at)[j];
        }
        const double dt = softplus(raw);
        const double in = us.row(token)[channel];
        double out = path.d != nullptr ? path.d[channel] * in : 0.0;
        for (int s = 0; s < state; ++s) {
          const double a = path.a[static_cast<std::ptrdiff_t>(s) * u.c + channel];
          h[s] = std::exp(dt * a) * h[s] + dt * bs.row(at)[first + s] * in;
          out += cs.row(at)[first + s] * h[s];
        }
        ys.row(token)[channel] += static_cast<float>(out);
      }
    }
  }
}

// S (d, dv) += k v^T, a token's share.
void add_outer(const double* k, int d, const float* v, int dv, double* s) {
  for (int i = 0; i < d; ++i) {
    for (int j = 0; j < dv; ++j) s[i * dv + j] += k[i] * v[j];
  }
}

}  // namespace

void Backend::do_selective_scan(CMapF u, std::span<const ScanPath> paths, int state, MapF y,
                                Context& ctx) const {
  constexpr int kChannels = 16;  // of a task: threads do not share the lines of y
  const Workspace::Scope scope(ctx.workspace());
  const SlotArray<double> states(ctx, state);
  const std::ptrdiff_t blocks = ceil_div(u.c, kChannels);
  ctx.pool().parallel_for(u.n * blocks, [&](std::ptrdiff_t i, int slot) {
    const int n = static_cast<int>(i / blocks);
    const int first = static_cast<int>(i % blocks) * kChannels;
    const int last = std::min(u.c, first + kChannels);
    const MapF image = y.image(n);
    for (std::ptrdiff_t r = 0; r < image.rows(); ++r) {
      std::fill(image.row(r) + first, image.row(r) + last, 0.0f);
    }
    for (int c = first; c < last; ++c) {
      for (const ScanPath& path : paths) scan_channel(u, path, state, n, c, states[slot], y);
    }
  });
}

void Backend::do_state_space(CMapF x, CMapF dt, CMapF b, CMapF c, const StateSpaceSpec& spec,
                             MapF y, Context& ctx) const {
  const int p = x.c / spec.heads, state = b.c / spec.groups;
  const Workspace::Scope scope(ctx.workspace());
  const SlotArray<double> states(ctx, static_cast<std::ptrdiff_t>(p) * state);  // (state, p)
  ctx.pool().parallel_for(
      static_cast<std::ptrdiff_t>(x.n) * spec.heads, [&](std::ptrdiff_t i, int slot) {
        const int n = static_cast<int>(i / spec.heads), head = static_cast<int>(i % spec.heads);
        const int group = head / (spec.heads / spec.groups);
        const CMapF xs = x.image(n).channels(head * p, p);
        const CMapF bs = b.image(n).channels(group * state, state);
        const CMapF cs = c.image(n).channels(group * state, state);
        const MapF ys = y.image(n).channels(head * p, p);
        const double a = spec.a[head];
        double* const s = states[slot];
        std::fill_n(s, static_cast<std::ptrdiff_t>(p) * state, 0.0);
        const auto add = [&](int t) {
          const double step =
              softplus(static_cast<double>(dt.image(n).row(t)[head]) + spec.dt_bias[head]);
          const double decay = spec.causal ? std::exp(step * a) : 1.0;
          const double weight = spec.causal ? step : step * a;
          for (int j = 0; j < state; ++j) {
            const double in = weight * bs.row(t)[j];
            for (int k = 0; k < p; ++k) s[j * p + k] = decay * s[j * p + k] + in * xs.row(t)[k];
          }
        };
        const auto read = [&](int t) {
          for (int k = 0; k < p; ++k) {
            double out =
                spec.d != nullptr ? static_cast<double>(spec.d[head * p + k]) * xs.row(t)[k] : 0.0;
            for (int j = 0; j < state; ++j) out += cs.row(t)[j] * s[j * p + k];
            ys.row(t)[k] = static_cast<float>(out);
          }
        };
        for (int t = 0; t < x.w; ++t) {
          add(t);
          if (spec.causal) read(t);
        }
        for (int t = 0; !spec.causal && t < x.w; ++t) read(t);
      });
}

void Backend::do_linear_attention(CMapF q, CMapF k, CMapF v, const LinearAttentionSpec& spec,
                                  MapF y, Context& ctx) const {
  const int channels = q.c / spec.heads, dv = v.c / spec.heads;
  const int d = feature_count(spec, channels);
  const Workspace::Scope scope(ctx.workspace());
  const SlotArray<double> states(ctx, static_cast<std::ptrdiff_t>(d) * dv);
  const SlotArray<double> vectors(ctx, 4 * static_cast<std::ptrdiff_t>(d) + dv);
  ctx.pool().parallel_for(static_cast<std::ptrdiff_t>(q.n) * spec.heads, [&](std::ptrdiff_t i,
                                                                             int slot) {
    const int n = static_cast<int>(i / spec.heads), head = static_cast<int>(i % spec.heads);
    const CMapF qs = q.image(n).channels(head * channels, channels);
    const CMapF ks = k.image(n).channels(head * channels, channels);
    const CMapF vs = v.image(n).channels(head * dv, dv);
    const MapF ys = y.image(n).channels(head * dv, dv);
    double* const s = states[slot];
    double* const mapped = vectors[slot];  // (d): a query or key
    double* const rotated = mapped + d;    // (d): the same, rotated
    double* const sum = mapped + 2 * d;    // (d): of the keys
    double* const mean = mapped + 3 * d;   // (d): of the queries
    double* const out = mapped + 4 * d;    // (dv)
    std::fill_n(s, static_cast<std::ptrdiff_t>(d) * dv, 0.0);
    std::fill_n(sum, 2 * d, 0.0);
    const auto map_query = [&](int t) { map_features(spec, qs.row(t), nullptr, channels, mapped); };
    const auto map_key = [&](int t) {
      const float* const bias =
          spec.k_bias == nullptr
              ? nullptr
              : spec.k_bias + static_cast<std::ptrdiff_t>(t) * k.c + head * channels;
      map_features(spec, ks.row(t), bias, channels, mapped);
    };
    const double tokens = ks.w;

    // The keys' weights of the augmented form: a softmax needs its maximum and its sum first.
    double largest = -HUGE_VAL, total = 0.0;
    const auto score = [&](int t) {
      map_key(t);
      double dot = 0.0;
      for (int j = 0; j < d; ++j) dot += mean[j] * mapped[j];
      return dot * spec.augment_scale;
    };
    if (spec.augment) {
      for (int t = 0; t < qs.w; ++t) {
        map_query(t);
        for (int j = 0; j < d; ++j) mean[j] += mapped[j] / qs.w;
      }
      for (int t = 0; t < ks.w; ++t) largest = std::max(largest, score(t));
      for (int t = 0; t < ks.w; ++t) total += std::exp(score(t) - largest);
    }

    for (int t = 0; t < ks.w; ++t) {
      double weight = spec.mean ? 1.0 / tokens : 1.0;
      if (spec.augment) weight *= tokens * std::exp(score(t) - largest) / total;
      map_key(t);
      for (int j = 0; j < d; ++j) {
        mapped[j] *= weight;
        sum[j] += mapped[j];
      }
      rotate_features(spec.rotary, t, mapped, d, rotated);
      add_outer(rotated, d, vs.row(t), dv, s);
    }
    for (int t = 0; t < qs.w; ++t) {
      map_query(t);
      rotate_features(spec.rotary, t, mapped, d, rotated);
      double norm = spec.eps;
      for (int j = 0; j < d; ++j) norm += mapped[j] * sum[j];
      std::fill_n(out, dv, 0.0);
      for (int j = 0; j < d; ++j) {
        for (int c = 0; c < dv; ++c) out[c] += rotated[j] * s[j * dv + c];
      }
      for (int c = 0; c < dv; ++c) {
        ys.row(t)[c] = static_cast<float>(spec.normalize ? out[c] / norm : out[c]);
      }
    }
  });
}

void Backend::do_gated_attention(CMapF q, CMapF k, CMapF v, CMapF gates,
                                 const GatedAttentionSpec& spec, MapF y, Context& ctx) const {
  const int d = q.c / spec.heads, dv = v.c / spec.heads;
  const Workspace::Scope scope(ctx.workspace());
  const SlotArray<double> states(ctx, static_cast<std::ptrdiff_t>(d) * dv);
  ctx.pool().parallel_for(static_cast<std::ptrdiff_t>(q.n) * spec.heads, [&](std::ptrdiff_t i,
                                                                             int slot) {
    const int n = static_cast<int>(i / spec.heads), head = static_cast<int>(i % spec.heads);
    const CMapF qs = q.image(n).channels(head * d, d), ks = k.image(n).channels(head * d, d);
    const CMapF vs = v.image(n).channels(head * dv, dv);
    const MapF ys = y.image(n).channels(head * dv, dv);
    double* const s = states[slot];
    for (const int way : {0, 1}) {
      const CMapF fs = gates.image(n).channels(way * q.c + head * d, d);
      std::fill_n(s, static_cast<std::ptrdiff_t>(d) * dv, 0.0);
      for (int step = 0; step < q.w; ++step) {
        const int t = way == 0 ? step : q.w - 1 - step;
        for (int j = 0; j < d; ++j) {
          const double gate = std::pow(sigmoid(fs.row(t)[j]), 1.0 / spec.normalizer);
          for (int c = 0; c < dv; ++c) {
            s[j * dv + c] = gate * s[j * dv + c] + static_cast<double>(ks.row(t)[j]) * vs.row(t)[c];
          }
        }
        for (int c = 0; c < dv; ++c) {
          double out = 0.0;
          for (int j = 0; j < d; ++j) out += qs.row(t)[j] * s[j * dv + c];
          const double sum = (way == 0 ? 0.0 : ys.row(t)[c]) + spec.scale * out;
          ys.row(t)[c] = static_cast<float>(sum);
        }
      }
    }
  });
}

}  // namespace fovea
