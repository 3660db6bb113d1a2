// SPDX-License-Identifier: Apache-2.0
// The reference's operators on sequences and maps against numbers that PyTorch 1.13 computed in
// double, step by step; each case states what it computed, F = torch.nn.functional.
#include "tests/backend/reference.h"

namespace fovea {
namespace {

std::vector<float> negative_ramp(std::size_t count, double a) {  // -1 - |ramp|
  std::vector<float> values = ramp(count, a);
  for (float& v : values) v = -1.0f - std::abs(v);
  return values;
}

TEST_F(Reference, SelectiveScanFollowsItsRecurrence) {
  // u = ramp(6, 2), p = ramp(6, 5, a=.53), W, b, A, D = ramp(1, 2, a=.71), ramp(2, a=.9),
  // -1 - |ramp(2, 2, a=.31)|, ramp(2, a=.41); for t in order: dt = F.softplus(p[t, :1] @ W + b);
  // h = exp(dt A) h + p[t, 1:3, None] dt u[t]; y[t] += (p[t, 3:5, None] h).sum(0) + D u[t],
  // for the orders 0 1 2 3 4 5 and 5 2 4 1 3 0 of a 2 x 3 map.
  const Ramp u(1, 2, 3, 2), p(1, 2, 3, 5, 0.53);
  const std::vector<float> weight = ramp(2, 0.71), bias = ramp(2, 0.9), a = negative_ramp(4, 0.31);
  const std::vector<float> d = ramp(2, 0.41);
  const ScanWalk walks[] = {{}, {ScanWalk::Along::columns, true}};
  ScanPath paths[2];
  for (int k = 0; k < 2; ++k) {
    paths[k].walks = {walks + k, 1};
    paths[k].r = p.map().channels(0, 1);
    paths[k].b = p.map().channels(1, 2);
    paths[k].c = p.map().channels(3, 2);
    paths[k].dt_weight = weight.data();
    paths[k].dt_bias = bias.data();
    paths[k].a = a.data();
    paths[k].d = d.data();
  }
  const test::TestMap y(1, 2, 3, 2, 0);
  b_.selective_scan(u, paths, 2, y, ctx_);
  expect(y, {0.4126460f, 2.1008261f, 1.1153607f, 2.8336651f, -0.2438909f, 0.1413340f, -0.1712526f,
             -0.1000673f, 0.0521142f, -0.3049519f, -0.9725152f, -3.2530122f});
}

std::vector<int> tokens_of(const ScanWalk& walk, int h, int w) {
  std::vector<int> tokens;
  for (int i = 0; i < scan_runs(walk, h, w); ++i) {
    const ScanRun run = scan_run(walk, h, w, i);
    for (int t = 0; t < run.count; ++t) tokens.push_back(run.start + t * run.stride);
  }
  return tokens;
}

TEST(ScanWalk, VisitsTheTokensInItsOrder) {
  using Along = ScanWalk::Along;
  EXPECT_EQ(tokens_of({Along::rows, false}, 2, 3), (std::vector<int>{0, 1, 2, 3, 4, 5}));
  EXPECT_EQ(tokens_of({Along::rows, true}, 2, 3), (std::vector<int>{5, 4, 3, 2, 1, 0}));
  EXPECT_EQ(tokens_of({Along::columns, false}, 2, 3), (std::vector<int>{0, 3, 1, 4, 2, 5}));
  EXPECT_EQ(tokens_of({Along::columns, true}, 2, 3), (std::vector<int>{5, 2, 4, 1, 3, 0}));
  EXPECT_EQ(tokens_of({Along::snake_rows, false}, 2, 3), (std::vector<int>{0, 1, 2, 5, 4, 3}));
  EXPECT_EQ(tokens_of({Along::snake_rows, true}, 2, 3), (std::vector<int>{3, 4, 5, 2, 1, 0}));
  EXPECT_EQ(tokens_of({Along::snake_columns, false}, 2, 3), (std::vector<int>{0, 3, 4, 1, 2, 5}));
  EXPECT_EQ(tokens_of({Along::snake_columns, true}, 2, 3), (std::vector<int>{5, 2, 1, 4, 3, 0}));
}

TEST_F(Reference, StateSpaceFollowsItsRecurrence) {
  // x, dt, B, C = ramp(4, 4), ramp(4, 2, a=.53), ramp(4, 2, a=.71), ramp(4, 2, a=.9), two heads of
  // two channels, A = -1 - |ramp(2, a=.41)|; s = F.softplus(dt + ramp(2, a=.31)); for t:
  // h = exp(s A) h + s B x^T; y = C h + ramp(4, a=.61) x.
  const Ramp x(1, 1, 4, 4), dt(1, 1, 4, 2, 0.53), b(1, 1, 4, 2, 0.71), c(1, 1, 4, 2, 0.9);
  const std::vector<float> bias = ramp(2, 0.31), d = ramp(4, 0.61);
  std::vector<float> a = negative_ramp(2, 0.41);
  StateSpaceSpec spec;
  spec.heads = 2;
  spec.dt_bias = bias.data();
  spec.a = a.data();
  spec.d = d.data();
  const test::TestMap y(1, 1, 4, 4, 0);
  b_.state_space(x, dt, b, c, spec, y, ctx_);
  expect(y, {0.0681051f, 0.5402790f, 1.3540922f, 1.6564266f, 1.7159100f, 2.1189766f, 2.1416096f,
             1.2650783f, -0.4053596f, -0.7639165f, -1.1679497f, -1.3694485f, -0.5711356f,
             -1.0557507f, -1.0734052f, -0.6794041f});
  // The same with h = sum over all t of s (-A) B x^T for every token.
  for (float& value : a) value = -value;
  spec.causal = false;
  b_.state_space(x, dt, b, c, spec, y, ctx_);
  expect(y, {1.8418012f, 2.4433324f, 4.1140954f, 3.9015183f, 2.8003543f, 3.2595472f, 4.1780662f,
             2.8583611f, -3.0445155f, -3.5366336f, -5.5647701f, -4.9469727f, -1.4119215f,
             -1.7757308f, -2.0320401f, -1.1212834f});
}

TEST_F(Reference, LinearAttentionIsAugmentedAndRotated) {
  // q, k, v, angles = ramp(3, 4, a=.31), ... .53, .71, .9; Q, K = F.elu(q) + 1, F.elu(k) + 1
  // K *= 3 softmax(.5 Q.mean(0) @ K.T); (rot(Q) @ (rot(K).T @ v / 3)) / (Q @ K.mean(0) + 1e-6)
  const Ramp q(1, 1, 3, 4, 0.31), k(1, 1, 3, 4, 0.53), v(1, 1, 3, 4, 0.71);
  std::vector<float> cos, sin;
  for (const float angle : ramp(12, 0.9)) {
    cos.push_back(static_cast<float>(std::cos(static_cast<double>(angle))));
    sin.push_back(static_cast<float>(std::sin(static_cast<double>(angle))));
  }
  LinearAttentionSpec spec;
  spec.map = FeatureMap::elu_plus_one;
  spec.mean = true;
  spec.augment = true;
  spec.augment_scale = 0.5f;
  spec.rotary = {cos.data(), sin.data(), true};
  const test::TestMap y(1, 1, 3, 4, 0);
  b_.linear_attention(q, k, v, spec, y, ctx_);
  expect(y, {0.0984701f, 0.6121745f, 0.8300294f, 0.6467509f, 0.0679533f, 0.1788394f, 0.2032967f,
             0.1295055f, 0.0443382f, 0.3392487f, 0.4702083f, 0.3739275f});
}

TEST_F(Reference, LinearAttentionFocusesItsFeatures) {
  // p = F.relu(q + 1): p**3 / |p**3| * |p|, k likewise; (Q @ (K.T @ v)) / (Q @ K.sum(0) + 1e-6)
  Ramp q(1, 1, 3, 4, 0.31), k(1, 1, 3, 4, 0.53);
  const Ramp v(1, 1, 3, 4, 0.71);
  for (int t = 0; t < 3; ++t) {
    for (int c = 0; c < 4; ++c) {
      q.map().row(t)[c] += 1.0f;
      k.map().row(t)[c] += 1.0f;
    }
  }
  LinearAttentionSpec spec;
  spec.map = FeatureMap::focused;
  const test::TestMap y(1, 1, 3, 4, 0);
  b_.linear_attention(q, k, v, spec, y, ctx_);
  expect(y, {0.0559675f, 0.4574098f, 0.6377968f, 0.5099518f, 0.1068418f, 0.2391707f, 0.2559141f,
             0.1489803f, 0.1520441f, -0.0305666f, -0.1984052f, -0.2703593f});
}

TEST_F(Reference, LinearAttentionProjectsTheFeaturesOfPerformer) {
  // W = 2 ramp(3, 4, a=.37); P = exp(q @ W.T - (q * q).sum(1, keepdim=True) / 2) / 3**.5, k
  // likewise; (P_q @ (P_k.T @ v)) / (P_q @ P_k.sum(0) + 1e-8)
  const Ramp q(1, 1, 3, 4, 0.31), k(1, 1, 3, 4, 0.53), v(1, 1, 3, 4, 0.71);
  std::vector<float> w = ramp(12, 0.37);
  for (float& value : w) value *= 2.0f;
  LinearAttentionSpec spec;
  spec.map = FeatureMap::performer;
  spec.projection = w.data();
  spec.features = 3;
  spec.eps = 1e-8f;
  const test::TestMap y(1, 1, 3, 4, 0);
  b_.linear_attention(q, k, v, spec, y, ctx_);
  expect(y, {0.1157293f, 0.6315184f, 0.8421096f, 0.6457293f, 0.1224752f, 0.5353865f, 0.6895581f,
             0.5104828f, 0.0854071f, 0.4600380f, 0.6123433f, 0.4687178f});
}

TEST_F(Reference, GatedAttentionGoesBothWays) {
  // g = 3 ramp(3, 8, a=.61); S = exp(F.logsigmoid(g[t, :4]) / 16)[:, None] S + k[t]^T v[t];
  // y[t] = .5 q[t] @ S for t = 0, 1, 2; plus the same with g[t, 4:] for t = 2, 1, 0
  const Ramp q(1, 1, 3, 4, 0.31), k(1, 1, 3, 4, 0.53), v(1, 1, 3, 4, 0.71);
  Ramp gates(1, 1, 3, 8, 0.61);
  for (int t = 0; t < 3; ++t) {
    for (int c = 0; c < 8; ++c) gates.map().row(t)[c] *= 3.0f;
  }
  GatedAttentionSpec spec;
  spec.scale = 0.5f;
  const test::TestMap y(1, 1, 3, 4, 0);
  b_.gated_attention(q, k, v, gates, spec, y, ctx_);
  expect(y, {0.4368013f, 1.2116494f, 1.4009360f, 0.9131837f, 0.8910632f, 0.2231161f, -0.5526577f,
             -1.0613451f, 0.3112323f, -0.3589112f, -0.8556014f, -0.9387998f});
}

TEST_F(Reference, MapsAreResizedAsTorchDoesIt) {
  // F.adaptive_avg_pool2d(x, (2, 2)), F.interpolate(x, (3, 4)), both modes; x = ramp(1, 5, 3, 2)
  const Ramp x(1, 5, 3, 2);
  const test::TestMap pooled(1, 2, 2, 2, 0), resized(1, 3, 4, 2, 0);
  b_.adaptive_average(x, pooled, ctx_);
  expect(pooled, {-0.0277731f, -0.0046484f, 0.0191054f, 0.0402734f, -0.0491128f, -0.0611778f,
                  -0.0649626f, -0.0599551f});
  b_.resize2d(x, Interpolation::bilinear, resized, ctx_);
  expect(resized, {0.3149803f,  0.4503127f,  0.4460535f,  0.4989090f,  0.5004227f,  0.4536450f,
                   0.4599648f,  0.3296087f,  -0.9868439f, -0.9785261f, -0.8936724f, -0.7317127f,
                   -0.6175393f, -0.3210595f, -0.2504890f, 0.1165492f,  0.4367437f,  0.2950753f,
                   0.2346975f,  0.0584700f,  -0.0300148f, -0.2090794f, -0.2691559f, -0.4183896f});
  b_.resize2d(x, Interpolation::nearest, resized, ctx_);
  expect(resized, {0.1097783f, 0.4617792f,  0.1097783f,  0.4617792f,  0.7512804f, 0.9390994f,
                   0.9998156f, 0.9252115f,  0.7253844f,  0.4273799f,  0.7253844f, 0.4273799f,
                   0.0715315f, -0.2939983f, -0.6197369f, -0.8615969f, 0.4678130f, 0.7557605f,
                   0.4678130f, 0.7557605f,  0.9414194f,  0.9996616f,  0.9226042f, 0.7206767f});
}

}  // namespace
}  // namespace fovea
