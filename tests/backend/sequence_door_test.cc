// SPDX-License-Identifier: Apache-2.0
// What the operators on sequences refuse, and what they count.
#include <gtest/gtest.h>

#include "fovea/backend/backend.h"
#include "tests/backend/maps.h"
#include "tests/expect_error.h"

namespace fovea {
namespace {

using test::TestMap;

class SequenceDoor : public testing::Test {
 protected:
  template <class Body>
  void refuses(const std::string& message, const Body& body) {
    expect_error(body, Error::Kind::argument, message);
  }
  ScanPath path() const {
    ScanPath p;
    p.walks = {&walk_, 1};
    p.r = x_.map().channels(0, 2);
    p.b = p.c = x_.map().channels(2, 4);
    p.dt_weight = p.dt_bias = p.a = values_;
    return p;
  }

  std::shared_ptr<const Backend> backend_ = make_backend("reference");
  const Backend& b_ = *backend_;
  Context ctx_{1};
  const ScanWalk walk_;
  const float values_[64] = {};
  const TestMap x_{1, 2, 4, 6, 0}, y_{1, 2, 4, 6, 0}, two_{1, 2, 4, 2, 0}, twelve_{1, 2, 4, 12, 0};
};

TEST_F(SequenceDoor, ScansWantSoundPaths) {
  refuses("selective_scan: paths: wanted at least one, found none.",
          [&] { b_.selective_scan(x_, {}, 4, y_, ctx_); });
  ScanPath p = path();
  const auto scan = [&](int state) {
    return [&, state] { b_.selective_scan(x_, {&p, 1}, state, y_, ctx_); };
  };
  EXPECT_NO_THROW(scan(4)());
  refuses("selective_scan: state: wanted numbers from 1", scan(0));
  refuses("selective_scan: b: wanted groups of 3 channels that divide u's", scan(3));
  refuses("groups of 1 channels that divide u's", scan(1));  // four groups, six channels
  p.walks = {};
  refuses("selective_scan: walks: wanted at least one, found none.", scan(4));
  const ScanWalk two[2];
  p.walks = two;
  p.by_step = true;
  refuses("walks: wanted one, as parameters go by steps, found 2.", scan(4));
  p = path();
  p.c = two_;
  refuses("selective_scan: c: wanted (1, 2, 4, 4), found (1, 2, 4, 2).", scan(4));
  p = path();
  p.r = TestMap(1, 4, 2, 2, 0);
  refuses("selective_scan: r: wanted the images and tokens of (1, 2, 4, 6), found", scan(4));
  p = path();
  p.a = nullptr;
  refuses("selective_scan: a: wanted values, found none.", scan(4));
}

TEST_F(SequenceDoor, HeadsAndGroupsDivideTheirChannels) {
  StateSpaceSpec space;
  space.heads = 2;
  space.dt_bias = space.a = values_;
  const auto run = [&] { b_.state_space(x_, two_, two_, two_, space, y_, ctx_); };
  EXPECT_NO_THROW(run());
  space.groups = 3;
  refuses("state_space: heads: wanted a divisor of the 2 channels, found 3.", run);
  space.groups = 2;
  space.heads = 3;
  refuses("state_space: dt: wanted 3 channels, found (1, 2, 4, 2).", run);

  LinearAttentionSpec linear;
  linear.heads = 4;
  refuses("linear_attention: heads: wanted a divisor of the 6 channels, found 4.",
          [&] { b_.linear_attention(x_, x_, x_, linear, y_, ctx_); });
  linear.heads = 2;
  linear.rotary = {values_, values_, true};
  refuses("linear_attention: rotary: wanted an even number of features per head, found 3.",
          [&] { b_.linear_attention(x_, x_, x_, linear, y_, ctx_); });
  linear.features = 4;
  refuses("linear_attention: features: wanted 0 without a projection, found 4.",
          [&] { b_.linear_attention(x_, x_, x_, linear, y_, ctx_); });
  linear.map = FeatureMap::performer;
  refuses("linear_attention: projection: wanted values, found none.",
          [&] { b_.linear_attention(x_, x_, x_, linear, y_, ctx_); });
  linear.features = 0;
  refuses("linear_attention: features: wanted a number above 0, found 0.",
          [&] { b_.linear_attention(x_, x_, x_, linear, y_, ctx_); });
  linear.map = FeatureMap::none;
  linear.rotary.sin = nullptr;
  refuses("linear_attention: rotary: wanted cosines and sines, found one of them.",
          [&] { b_.linear_attention(x_, x_, x_, linear, y_, ctx_); });
  refuses("linear_attention: k: wanted 6 channels, found (1, 2, 4, 2).",
          [&] { b_.linear_attention(x_, two_, x_, {}, y_, ctx_); });

  refuses("gated_attention: gates: wanted 12 channels, found (1, 2, 4, 6).",
          [&] { b_.gated_attention(x_, x_, x_, x_, {}, y_, ctx_); });
  refuses("gated_attention: y: wanted (1, 2, 4, 6), found (1, 2, 4, 2).",
          [&] { b_.gated_attention(x_, x_, x_, twelve_, {}, two_, ctx_); });
  refuses("rotary: x: wanted an even number of channels per head, found 3.", [&] {
    b_.rotary(x_, 2, {values_, values_, true}, y_, ctx_);
  });
  refuses("rotary: rotary: wanted cosines and sines, found none.",
          [&] { b_.rotary(x_, 1, {}, y_, ctx_); });
}

TEST_F(SequenceDoor, SmallOperatorsCheckTheirShapes) {
  refuses("rms_norm: y: wanted (1, 2, 4, 6)", [&] { b_.rms_norm(x_, {}, two_, ctx_); });
  refuses("scale_channels: s: wanted (1, 1, 1, 6), found (1, 2, 4, 6).",
          [&] { b_.scale_channels(x_, x_, y_, ctx_); });
  refuses("adaptive_average: y: wanted (1, 2, 4, 6)", [&] { b_.adaptive_average(x_, two_, ctx_); });
  refuses("resize2d: x: wanted data apart from y's",
          [&] { b_.resize2d(x_, Interpolation::nearest, x_, ctx_); });
  int index[8] = {0, 1, 2, 3, 4, 5, 6, 8};
  refuses("gather: index: wanted tokens from -1 to 7, found 8.",
          [&] { b_.gather(x_, index, y_, ctx_); });
  index[7] = -2;
  refuses("gather: index: wanted tokens from -1 to 7, found -2.",
          [&] { b_.gather(x_, index, y_, ctx_); });
}

TEST_F(SequenceDoor, DryRunsCountAndTouchNothing) {
  const auto macs = [](const auto& body) {
    Context ctx(1);
    ctx.set_dry_run(true);
    body(ctx);
    return ctx.macs();
  };
  const MapF x(nullptr, 2, 3, 5, 6), y(nullptr, 2, 3, 5, 6), dt(nullptr, 2, 3, 5, 2);
  ScanPath p;
  p.walks = {&walk_, 1};
  p.r = dt;
  p.b = p.c = MapF(nullptr, 2, 3, 5, 4);
  EXPECT_EQ(macs([&](Context& c) {
              b_.selective_scan(x, {&p, 1}, 4, y, c);
            }),
            30 * 6 * (2 + 3 * 4 + 1));
  StateSpaceSpec space;
  space.heads = 2;
  EXPECT_EQ(macs([&](Context& c) { b_.state_space(x, dt, dt, dt, space, y, c); }), 30 * 6 * 2 * 2);
  LinearAttentionSpec linear;
  linear.heads = 2;
  EXPECT_EQ(macs([&](Context& c) { b_.linear_attention(x, x, x, linear, y, c); }), 60 * 3 * 6);
  GatedAttentionSpec gated;
  gated.heads = 2;
  const MapF gates(nullptr, 2, 3, 5, 12);
  EXPECT_EQ(macs([&](Context& c) { b_.gated_attention(x, x, x, gates, gated, y, c); }),
            30 * 6 * 3 * 6);
  EXPECT_EQ(macs([&](Context& c) {
              b_.rms_norm(x, {}, y, c);
              b_.scale_channels(x, MapF(nullptr, 2, 1, 1, 6), y, c);
              b_.adaptive_average(x, MapF(nullptr, 2, 2, 2, 6), c);
              b_.resize2d(x, Interpolation::bilinear, MapF(nullptr, 2, 2, 2, 6), c);
              b_.gather(x, nullptr, y, c);
              b_.rotary(x, 1, {}, y, c);
            }),
            0);
}

}  // namespace
}  // namespace fovea
