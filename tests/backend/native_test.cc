// SPDX-License-Identifier: Apache-2.0
// What only the native backend promises: the same bits for any number of threads and any place in a
// batch, at every level of instructions. Its agreement with the reference is tested with that of
// all backends in operators_test.cc.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>

#include "fovea/backend/backend.h"
#include "fovea/core/error.h"
#include "tests/backend/maps.h"

namespace fovea {
namespace {

using test::random_floats;
using test::random_tensor;
using test::TestMap;

class Native : public testing::TestWithParam<std::string> {
 protected:
  std::shared_ptr<const Backend> backend_ = make_backend("native", {.isa = GetParam()});
};

std::vector<std::string> isas() {
  std::vector<std::string> names;
  for (const std::string_view name : isa_names()) names.emplace_back(name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Isas, Native, testing::ValuesIn(isas()),
                         [](const auto& instance) { return instance.param; });

constexpr int kImages = 3;

// An operator as a function of its first input, (kImages, h, w, c).
struct Case {
  std::string name;
  int h, w, c, out_h, out_w, out_c;
  std::function<void(CMapF x, MapF y, Context& ctx)> run;
};

// Owns what the cases refer to.
class Cases {
 public:
  explicit Cases(const Backend& b) : b_(b) {
    const Tensor w = random_tensor({70, 48}, 1);
    linear_ = b.pack_linear(w);
    expand_ = b.pack_linear(random_tensor({160, 48}, 2));
    reduce_ = b.pack_linear(random_tensor({48, 160}, 3));
    dense_ = b.pack_conv2d(random_tensor({40, 48, 3, 3}, 4), Conv2dSpec::square(1, 1));
    grouped_ = b.pack_conv2d(random_tensor({48, 16, 3, 3}, 5), Conv2dSpec::square(2, 1, 3));
    patchify_ = b.pack_conv2d(random_tensor({40, 48, 4, 4}, 6), Conv2dSpec::square(4, 0));
    depthwise_ = b.pack_conv2d(random_tensor({48, 1, 7, 7}, 7), Conv2dSpec::square(1, 3, 48));
    strided_ = b.pack_conv2d(random_tensor({48, 1, 3, 3}, 8), Conv2dSpec::square(2, 1, 48));
    values_ = random_floats(160 * 64, 9);
    negative_ = random_floats(64, 10);
    for (float& v : negative_) v = -1.0f - std::abs(v);
    linear_attention_.heads = 2;
    linear_attention_.map = FeatureMap::elu_plus_one;
    linear_attention_.augment = true;
    epilogue_.bias = values_.data();
    epilogue_.act = Activation::Kind::gelu;
    epilogue_.scale = values_.data() + 200;
    norm_ = {values_.data() + 400, values_.data() + 600, 1e-5f};
    window_.heads = 2;
    window_.window_h = window_.window_w = 5;
    window_.shift_h = window_.shift_w = 2;
    window_.bias = values_.data();
    attention_.heads = 2;
    attention_.scale = 0.25f;
  }

  std::vector<Case> all() const {
    return {
        make("linear", 70,
             [&](CMapF x, MapF y, Context& c) { b_.linear(x, *linear_, epilogue_, y, c); }),
        make("mlp", 48,
             [&](CMapF x, MapF y, Context& c) {
               b_.mlp(x, *expand_, epilogue_, *reduce_, {}, y, c);
             }),
        make("dense conv2d", 40,
             [&](CMapF x, MapF y, Context& c) { b_.conv2d(x, *dense_, epilogue_, y, c); }),
        make(
            "grouped conv2d", 48,
            [&](CMapF x, MapF y, Context& c) { b_.conv2d(x, *grouped_, epilogue_, y, c); }, 2, 1),
        make(
            "patchify", 40,
            [&](CMapF x, MapF y, Context& c) { b_.conv2d(x, *patchify_, epilogue_, y, c); }, 4),
        make("depthwise", 48,
             [&](CMapF x, MapF y, Context& c) { b_.conv2d(x, *depthwise_, epilogue_, y, c); }),
        make(
            "strided depthwise", 48,
            [&](CMapF x, MapF y, Context& c) { b_.conv2d(x, *strided_, epilogue_, y, c); }, 2, 1),
        make("layer_norm", 48, [&](CMapF x, MapF y, Context& c) { b_.layer_norm(x, norm_, y, c); }),
        make("group_norm", 48, [&](CMapF x, MapF y, Context& c) { b_.group_norm(x, norm_, y, c); }),
        make("grn", 48, [&](CMapF x, MapF y, Context& c) { b_.grn(x, norm_, y, c); }),
        make("apply", 48, [&](CMapF x, MapF y, Context& c) { b_.apply(x, epilogue_, y, c); }),
        make("multiply", 48, [&](CMapF x, MapF y, Context& c) { b_.multiply(x, x, y, c); }),
        make("softmax", 48, [&](CMapF x, MapF y, Context& c) { b_.softmax(x, y, c); }),
        make(
            "pool2d", 48,
            [&](CMapF x, MapF y, Context& c) {
              b_.pool2d(x, Pool2dSpec::square(Pool2dSpec::Kind::average, 3, 2, 1), y, c);
            },
            2, 1),
        make("pooling", 48,
             [&](CMapF x, MapF y, Context& c) { b_.pooling(x, 3, epilogue_, y, c); }),
        make("rms_norm", 48, [&](CMapF x, MapF y, Context& c) { b_.rms_norm(x, norm_, y, c); }),
        make("gate", 48,
             [&](CMapF x, MapF y, Context& c) { b_.multiply(x, x, y, c, Activation::Kind::silu); }),
        make("selective_scan", 32, [&](CMapF x, MapF y, Context& c) { scan(x, 2, y, c); }),
        make("selective_scan of one state", 32,
             [&](CMapF x, MapF y, Context& c) { scan(x, 1, y, c); }),
        make("state_space", 32, [&](CMapF x, MapF y, Context& c) { state_space(x, true, y, c); }),
        make("shared state", 32, [&](CMapF x, MapF y, Context& c) { state_space(x, false, y, c); }),
        make("linear_attention", 16,
             [&](CMapF x, MapF y, Context& c) {
               b_.linear_attention(x.channels(0, 16), x.channels(16, 16), x.channels(32, 16),
                                   linear_attention_, y, c);
             }),
        make("gated_attention", 16,
             [&](CMapF x, MapF y, Context& c) {
               GatedAttentionSpec spec;
               spec.heads = 2;
               b_.gated_attention(x.channels(0, 8), x.channels(8, 8), x.channels(32, 16),
                                  x.channels(16, 16), spec, y, c);
             }),
        {"adaptive_average", kSide, kSide, 48, 4, 5, 48,
         [&](CMapF x, MapF y, Context& c) { b_.adaptive_average(x, y, c); }},
        {"resize2d", kSide, kSide, 48, 20, 7, 48,
         [&](CMapF x, MapF y, Context& c) { b_.resize2d(x, Interpolation::bilinear, y, c); }},
        {"global_average", kSide, kSide, 48, 1, 1, 48,
         [&](CMapF x, MapF y, Context& c) { b_.global_average(x, y, c); }},
        {"patch_merge", kSide, kSide, 48, (kSide + 1) / 2, (kSide + 1) / 2, 192,
         [&](CMapF x, MapF y, Context& c) { b_.patch_merge(x, y, c); }},
        make("attention", 16,
             [&](CMapF x, MapF y, Context& c) {
               b_.attention(x.channels(0, 16), x.channels(16, 16), x.channels(32, 16), attention_,
                            y, c);
             }),
        make("window_attention", 16,
             [&](CMapF x, MapF y, Context& c) { b_.window_attention(x, window_, y, c); }),
    };
  }

 private:
  static constexpr int kSide = 13;

  void scan(CMapF x, int state, MapF y, Context& ctx) const {
    static constexpr ScanWalk kWalks[] = {{}, {ScanWalk::Along::columns, true}};
    ScanPath paths[2];
    for (int k = 0; k < 2; ++k) {
      paths[k].walks = {kWalks + k, 1};
      paths[k].r = x.channels(32 + k, 3);
      paths[k].b = x.channels(36 + k, state);
      paths[k].c = x.channels(40 + k, state);
      paths[k].dt_weight = values_.data();
      paths[k].dt_bias = values_.data() + 100;
      paths[k].a = negative_.data();
    }
    b_.selective_scan(x.channels(0, 32), paths, state, y, ctx);
  }
  void state_space(CMapF x, bool causal, MapF y, Context& ctx) const {
    StateSpaceSpec spec;
    spec.heads = 4;
    spec.causal = causal;
    spec.dt_bias = values_.data();
    spec.a = negative_.data();
    spec.d = values_.data() + 10;
    b_.state_space(x.channels(0, 32), x.channels(32, 4), x.channels(36, 6), x.channels(42, 6), spec,
                   y, ctx);
  }

  // Windows of stride `stride` that cover the map but for `stride - 1` lines, or all of it if
  // `odd`.
  static Case make(const std::string& name, int out_c,
                   std::function<void(CMapF, MapF, Context&)> run, int stride = 1, int odd = 0) {
    const int side = (kSide + odd) / stride;
    return {name, kSide, kSide, 48, side, side, out_c, std::move(run)};
  }

  const Backend& b_;
  PackedPtr linear_, expand_, reduce_, dense_, grouped_, patchify_, depthwise_, strided_;
  std::vector<float> values_;
  Epilogue epilogue_;
  NormParams norm_;
  WindowSpec window_;
  AttentionSpec attention_;
  LinearAttentionSpec linear_attention_;
  std::vector<float> negative_;
};

bool same_bits(const CMapF& a, const CMapF& b) {
  for (std::ptrdiff_t r = 0; r < a.rows(); ++r) {
    if (std::memcmp(a.row(r), b.row(r), sizeof(float) * static_cast<std::size_t>(a.c)) != 0) {
      return false;
    }
  }
  return true;
}

TEST_P(Native, GivesTheSameBitsForAnyNumberOfThreads) {
  const Cases cases(*backend_);
  Context alone(1);
  for (const int threads : {2, 3, 8}) {
    Context ctx(threads);
    for (const Case& s : cases.all()) {
      const TestMap x(kImages, s.h, s.w, s.c, 1, 11);
      const TestMap one(kImages, s.out_h, s.out_w, s.out_c, 0);
      const TestMap many(kImages, s.out_h, s.out_w, s.out_c, 0);
      s.run(x, one, alone);
      s.run(x, many, ctx);
      EXPECT_TRUE(same_bits(one, many)) << s.name << " with " << threads << " threads";
    }
  }
}

TEST_P(Native, GivesTheSameBitsForAnyPlaceInABatch) {
  const Cases cases(*backend_);
  for (const Case& s : cases.all()) {
    const TestMap x(kImages, s.h, s.w, s.c, 1, 12);
    const TestMap batch(kImages, s.out_h, s.out_w, s.out_c, 0);
    Context ctx(2);
    s.run(x, batch, ctx);
    for (int i = 0; i < kImages; ++i) {
      const TestMap single(1, s.out_h, s.out_w, s.out_c, 0);
      s.run(x.map().image(i), single, ctx);
      EXPECT_TRUE(same_bits(batch.map().image(i), single)) << s.name << ", image " << i;
    }
  }
}

TEST_P(Native, SaysWhichInstructionsItUses) { EXPECT_EQ(backend_->isa(), GetParam()); }

TEST_P(Native, LeavesTheWorkspaceAsItWasAfterTheFirstCall) {
  const Cases cases(*backend_);
  for (const Case& s : cases.all()) {
    const TestMap x(kImages, s.h, s.w, s.c, 1, 13);
    const TestMap y(kImages, s.out_h, s.out_w, s.out_c, 0);
    Context ctx(2);
    s.run(x, y, ctx);
    const std::size_t capacity = ctx.workspace().capacity();
    for (int i = 0; i < 2; ++i) s.run(x, y, ctx);
    EXPECT_EQ(ctx.workspace().capacity(), capacity) << s.name;
  }
}

}  // namespace
}  // namespace fovea
