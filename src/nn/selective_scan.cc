// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/selective_scan.h"

#include <array>
#include <cmath>
#include <string>
#include <utility>

#include "fovea/core/error.h"
#include "fovea/nn/row_strips.h"

namespace fovea::nn {
namespace {

constexpr std::size_t kMostScans = 8;

// `count` rows from the first-th on of a tensor seen as a matrix of `width` columns.
Tensor matrix_rows(const Tensor& t, int first, int count, int width) {
  return t.reshaped({t.size() / width, width}).rows(first, count);
}

// Such rows as values; none of a tensor without data, whose size no file has justified.
FloatBuffer rows_of(const Tensor& t, int first, int count, int width) {
  return t.has_data() ? matrix_rows(t, first, count, width).to_floats() : FloatBuffer();
}

// The columns of such rows, one after the other.
FloatBuffer transposed_rows(const Tensor& t, int first, int count, int width) {
  const FloatBuffer x = rows_of(t, first, count, width);
  if (x.empty()) return {};
  FloatBuffer y(x.size());
  const auto rows = static_cast<std::size_t>(count), columns = static_cast<std::size_t>(width);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t c = 0; c < columns; ++c) y[c * rows + r] = x[r * columns + c];
  }
  return y;
}

// The tokens of a sequence in its order.
void write_order(const ScanSequence& sequence, int h, int w, int* order) {
  for (const ScanWalk& walk : sequence) {
    const int runs = scan_runs(walk, h, w);
    for (int i = 0; i < runs; ++i) {
      const ScanRun run = scan_run(walk, h, w, i);
      for (int t = 0; t < run.count; ++t) *order++ = run.start + t * run.stride;
    }
  }
}

// The move that leads to each step of a walk from neighbour to neighbour: a row of direction_Bs.
void write_moves(const int* order, int tokens, int w, int* moves) {
  enum Move { start, right, left, up, down };
  for (int t = 0; t < tokens; ++t) {
    const int from = order[t == 0 ? 0 : t - 1], to = order[t];
    const int rows = to / w - from / w, columns = to % w - from % w;
    moves[t] = t == 0 ? start : rows != 0 ? (rows > 0 ? down : up) : columns > 0 ? right : left;
  }
}

int inner_width(int c, const SelectiveScanOptions& o) { return o.inner > 0 ? o.inner : 2 * c; }

int set_count(const SelectiveScanOptions& o) {
  if (o.shared) return 1;
  return static_cast<int>(o.sequences.size()) + (o.coarse ? 1 : 0);
}

}  // namespace

std::vector<ScanSequence> cross_walks() {
  using Along = ScanWalk::Along;
  return {{{Along::rows, false}},
          {{Along::columns, false}},
          {{Along::rows, true}},
          {{Along::columns, true}}};
}

std::vector<ScanSequence> snake_walks() {
  using Along = ScanWalk::Along;
  return {{{Along::snake_rows, false}},
          {{Along::snake_rows, true}},
          {{Along::snake_columns, false}},
          {{Along::snake_columns, true}}};
}

ScanTensors ScanTensors::stacked(const Params& p, const ScanShape& s, int sets) {
  return {p.get("x_proj_weight", {sets, s.rank + 2 * s.state, s.channels}),
          p.get("dt_projs_weight", {sets, s.channels, s.rank}),
          p.get("dt_projs_bias", {sets, s.channels}), p.get("A_logs", {sets * s.channels, s.state}),
          p.get("Ds", {sets * s.channels})};
}

ScanTensors ScanTensors::single(const Params& p, const ScanShape& s) {
  return {p.get("x_proj.weight", {s.rank + 2 * s.state, s.channels}),
          p.get("dt_proj.weight", {s.channels, s.rank}), p.get("dt_proj.bias", {s.channels}),
          p.get("A_log", {s.channels, s.state}), p.get("D", {s.channels})};
}

SelectiveScan::SelectiveScan(const Params& p, const ScanShape& shape, const ScanTensors& tensors,
                             int first, std::vector<ScanSequence> sequences, bool shared,
                             const ScanQuirks& quirks)
    : backend_(&p.backend()),
      shape_(shape),
      sequences_(std::move(sequences)),
      shared_(shared),
      by_step_(quirks.by_step),
      project_(p,
               matrix_rows(tensors.x_proj, first * (shape.rank + 2 * shape.state),
                           (shared ? 1 : static_cast<int>(sequences_.size())) *
                               (shape.rank + 2 * shape.state),
                           shape.channels),
               {}) {
  if (sequences_.empty() || sequences_.size() > kMostScans) {
    throw Error(Error::Kind::argument, "selective scan \"" + p.path() + "\": wanted 1 to " +
                                           std::to_string(kMostScans) + " sequences, found " +
                                           std::to_string(sequences_.size()));
  }
  const int channels = shape.channels;
  const int sets = shared ? 1 : static_cast<int>(sequences_.size());
  for (int i = first; i < first + sets; ++i) {
    Set set;
    set.dt_weight = transposed_rows(tensors.dt_weight, i * channels, channels, shape.rank);
    set.dt_bias = rows_of(tensors.dt_bias, i, 1, channels);
    if (quirks.dt_bias_twice) {
      for (float& v : set.dt_bias) v *= 2.0f;
    }
    set.a = transposed_rows(tensors.a_log, i * channels, channels, shape.state);
    for (float& v : set.a) v = static_cast<float>(-std::exp(static_cast<double>(v)));
    set.d = rows_of(tensors.d, i, 1, channels);
    sets_.push_back(std::move(set));
  }
  if (quirks.direction_b) directions_ = p.floats("direction_Bs", {5, shape.state});
}

void SelectiveScan::forward(CMapF u, MapF y, Context& ctx) const {
  const Workspace::Scope scope(ctx.workspace());
  const int r = shape_.rank, n = shape_.state;
  const int scans = static_cast<int>(sequences_.size());
  const MapF projected = ctx.workspace().aligned_map(u.n, u.h, u.w, project_.out());
  project_.forward(u, projected, ctx);
  MapF directed;
  if (!directions_.empty()) {
    directed = ctx.workspace().map(u.n, u.h, u.w, scans * n);
    add_directions(projected.channels(r, n), directed, ctx);
  }
  std::array<ScanPath, kMostScans> paths;
  for (int i = 0; i < scans; ++i) {
    const Set& set = sets_[static_cast<std::size_t>(shared_ ? 0 : i)];
    const MapF own = projected.channels(shared_ ? 0 : i * (r + 2 * n), r + 2 * n);
    ScanPath& path = paths[static_cast<std::size_t>(i)];
    path.walks = sequences_[static_cast<std::size_t>(i)];
    path.r = own.channels(0, r);
    path.b = directions_.empty() ? own.channels(r, n) : directed.channels(i * n, n);
    path.c = own.channels(r + n, n);
    path.dt_weight = set.dt_weight.data();
    path.dt_bias = set.dt_bias.data();
    path.a = set.a.data();
    path.d = set.d.data();
    path.by_step = by_step_;
  }
  backend_->selective_scan(u, {paths.data(), sequences_.size()}, n, y, ctx);
}

// y (n, h, w, scans * N): b of every scan, with the rows of its moves.
void SelectiveScan::add_directions(CMapF b, MapF y, Context& ctx) const {
  const Workspace::Scope scope(ctx.workspace());
  const int tokens = b.h * b.w;
  const auto count = static_cast<std::size_t>(tokens);
  int* const order = static_cast<int*>(ctx.workspace().bytes(count, sizeof(int)));
  int* const moves = static_cast<int*>(ctx.workspace().bytes(count, sizeof(int)));
  const CMapF directions(directions_.data(), 1, 1, 5, b.c);
  const MapF rows = ctx.workspace().map(1, b.h, b.w, b.c);
  for (std::size_t i = 0; i < sequences_.size(); ++i) {
    if (!ctx.dry_run()) {
      write_order(sequences_[i], b.h, b.w, order);
      write_moves(order, tokens, b.w, moves);
    }
    backend_->gather(directions, moves, rows, ctx);
    for (int image = 0; image < b.n; ++image) {
      backend_->apply(b.image(image), {.residual = rows},
                      y.image(image).channels(static_cast<int>(i) * b.c, b.c), ctx);
    }
  }
}

ScanNorm::ScanNorm(const Params& p, int c, ScanNormKind kind, float eps)
    : backend_(&p.backend()), sigmoid_(kind == ScanNormKind::sigmoid) {
  const bool both = kind == ScanNormKind::layer_and_conv;
  if (both || kind == ScanNormKind::layer) norm_.emplace(both ? p / 0 : p, c, eps);
  if (both || kind == ScanNormKind::conv) {
    conv_.emplace(p / (both ? 2 : 1), c, c, 3, Conv2dSpec::square(1, 1, c), /*bias=*/false);
  }
}

void ScanNorm::forward(MapF x, Context& ctx) const {
  if (norm_) norm_->forward(x, x, ctx);
  if (conv_) {
    const Workspace::Scope scope(ctx.workspace());
    const MapF copy = ctx.workspace().map_like(x);
    backend_->apply(x, {}, copy, ctx);
    conv_->forward(copy, x, ctx);
  }
  if (sigmoid_) backend_->apply(x, {.act = Activation::Kind::sigmoid}, x, ctx);
}

SelectiveScan2d::SelectiveScan2d(const Params& p, int c, const SelectiveScanOptions& o)
    : in_proj_path_(p.path("in_proj")),
      backend_(&p.backend()),
      in_proj_(p / "in_proj", c, (o.gate ? 2 : 1) * inner_width(c, o), o.bias),
      coarse_(o.coarse),
      out_proj_(p / "out_proj", inner_width(c, o), c, o.bias),
      inner_(inner_width(c, o)),
      gate_(o.gate),
      act_(o.act),
      out_act_(o.out_act),
      gate_act_(o.gate_act) {
  const ScanShape shape = {inner_, o.state, o.rank > 0 ? o.rank : (c + 15) / 16};
  const ScanTensors tensors =
      o.shared ? ScanTensors::single(p, shape) : ScanTensors::stacked(p, shape, set_count(o));
  const int fine_set = coarse_ && coarse_->set == 0 ? 1 : 0;
  scan_.emplace(p, shape, tensors, fine_set, o.sequences, o.shared, o.quirks);
  if (o.kernel > 1) {
    conv_.emplace(p / "conv2d", inner_, inner_, o.kernel,
                  Conv2dSpec::square(1, o.kernel / 2, inner_), o.conv_bias);
  }
  if (coarse_) {
    coarse_conv_.emplace(p / "conv2d_b1", inner_, inner_, 7, Conv2dSpec::square(2, 3, inner_),
                         o.conv_bias);
    // Steps that are normalised one by one are scanned as a line of their own.
    const ScanSequence line = {{ScanWalk::Along::rows, false}};
    coarse_scan_.emplace(p, shape, tensors, coarse_->set,
                         std::vector<ScanSequence>{coarse_->norm_each ? line : coarse_->sequence});
  }
  if (o.norm != ScanNormKind::none) norm_.emplace(p / "out_norm", inner_, o.norm, o.norm_eps);
  if (o.squeeze > 0) squeeze_.emplace(p / "se", inner_, inner_ / o.squeeze);
}

void SelectiveScan2d::forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const {
  const Workspace::Scope scope(ctx.workspace());
  const MapF vz = ctx.workspace().map(x.n, x.h, x.w, in_proj_.out());
  in_proj_.forward(x, vz, ctx);
  ctx.tap(in_proj_path_, vz);
  const MapF v = vz.channels(0, inner_);
  const MapF u = ctx.workspace().map(x.n, x.h, x.w, inner_);
  if (conv_) {
    conv_->forward(v, u, ctx, {.act = act_});
  } else {
    backend_->apply(v, {.act = act_}, u, ctx);
  }
  const MapF s = ctx.workspace().map_like(u);
  scan_->forward(u, s, ctx);
  const bool norm_each = coarse_ && coarse_->norm_each;
  if (norm_each && norm_) norm_->forward(s, ctx);
  if (coarse_) add_coarse(v, s, ctx);
  const bool norm_last = norm_ && !norm_each;
  const bool norm_rows = norm_last && norm_->by_rows() && !squeeze_;
  if (norm_last && !norm_rows) norm_->forward(s, ctx);
  if (squeeze_) squeeze_->forward(s, s, ctx);
  const CMapF z = gate_ ? vz.channels(inner_, inner_) : CMapF();
  for_row_strips(*backend_, s.rows(), vz.c + y.c, ctx, [&](const RowStrip& strip) {
    const MapF some = strip.of(s);
    if (norm_rows) norm_->forward(some, strip.ctx);
    if (out_act_.kind != Activation::Kind::none) {
      backend_->apply(some, {.act = out_act_}, some, strip.ctx);
    }
    if (gate_) backend_->multiply(some, strip.of(z), some, strip.ctx, gate_act_);
    strip.expect_next(s);
    if (gate_) strip.expect_next(z);
    out_proj_.forward(some, strip.of(y), strip.ctx, strip.of(epilogue));
  });
}

void SelectiveScan2d::add_coarse(CMapF v, MapF y, Context& ctx) const {
  const Workspace::Scope scope(ctx.workspace());
  const MapF u = coarse_conv_->output_map(v, ctx);
  coarse_conv_->forward(v, u, ctx, {.act = act_});
  const MapF coarse = ctx.workspace().map_like(u);
  if (coarse_->norm_each) {
    scan_steps(u, coarse, ctx);
  } else {
    coarse_scan_->forward(u, coarse, ctx);
  }
  const MapF enlarged = ctx.workspace().map_like(v);
  backend_->resize2d(coarse, coarse_->enlarge, enlarged, ctx);
  backend_->apply(enlarged, {.residual = y}, y, ctx);
}

// The coarse scan with its norm at every step, before the steps that visit a token are added up.
void SelectiveScan2d::scan_steps(CMapF u, MapF y, Context& ctx) const {
  const Workspace::Scope scope(ctx.workspace());
  const int tokens = u.h * u.w;
  const int walks = static_cast<int>(coarse_->sequence.size());
  const auto count = static_cast<std::size_t>(walks) * static_cast<std::size_t>(tokens);
  int* const order = static_cast<int*>(ctx.workspace().bytes(count, sizeof(int)));
  int* const steps = static_cast<int*>(ctx.workspace().bytes(count, sizeof(int)));
  if (!ctx.dry_run()) {
    write_order(coarse_->sequence, u.h, u.w, order);
    for (int t = 0; t < walks * tokens; ++t) steps[t / tokens * tokens + order[t]] = t;
  }
  const MapF line = ctx.workspace().map(u.n, 1, walks * tokens, u.c);
  const MapF scanned = ctx.workspace().map_like(line);
  backend_->gather(u, order, line, ctx);
  coarse_scan_->forward(line, scanned, ctx);
  if (norm_) norm_->forward(scanned, ctx);
  const MapF part = ctx.workspace().map_like(u);
  for (int i = 0; i < walks; ++i) {
    backend_->gather(scanned, steps + i * tokens, i == 0 ? y : part, ctx);
    if (i > 0) backend_->apply(part, {.residual = y}, y, ctx);
  }
}

}  // namespace fovea::nn
