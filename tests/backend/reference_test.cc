// SPDX-License-Identifier: Apache-2.0
// The reference backend against numbers that PyTorch 1.13 computed in double. Inputs are
//
//   ramp = lambda *s, a=0.37: torch.sin(torch.arange(prod(s)) * a + 0.11).float().double().view(s)
//
// and each case states its expression, with F = torch.nn.functional, x_nchw for a map in PyTorch's
// order and the results put back into NHWC.
#include "tests/backend/reference.h"

namespace fovea {
namespace {

TEST_F(Reference, LinearMultipliesByTheTransposedWeight) {
  // F.linear(ramp(2, 3), ramp(2, 3, a=.53), ramp(2, a=.7))
  const PackedPtr w = b_.pack_linear(ramp_tensor({2, 3}, 0.53));
  const std::vector<float> bias = ramp(2, 0.7);
  Epilogue e;
  e.bias = bias.data();
  const test::TestMap y(1, 1, 2, 2, 0);
  b_.linear(Ramp(1, 1, 2, 3), *w, e, y, ctx_);
  expect(y, {1.0893439f, 1.4779538f, 1.6618455f, 2.7904413f});
}

TEST_F(Reference, EpiloguesFollowTheirFormula) {
  // 2 * residual + 3 * relu(x + bias), by hand.
  test::TestMap x(1, 1, 1, 2, 0), y(1, 1, 1, 2, 0);
  const float in[] = {1.0f, -1.0f}, bias[] = {0.5f, 0.5f}, scale[] = {3.0f, 3.0f};
  const float residual_scale[] = {2.0f, -2.0f};
  std::copy_n(in, 2, x.map().data);
  Epilogue e;
  e.bias = bias;
  e.act = Kind::relu;
  e.scale = scale;
  e.residual = x;
  b_.apply(x, e, y, ctx_);
  expect(y, {5.5f, -1.0f});
  e.residual_scale = residual_scale;
  b_.apply(x, e, y, ctx_);
  expect(y, {6.5f, 2.0f});
}

TEST_F(Reference, Conv2dPadsStridesAndOrdersItsWeight) {
  // F.conv2d(x_nchw, ramp(2, 2, 3, 2, a=.53), padding=1, stride=(2, 1)), x = ramp(1, 3, 4, 2)
  Conv2dSpec spec;
  spec.stride_h = 2;
  spec.pad_h = spec.pad_w = 1;
  const test::TestMap y(1, 2, 5, 2, 0);
  const PackedPtr w = b_.pack_conv2d(ramp_tensor({2, 2, 3, 2}, 0.53), spec);
  b_.conv2d(Ramp(1, 3, 4, 2), *w, {}, y, ctx_);
  expect(y,
         {-0.2208793f, -0.2417417f, -0.1706436f, -0.2108025f, 0.0250539f,  0.0101096f,  0.2076467f,
          0.2257338f,  0.0533130f,  0.0738530f,  -0.1360990f, -0.1097604f, -0.3989546f, -0.3622976f,
          -0.2439127f, -0.2304153f, 0.0387109f,  0.0219886f,  0.1699455f,  0.1578546f});
}

TEST_F(Reference, Conv2dDilatesAndGroups) {
  // F.conv2d(x_nchw, ramp(2, 1, 2, 2, a=.53), padding=1, dilation=2, groups=2)
  const test::TestMap y(1, 3, 4, 2, 0);
  const PackedPtr w = b_.pack_conv2d(ramp_tensor({2, 1, 2, 2}, 0.53), {1, 1, 1, 1, 2, 2, 2});
  b_.conv2d(Ramp(1, 3, 4, 2), *w, {}, y, ctx_);
  expect(y, {-0.6145712f, 0.5406984f,  -0.9127557f, 0.6575493f,  -1.4014096f, 0.4936543f,
             -0.9086371f, 0.1446880f,  0.9125750f,  -0.1245607f, 1.3120712f,  0.0650004f,
             1.8613238f,  0.3374827f,  0.9765705f,  0.5835483f,  -0.3701040f, -0.3208578f,
             -0.5814861f, -0.5968020f, -0.5683458f, -0.8984165f, -0.1083340f, -0.7735055f});
}

TEST_F(Reference, NormsMatch) {
  // x = ramp(2, 1, 2, 3), weight = ramp(3, a=.7), bias = ramp(3, a=.9), eps = 1e-3
  const Ramp x(2, 1, 2, 3);
  const std::vector<float> weight = ramp(3, 0.7), bias = ramp(3, 0.9);
  const NormParams norm{weight.data(), bias.data(), 1e-3f};
  const test::TestMap y(2, 1, 2, 3, 0);
  // F.layer_norm(x, (3,), weight, bias, 1e-3)
  b_.layer_norm(x, norm, y, ctx_);
  expect(y, {-0.0278231f, 0.9039436f, 2.1154452f, 0.0719266f, 1.5684930f, 0.2926508f, 0.2391915f,
             0.8987188f, -0.3051677f, 0.2490593f, 0.7605496f, -0.2044767f});
  // F.group_norm(x_nchw, 1, weight, bias, 1e-3)
  b_.group_norm(x, norm, y, ctx_);
  expect(y, {-0.0924356f, 0.3112913f, 1.1101482f, 0.1927451f, 1.5319755f, 1.6539680f, 0.2699552f,
             1.5182667f, 1.2341679f, 0.0701549f, 0.1641747f, -0.4287874f});
  // g = vector_norm(x, dim=(1, 2), keepdim=True)
  // x + weight * (x * g / (g.mean(-1, keepdim=True) + 1e-6)) + bias
  b_.grn(x, {weight.data(), bias.data(), 1e-6f}, y, ctx_);
  expect(y, {0.2301115f, 1.6498144f, 2.5221874f, 1.1391693f, 2.5854000f, 2.8877851f, 0.9130696f,
             1.5654901f, 1.0917104f, -0.2157957f, -0.1952831f, -0.8479562f});
}

TEST_F(Reference, ActivationsMatch) {
  const test::TestMap x(1, 1, 1, 5, 0), y(1, 1, 1, 5, 0);
  const float in[] = {-3.0f, -0.5f, 0.0f, 0.75f, 4.0f};
  std::copy_n(in, 5, x.map().data);
  const auto apply = [&](const Activation& act) -> CMapF {
    Epilogue e;
    e.act = act;
    b_.apply(x, e, y, ctx_);
    return y;
  };
  expect(apply(Kind::none), {-3.0f, -0.5f, 0.0f, 0.75f, 4.0f});
  expect(apply(Kind::relu), {0.0000000f, 0.0000000f, 0.0000000f, 0.7500000f, 4.0000000f});
  expect(apply(Kind::gelu), {-0.0040497f, -0.1542688f, 0.0000000f, 0.5800295f, 3.9998733f});
  // F.gelu(x, approximate="tanh")
  expect(apply(Kind::gelu_tanh), {-0.0036374f, -0.1542860f, 0.0000000f, 0.5799606f, 3.9999298f});
  // x * sigmoid(1.702 * x)
  expect(apply(Kind::quick_gelu), {-0.0180713f, -0.1496116f, 0.0000000f, 0.5863901f, 3.9955853f});
  expect(apply(Kind::silu), {-0.1422776f, -0.1887703f, 0.0000000f, 0.5093840f, 3.9280552f});
  // .9 * relu(x)**2 - .4
  expect(apply(Activation(Kind::star_relu, 0.9f, -0.4f)),
         {-0.4000000f, -0.4000000f, -0.4000000f, 0.1062500f, 14.0000000f});
  expect(apply(Kind::sigmoid), {0.0474259f, 0.3775407f, 0.5000000f, 0.6791787f, 0.9820138f});
  expect(apply(Kind::tanh), {-0.9950548f, -0.4621172f, 0.0000000f, 0.6351490f, 0.9993293f});
}

TEST_F(Reference, SoftmaxMatches) {
  // F.softmax(ramp(1, 5) * 3, -1)
  const Ramp x(1, 1, 1, 5);
  for (int i = 0; i < 5; ++i) x.map().data[i] *= 3.0f;
  const test::TestMap y(1, 1, 1, 5, 0);
  b_.softmax(x, y, ctx_);
  // Inputs were tripled in single precision here, in double there.
  const float wanted[] = {0.0268781f, 0.0772708f, 0.1841628f, 0.3235251f, 0.3881631f};
  test::expect_close(y, CMapF(wanted, 1, 1, 1, 5), test::operator_l2_bound(1), "softmax");
}

TEST_F(Reference, PoolingMatches) {
  const Ramp x(1, 3, 4, 2);
  const test::TestMap y(1, 2, 2, 2, 0), mixed(1, 3, 4, 2, 0);
  using Pool = Pool2dSpec::Kind;
  // F.avg_pool2d(x_nchw, 3, 2, 1)
  b_.pool2d(x, Pool2dSpec::square(Pool::average, 3, 2, 1), y, ctx_);
  expect(y, {0.0347615f, 0.0272537f, 0.0035700f, -0.0146730f, -0.0367646f, -0.0314762f, -0.0125015f,
             0.0058168f});
  // F.avg_pool2d(x_nchw, 3, 2, 1, count_include_pad=False)
  b_.pool2d(x, Pool2dSpec::square(Pool::average, 3, 2, 1, false), y, ctx_);
  expect(y, {0.0782133f, 0.0613208f, 0.0053550f, -0.0220095f, -0.0827203f, -0.0708214f, -0.0187523f,
             0.0087252f});
  // F.max_pool2d(x_nchw, 3, 2, 1)
  b_.pool2d(x, Pool2dSpec::square(Pool::max, 3, 2, 1), y, ctx_);
  expect(y, {0.7512804f, 0.9390994f, 0.9998156f, 0.9390994f, 0.4678130f, 0.7557605f, 0.9414194f,
             0.9996616f});
  // (F.avg_pool2d(x_nchw, 3, 1, 1, count_include_pad=False) - x_nchw)[..., :2]
  b_.pooling(x, 3, {}, mixed, ctx_);
  const test::TestMap left(1, 3, 2, 2, 0);
  for (int iy = 0; iy < 3; ++iy) {
    for (int ix = 0; ix < 2; ++ix)
      std::copy_n(mixed.map().pixel(0, iy, ix), 2, left.map().pixel(0, iy, ix));
  }
  expect(left, {-0.0315650f, -0.4004583f, -0.6969762f, -0.9071046f, 0.0168314f, 0.4802638f,
                0.7846889f, 1.0909236f, 0.1677687f, -0.1873706f, -0.5305307f, -0.7994522f});
}

TEST_F(Reference, GlobalAverageIsTheMean) {
  const test::TestMap x(2, 1, 2, 2, 0), y(2, 1, 1, 2, 0);
  for (int i = 0; i < 8; ++i) x.map().data[i] = static_cast<float>(i * i);
  b_.global_average(x, y, ctx_);
  expect(y, {2.0f, 5.0f, 26.0f, 37.0f});
}

TEST_F(Reference, MultiplyMultiplies) {
  const test::TestMap x(1, 1, 1, 3, 0), y(1, 1, 1, 3, 0);
  for (int i = 0; i < 3; ++i) x.map().data[i] = static_cast<float>(i + 1);
  b_.multiply(x, x, y, ctx_);
  expect(y, {1.0f, 4.0f, 9.0f});
}

TEST_F(Reference, PatchMergeOrdersItsQuartersAndPads) {
  // timm 1.0.29, swin_transformer.PatchMerging(2) without its norm and reduction, of ramp(1, 3, 3,
  // 2)
  const test::TestMap y(1, 2, 2, 8, 0);
  b_.patch_merge(Ramp(1, 3, 3, 2), y, ctx_);
  expect(y,
         {0.1097783f,  0.4617792f, 0.7253844f,  0.4273799f,  0.7512804f,  0.9390994f, 0.0715315f,
          -0.2939983f, 0.9998156f, 0.9252115f,  -0.6197369f, -0.8615969f, 0.0000000f, 0.0000000f,
          0.0000000f,  0.0000000f, -0.9868439f, -0.9785261f, 0.0000000f,  0.0000000f, -0.8377695f,
          -0.5836247f, 0.0000000f, 0.0000000f,  -0.2504890f, 0.1165492f,  0.0000000f, 0.0000000f,
          0.0000000f,  0.0000000f, 0.0000000f,  0.0000000f});
}

TEST_F(Reference, AttentionMatches) {
  // h = lambda t: t.view(-1, 2, 2).transpose(0, 1)
  // q, k, v = ramp(2, 4, a=.31), ramp(3, 4, a=.53), ramp(3, 4, a=.71)
  // (softmax(h(q) @ h(k).transpose(-1, -2) * .8 + ramp(2, 2, 3, a=.9), -1) @ h(v)).transpose(0, 1)
  const std::vector<float> bias = ramp(12, 0.9);
  const test::TestMap y(1, 1, 2, 4, 0);
  b_.attention(Ramp(1, 1, 2, 4, 0.31), Ramp(1, 1, 3, 4, 0.53), Ramp(1, 1, 3, 4, 0.71),
               {2, 0.8f, bias.data()}, y, ctx_);
  // The factor 0.8f is not 0.8.
  const float wanted[] = {-0.0209899f, -0.0048643f, 0.5552022f, 0.5283919f,
                          0.1274354f,  0.2702303f,  0.8365026f, 0.6504974f};
  test::expect_close(y, CMapF(wanted, 1, 1, 2, 4), test::operator_l2_bound(1), "attention");
}

// timm 1.0.29: SwinTransformerBlock(2, (3, 5), num_heads=heads, window_size=2, shift_size=1,
// always_partition=True)._attn, its attention replaced by softmax(scores) v over qkv rows
// ramp(1, 3, 5, 6, a=.23). The map is shifted, then padded: both sizes are odd.
TEST_F(Reference, WindowAttentionShiftsPadsAndMasksLikeTimm) {
  // Two heads: scores = 1.3 q k^T + ramp(2, 4, 4, a=.9) + mask * 1.5 / 100, padding
  // ramp(6, a=1.3)
  const std::vector<float> bias = ramp(32, 0.9), pad = ramp(6, 1.3);
  WindowSpec spec;
  spec.heads = 2;
  spec.window_h = spec.window_w = 2;
  spec.shift_h = spec.shift_w = 1;
  spec.scale = 1.3f;
  spec.bias = bias.data();
  spec.pad_qkv = pad.data();
  spec.mask_value = -1.5f;
  const test::TestMap y(1, 3, 5, 2, 0);
  b_.window_attention(Ramp(1, 3, 5, 6, 0.23), spec, y, ctx_);
  const float wanted[] = {-0.0732087f, 0.8919245f,  0.0178269f,  0.3573298f,  -0.0116773f,
                          -0.1059046f, -0.4102403f, -0.5639175f, -0.6352736f, 0.1134874f,
                          0.6308771f,  0.8836576f,  -0.3957616f, -0.3035441f, -0.7264649f,
                          -0.8057216f, 0.0529567f,  -0.0809632f, 0.4441676f,  0.6922580f,
                          0.7576270f,  0.8758677f,  -0.3466266f, -0.4533538f, -0.8674800f,
                          -0.8383964f, -0.0645581f, 0.0549446f,  0.7946641f,  0.7328435f};
  // The factor 1.3f is not 1.3.
  test::expect_close(y, CMapF(wanted, 1, 3, 5, 2), test::operator_l2_bound(1), "window attention");
}

TEST_F(Reference, WindowAttentionComparesCosines) {
  // One head: scores = 4.5 F.normalize(q) F.normalize(k)^T + ramp(1, 4, 4, a=.9) + mask, zeros as
  // padding
  const std::vector<float> bias = ramp(16, 0.9);
  const float head_scale = 4.5f;
  WindowSpec spec;
  spec.window_h = spec.window_w = 2;
  spec.shift_h = spec.shift_w = 1;
  spec.cosine = true;
  spec.head_scale = &head_scale;
  spec.bias = bias.data();
  const test::TestMap y(1, 3, 5, 2, 0);
  b_.window_attention(Ramp(1, 3, 5, 6, 0.23), spec, y, ctx_);
  const float wanted[] = {0.8572990f,  0.9520903f,  0.6676165f,  0.4803909f,  0.6665439f,
                          0.4793364f,  -0.6652828f, -0.5232374f, -0.7174895f, -0.5794299f,
                          0.8401422f,  0.7122475f,  0.1135073f,  -0.1158414f, -0.8567393f,
                          -0.8476294f, -0.1157286f, 0.1033881f,  0.9084875f,  0.9468531f,
                          0.9139216f,  0.8256608f,  0.1139253f,  -0.1154916f, -0.8740273f,
                          -0.8462768f, -0.2889102f, -0.0727331f, 0.9577795f,  0.9713072f};
  test::expect_close(y, CMapF(wanted, 1, 3, 5, 2), test::operator_l2_bound(1), "cosine");
}

TEST_F(Reference, MlpIsTwoLinearLayers) {
  const PackedPtr fc1 = b_.pack_linear(ramp_tensor({5, 3}, 0.53));
  const PackedPtr fc2 = b_.pack_linear(ramp_tensor({2, 5}, 0.71));
  const Ramp x(1, 2, 2, 3);
  Epilogue gelu;
  gelu.act = Kind::gelu;
  const test::TestMap hidden(1, 2, 2, 5, 0), wanted(1, 2, 2, 2, 0), found(1, 2, 2, 2, 0);
  b_.linear(x, *fc1, gelu, hidden, ctx_);
  b_.linear(hidden, *fc2, {}, wanted, ctx_);
  b_.mlp(x, *fc1, gelu, *fc2, {}, found, ctx_);
  EXPECT_EQ(test::dense(found), test::dense(wanted));
}

}  // namespace
}  // namespace fovea
