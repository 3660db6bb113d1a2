// SPDX-License-Identifier: Apache-2.0
// The checks of the operators on sequences.
#include "fovea/backend/backend.h"
#include "src/backend/door.h"
#include "src/backend/feature_map.h"

namespace fovea {
namespace {

// Of one image and over the batch, what a map shares with the map of the queries.
void same_tokens(const Door& door, std::string_view argument, const CMapF& m, const CMapF& like) {
  if (m.n != like.n || m.h != like.h || m.w != like.w) {
    door.fail(argument, "the images and tokens of " + shape_string(like), shape_string(m));
  }
}

void present(const Door& door, const Context& ctx, std::string_view argument, const void* data) {
  if (data == nullptr && !ctx.dry_run()) door.fail(argument, "values", "none");
}

// The products of one state: what every token adds to it and reads from it.
std::int64_t state_macs(const CMapF& x, std::int64_t state) {
  return 2 * static_cast<std::int64_t>(x.rows()) * x.c * state;
}

void check_path(const Door& door, const CMapF& u, const ScanPath& path, int state,
                const Context& ctx) {
  if (path.walks.empty()) door.fail("walks", "at least one", "none");
  if (path.by_step && path.walks.size() != 1) {
    door.fail("walks", "one, as parameters go by steps", std::to_string(path.walks.size()));
  }
  door.map("r", path.r);
  same_tokens(door, "r", path.r, u);
  door.map("b", path.b);
  same_tokens(door, "b", path.b, u);
  if (path.b.c % state != 0 || u.c % (path.b.c / state) != 0) {
    door.fail("b", "groups of " + std::to_string(state) + " channels that divide u's",
              shape_string(path.b));
  }
  door.map("c", path.c);
  door.same_shape("c", path.c, path.b);
  present(door, ctx, "dt_weight", path.dt_weight);
  present(door, ctx, "dt_bias", path.dt_bias);
  present(door, ctx, "a", path.a);
}

}  // namespace

void Backend::selective_scan(CMapF u, std::span<const ScanPath> paths, int state, MapF y,
                             Context& ctx) const {
  const Door door("selective_scan", ctx);
  door.map("u", u);
  door.extent("state", state, state, 1);
  door.output(y, u.n, u.h, u.w, u.c);
  door.separate("u", u, y);
  if (paths.empty()) door.fail("paths", "at least one", "none");
  for (const ScanPath& path : paths) {
    check_path(door, u, path, state, ctx);
    door.same_shape("b", path.b, paths.front().b);
    const std::int64_t steps =
        static_cast<std::int64_t>(u.rows()) * static_cast<std::int64_t>(path.walks.size());
    // dt from r; exp(dt a) h, + dt u b and c h for every state; d u.
    ctx.count_macs(steps * u.c * (path.r.c + 3 * static_cast<std::int64_t>(state) + 1));
  }
  if (!ctx.dry_run()) do_selective_scan(u, paths, state, y, ctx);
}

void Backend::state_space(CMapF x, CMapF dt, CMapF b, CMapF c, const StateSpaceSpec& spec, MapF y,
                          Context& ctx) const {
  const Door door("state_space", ctx);
  door.map("x", x);
  door.heads(spec.heads, x.c);
  door.map("dt", dt);
  same_tokens(door, "dt", dt, x);
  door.channels("dt", dt, spec.heads);
  door.map("b", b);
  same_tokens(door, "b", b, x);
  door.heads(spec.groups, b.c);
  if (spec.heads % spec.groups != 0) {
    door.fail("groups", "a divisor of the " + std::to_string(spec.heads) + " heads",
              std::to_string(spec.groups));
  }
  door.map("c", c);
  door.same_shape("c", c, b);
  present(door, ctx, "dt_bias", spec.dt_bias);
  present(door, ctx, "a", spec.a);
  door.output(y, x.n, x.h, x.w, x.c);
  door.separate("x", x, y);
  ctx.count_macs(state_macs(x, b.c / spec.groups));
  if (!ctx.dry_run()) {
    do_state_space(x.tokens(), dt.tokens(), b.tokens(), c.tokens(), spec, y.tokens(), ctx);
  }
}

void Backend::linear_attention(CMapF q, CMapF k, CMapF v, const LinearAttentionSpec& spec, MapF y,
                               Context& ctx) const {
  const Door door("linear_attention", ctx);
  door.map("q", q);
  door.heads(spec.heads, q.c);
  door.map("k", k);
  door.channels("k", k, q.c);
  if (k.n != q.n) door.fail("k", std::to_string(q.n) + " images like q", std::to_string(k.n));
  door.map("v", v);
  same_tokens(door, "v", v, k);
  door.heads(spec.heads, v.c);
  if ((spec.rotary.cos == nullptr) != (spec.rotary.sin == nullptr)) {
    door.fail("rotary", "cosines and sines", "one of them");
  }
  const bool projects = spec.map == FeatureMap::performer;
  if (projects != (spec.features > 0)) {
    door.fail("features", projects ? "a number above 0" : "0 without a projection",
              std::to_string(spec.features));
  }
  if (projects) present(door, ctx, "projection", spec.projection);
  const int channels = q.c / spec.heads, features = feature_count(spec, channels);
  if (spec.rotary.cos != nullptr && features % 2 != 0) {
    door.fail("rotary", "an even number of features per head", std::to_string(features));
  }
  door.output(y, q.n, q.h, q.w, v.c);
  door.separate("q", q, y);
  door.separate("k", k, y);
  door.separate("v", v, y);
  // The state and what is read from it, and W x.
  const std::int64_t columns = v.c + (projects ? q.c : 0);
  ctx.count_macs((static_cast<std::int64_t>(q.rows()) + static_cast<std::int64_t>(k.rows())) *
                 features * columns);
  if (!ctx.dry_run()) {
    do_linear_attention(q.tokens(), k.tokens(), v.tokens(), spec, y.tokens(), ctx);
  }
}

void Backend::gated_attention(CMapF q, CMapF k, CMapF v, CMapF gates,
                              const GatedAttentionSpec& spec, MapF y, Context& ctx) const {
  const Door door("gated_attention", ctx);
  door.map("q", q);
  door.heads(spec.heads, q.c);
  door.map("k", k);
  door.same_shape("k", k, q);
  door.map("v", v);
  same_tokens(door, "v", v, q);
  door.heads(spec.heads, v.c);
  door.map("gates", gates);
  same_tokens(door, "gates", gates, q);
  door.channels("gates", gates, 2 * q.c);
  door.output(y, v.n, v.h, v.w, v.c);
  door.separate("q", q, y);
  door.separate("k", k, y);
  door.separate("v", v, y);
  // Both ways: decay, k v^T and q S.
  ctx.count_macs(3 * state_macs(v, q.c / spec.heads));
  if (!ctx.dry_run()) {
    do_gated_attention(q.tokens(), k.tokens(), v.tokens(), gates.tokens(), spec, y.tokens(), ctx);
  }
}

}  // namespace fovea
