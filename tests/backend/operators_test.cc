// SPDX-License-Identifier: Apache-2.0
// Every operator of every backend against the reference backend.
#include <gtest/gtest.h>

#include <functional>

#include "fovea/backend/backend.h"
#include "tests/backend/maps.h"

namespace fovea {
namespace {

using test::operator_l2_bound;
using test::random_floats;
using test::random_tensor;
using test::TestMap;
using Kind = Activation::Kind;

class Operators : public testing::TestWithParam<std::string> {
 protected:
  // Runs one operator on the tested backend and on the reference, on equal copies of y, and
  // compares the copies. k: the number of products behind one output.
  using Run = std::function<void(const Backend&, MapF y, Context&)>;
  void compare(const Run& run, const TestMap& y, std::ptrdiff_t k, const std::string& what) {
    const TestMap found(y), wanted(y);
    run(*backend_, found, context_);
    run(*reference_, wanted, reference_context_);
    test::expect_close(found, wanted, operator_l2_bound(k), what);
    EXPECT_TRUE(found.gaps_intact()) << what << ": wrote between the rows";
  }

  static std::shared_ptr<const Backend> make_tested(const std::string& name) {
    const std::size_t cut = name.find('_');
    if (cut == std::string::npos) return make_backend(name);
    return make_backend(name.substr(0, cut), {.isa = name.substr(cut + 1)});
  }

  std::shared_ptr<const Backend> backend_ = make_tested(GetParam());
  std::shared_ptr<const Backend> reference_ = make_backend("reference");
  Context context_{2};
  Context reference_context_{1};
};

// The native backend once for each instruction set: "native_avx2".
std::vector<std::string> tested_backends() {
  std::vector<std::string> names;
  for (const std::string_view name : backend_names()) {
    if (name != "reference" && name != "native") names.emplace_back(name);
  }
  for (const std::string_view isa : isa_names()) names.push_back("native_" + std::string(isa));
  return names;
}

INSTANTIATE_TEST_SUITE_P(Backends, Operators, testing::ValuesIn(tested_backends()),
                         [](const auto& instance) { return instance.param; });

const Activation kActivations[] = {Kind::none,
                                   Kind::relu,
                                   Kind::gelu,
                                   Kind::gelu_tanh,
                                   Kind::quick_gelu,
                                   Kind::silu,
                                   Activation(Kind::star_relu, 0.9f, -0.4f),
                                   Kind::sigmoid,
                                   Kind::tanh};

// Every form of an epilogue over c channels. A residual is `apart`, or y itself.
struct Epilogues {
  Epilogues(int c, std::uint64_t seed)
      : bias(random_floats(c, seed)),
        scale(random_floats(c, seed + 1)),
        residual_scale(random_floats(c, seed + 2)) {}

  template <class Body>
  void for_each(const CMapF& apart, const Body& body) const {
    for (const Activation& act : kActivations) {
      for (int parts = 0; parts < 16; ++parts) {
        // All combinations once, and every activation with nothing and with everything.
        if (act.kind != Kind::gelu && parts != 0 && parts != 15) continue;
        Epilogue e;
        e.act = act;
        if (parts & 1) e.bias = bias.data();
        if (parts & 2) e.scale = scale.data();
        if (parts & 4) e.residual = apart;
        if (parts & 8) e.residual_scale = residual_scale.data();
        body(e, false,
             "activation " + std::to_string(static_cast<int>(act.kind)) + ", parts " +
                 std::to_string(parts));
        if (parts & 4) body(e, true, "residual in y, parts " + std::to_string(parts));
      }
    }
  }

  std::vector<float> bias, scale, residual_scale;
};

Epilogue with_residual(Epilogue e, bool in_y, const MapF& y) {
  if (in_y) e.residual = y;
  return e;
}

TEST_P(Operators, LinearAgreesForEveryShape) {
  const struct {
    int rows, in, out, gap;
  } cases[] = {{1, 1, 1, 0},     {1, 768, 1000, 0}, {5, 7, 3, 2},      {49, 33, 65, 0},
               {64, 96, 384, 0}, {65, 16, 257, 5},  {130, 129, 31, 3}, {300, 40, 48, 0}};
  for (const auto& s : cases) {
    const Tensor w = random_tensor({s.out, s.in}, 1);
    const PackedPtr mine = backend_->pack_linear(w), reference = reference_->pack_linear(w);
    const TestMap x(1, 1, s.rows, s.in, s.gap, 2), y(1, 1, s.rows, s.out, s.gap, 3);
    const std::vector<float> bias = random_floats(s.out, 4);
    Epilogue e;
    e.bias = bias.data();
    compare(
        [&](const Backend& b, MapF out, Context& ctx) {
          b.linear(x, &b == backend_.get() ? *mine : *reference, e, out, ctx);
        },
        y, s.in,
        std::to_string(s.rows) + " x " + std::to_string(s.in) + " x " + std::to_string(s.out));
  }
}

TEST_P(Operators, LinearAgreesForEveryEpilogue) {
  const int in = 24, out = 37;
  const Tensor w = random_tensor({out, in, 1, 1}, 1);
  const PackedPtr mine = backend_->pack_linear(w), reference = reference_->pack_linear(w);
  const TestMap x(2, 3, 5, in, 1, 2), y(2, 3, 5, out, 4, 3), apart(2, 3, 5, out, 2, 4);
  Epilogues(out, 5).for_each(apart, [&](const Epilogue& e, bool in_y, const std::string& what) {
    compare(
        [&](const Backend& b, MapF to, Context& ctx) {
          b.linear(x, &b == backend_.get() ? *mine : *reference, with_residual(e, in_y, to), to,
                   ctx);
        },
        y, in, what);
  });
}

TEST_P(Operators, LinearReadsAndWritesChannelRanges) {
  const Tensor w = random_tensor({20, 12}, 1);
  const PackedPtr mine = backend_->pack_linear(w), reference = reference_->pack_linear(w);
  const TestMap x(1, 4, 4, 36, 0, 2), y(1, 4, 4, 60, 0, 3);
  compare(
      [&](const Backend& b, MapF to, Context& ctx) {
        b.linear(x.map().channels(12, 12), &b == backend_.get() ? *mine : *reference, {},
                 to.channels(20, 20), ctx);
      },
      y, 12, "middle third");
}

struct ConvCase {
  int n, h, w, in, out, kernel_h, kernel_w;
  Conv2dSpec spec;
};

TEST_P(Operators, Conv2dAgreesForEveryShape) {
  const ConvCase cases[] = {
      {1, 8, 8, 3, 16, 4, 4, Conv2dSpec::square(4, 0)},       // a patch embedding
      {2, 9, 7, 3, 8, 7, 7, Conv2dSpec::square(4, 2)},        // PoolFormer's
      {1, 6, 5, 10, 7, 3, 3, Conv2dSpec::square(1, 1)},       //
      {2, 5, 6, 8, 24, 2, 2, Conv2dSpec::square(2, 0)},       // ConvNeXt's downsampling
      {1, 9, 9, 6, 6, 1, 1, Conv2dSpec::square(2, 0)},        //
      {2, 7, 5, 12, 12, 7, 7, Conv2dSpec::square(1, 3, 12)},  // depthwise
      {1, 5, 9, 19, 19, 3, 3, Conv2dSpec::square(2, 1, 19)},  //
      {1, 3, 2, 33, 33, 7, 7, Conv2dSpec::square(1, 3, 33)},  // a kernel beyond the image
      {1, 8, 8, 64, 64, 5, 5, Conv2dSpec::square(1, 2, 64)},  //
      {2, 6, 6, 8, 12, 3, 3, Conv2dSpec::square(1, 1, 4)},    // grouped
      {1, 6, 6, 5, 10, 3, 3, Conv2dSpec::square(1, 1, 5)},    // two outputs a channel
      {1, 12, 11, 4, 6, 3, 2, {2, 1, 1, 0, 2, 3, 1}},         // nothing square
      {1, 12, 11, 6, 6, 3, 2, {1, 2, 2, 1, 2, 1, 6}},         //
  };
  for (const ConvCase& s : cases) {
    const Tensor w = random_tensor({s.out, s.in / s.spec.groups, s.kernel_h, s.kernel_w}, 1);
    const PackedPtr mine = backend_->pack_conv2d(w, s.spec);
    const PackedPtr reference = reference_->pack_conv2d(w, s.spec);
    const int oh = conv_out_size(s.h, s.kernel_h, s.spec.stride_h, s.spec.pad_h, s.spec.dilation_h);
    const int ow = conv_out_size(s.w, s.kernel_w, s.spec.stride_w, s.spec.pad_w, s.spec.dilation_w);
    for (const int gap : {0, 3}) {
      const TestMap x(s.n, s.h, s.w, s.in, gap, 2), y(s.n, oh, ow, s.out, gap, 3);
      const std::vector<float> bias = random_floats(s.out, 4);
      Epilogue e;
      e.bias = bias.data();
      compare(
          [&](const Backend& b, MapF to, Context& ctx) {
            b.conv2d(x, &b == backend_.get() ? *mine : *reference, e, to, ctx);
          },
          y, static_cast<std::ptrdiff_t>(s.in / s.spec.groups) * s.kernel_h * s.kernel_w,
          shape_string(x.map()) + " to " + shape_string(y.map()));
    }
  }
}

TEST_P(Operators, Conv2dAgreesForEveryEpilogue) {
  for (const int groups : {1, 10}) {
    const Tensor w = random_tensor({10, 10 / groups, 3, 3}, 1);
    const Conv2dSpec spec = Conv2dSpec::square(1, 1, groups);
    const PackedPtr mine = backend_->pack_conv2d(w, spec);
    const PackedPtr reference = reference_->pack_conv2d(w, spec);
    const TestMap x(2, 4, 5, 10, 0, 2), y(2, 4, 5, 10, 0, 3), apart(2, 4, 5, 10, 2, 4);
    Epilogues(10, 5).for_each(apart, [&](const Epilogue& e, bool in_y, const std::string& what) {
      compare(
          [&](const Backend& b, MapF to, Context& ctx) {
            b.conv2d(x, &b == backend_.get() ? *mine : *reference, with_residual(e, in_y, to), to,
                     ctx);
          },
          y, 90 / groups, what + ", groups " + std::to_string(groups));
    });
  }
}

using NormOperator = void (Backend::*)(CMapF, const NormParams&, MapF, Context&) const;
const struct {
  const char* name;
  NormOperator run;
} kNorms[] = {{"layer_norm", &Backend::layer_norm},
              {"group_norm", &Backend::group_norm},
              {"grn", &Backend::grn}};

TEST_P(Operators, NormsAgreeWithAndWithoutWeights) {
  for (const auto& norm : kNorms) {
    for (const int c : {1, 5, 32, 97, 384}) {
      // One channel is its own mean: its norm is 0 / sqrt(eps), in which rounding is everything.
      if (c == 1 && norm.run == &Backend::layer_norm) continue;
      for (int parts = 0; parts < 4; ++parts) {
        const std::vector<float> weight = random_floats(c, 1), bias = random_floats(c, 2);
        const NormParams params{parts & 1 ? weight.data() : nullptr,
                                parts & 2 ? bias.data() : nullptr, 1e-5f};
        for (const int gap : {0, 3}) {
          const TestMap x(2, 7, 5, c, gap, 3), y(2, 7, 5, c, 2 * gap, 4);
          compare(
              [&](const Backend& b, MapF to, Context& ctx) { (b.*norm.run)(x, params, to, ctx); },
              y, c, std::string(norm.name) + " of " + std::to_string(c) + " channels");
        }
      }
    }
  }
}

TEST_P(Operators, NormsWorkInPlace) {
  for (const auto& norm : kNorms) {
    const std::vector<float> weight = random_floats(40, 1), bias = random_floats(40, 2);
    const NormParams params{weight.data(), bias.data(), 1e-6f};
    for (const int gap : {0, 1}) {
      compare([&](const Backend& b, MapF to, Context& ctx) { (b.*norm.run)(to, params, to, ctx); },
              TestMap(2, 3, 3, 40, gap, 3), 40, norm.name);
    }
  }
}

TEST_P(Operators, NormsSurviveAMeanFarFromZero) {
  for (const NormOperator run : {&Backend::layer_norm, &Backend::group_norm}) {
    const TestMap x(2, 3, 3, 64, 0, 3), y(2, 3, 3, 64, 0);
    for (std::ptrdiff_t r = 0; r < x.map().rows(); ++r) {
      for (int c = 0; c < 64; ++c) x.map().row(r)[c] += 1000.0f;
    }
    // The mean itself is rounded to 1000 * 2^-24: that is what a two-pass norm may lose.
    compare([&](const Backend& b, MapF to, Context& ctx) { (b.*run)(x, {}, to, ctx); }, y,
            1000 * 1000, "mean 1000");
  }
}

TEST_P(Operators, ApplyAgreesForEveryEpilogue) {
  for (const int c : {1, 37, 300}) {
    const TestMap x(1, 3, 4, c, 1, 2), y(1, 3, 4, c, 2, 3), apart(1, 3, 4, c, 3, 4);
    Epilogues(c, 5).for_each(apart, [&](const Epilogue& e, bool in_y, const std::string& what) {
      compare([&](const Backend& b, MapF to,
                  Context& ctx) { b.apply(x, with_residual(e, in_y, to), to, ctx); },
              y, 16, what);
      compare([&](const Backend& b, MapF to,
                  Context& ctx) { b.apply(to, with_residual(e, in_y, to), to, ctx); },
              y, 16, what + ", in place");
    });
  }
}

TEST_P(Operators, ActivationsAreAccurateInTheirTails) {
  for (const Activation& act : kActivations) {
    TestMap x(1, 1, 1, 401, 0), y(1, 1, 1, 401, 0);
    for (int i = 0; i <= 400; ++i) x.map().data[i] = static_cast<float>(i - 200) * 0.5f;
    Context ctx(1);
    Epilogue e;
    e.act = act;
    backend_->apply(x, e, y, ctx);
    const TestMap wanted(y);
    reference_->apply(x, e, wanted, ctx);
    for (int i = 0; i <= 400; ++i) {
      const float in = x.map().data[i], want = wanted.map().data[i];
      EXPECT_NEAR(y.map().data[i], want,
                  test::rounding_error(16, std::max({1.0f, std::abs(in), std::abs(want)})))
          << "activation " << static_cast<int>(act.kind) << " of " << in;
    }
  }
}

TEST_P(Operators, MultiplyAgreesAndWorksInPlace) {
  const TestMap a(2, 3, 3, 21, 1, 1), b(2, 3, 3, 21, 2, 2), y(2, 3, 3, 21, 3, 3);
  const auto of = [&](const CMapF& left, const CMapF& right) {
    return [=](const Backend& k, MapF to, Context& ctx) {
      k.multiply(left.empty() ? CMapF(to) : left, right.empty() ? CMapF(to) : right, to, ctx);
    };
  };
  compare(of(a, b), y, 1, "apart");
  compare(of({}, b), y, 1, "a is y");
  compare(of(a, {}), y, 1, "b is y");
}

TEST_P(Operators, SoftmaxAgrees) {
  for (const int c : {1, 2, 49, 197, 1000}) {
    for (const int gap : {0, 1}) {
      const TestMap x(1, 1, 9, c, gap, 1), y(1, 1, 9, c, 2 * gap, 2);
      for (std::ptrdiff_t r = 0; r < 9; ++r) {  // up to e^-80 between the smallest and largest
        for (int j = 0; j < c; ++j) x.map().row(r)[j] *= 5.0f * static_cast<float>(r);
      }
      const std::string what = std::to_string(c) + " channels, gap " + std::to_string(gap);
      compare([&](const Backend& b, MapF to, Context& ctx) { b.softmax(x, to, ctx); }, y, 64, what);
      compare([&](const Backend& b, MapF to, Context& ctx) { b.softmax(to, to, ctx); }, x, 64,
              what + ", in place");
    }
  }
}

TEST_P(Operators, SoftmaxTakesLargeScores) {
  const TestMap x(1, 1, 1, 5, 0), y(1, 1, 1, 5, 0);
  const float scores[] = {1000.0f, -1000.0f, 999.0f, 0.0f, 1000.0f};
  std::copy_n(scores, 5, x.map().data);
  compare([&](const Backend& b, MapF to, Context& ctx) { b.softmax(x, to, ctx); }, y, 64, "1000");
}

TEST_P(Operators, Pool2dAgrees) {
  using Pool = Pool2dSpec::Kind;
  Pool2dSpec uneven{Pool::average, 2, 5, 3, 2, 1, 2, true};
  std::vector<Pool2dSpec> specs{uneven};
  for (const Pool kind : {Pool::average, Pool::max}) {
    for (const bool include : {true, false}) {
      specs.push_back(Pool2dSpec::square(kind, 3, 1, 1, include));
      specs.push_back(Pool2dSpec::square(kind, 3, 2, 1, include));
      specs.push_back(Pool2dSpec::square(kind, 2, 2, 0, include));
      specs.push_back(Pool2dSpec::square(kind, 7, 1, 3, include));
    }
  }
  for (const Pool2dSpec& s : specs) {
    for (const int c : {1, 13, 64}) {
      const TestMap x(2, 8, 6, c, 1, 1);
      const TestMap y(2, conv_out_size(8, s.kernel_h, s.stride_h, s.pad_h),
                      conv_out_size(6, s.kernel_w, s.stride_w, s.pad_w), c, 2, 2);
      compare([&](const Backend& b, MapF to, Context& ctx) { b.pool2d(x, s, to, ctx); }, y,
              s.kernel_h * s.kernel_w, "kernel " + std::to_string(s.kernel_h));
    }
  }
}

TEST_P(Operators, GlobalAverageAgrees) {
  for (const int c : {1, 63, 65, 200}) {
    const TestMap x(3, 7, 6, c, 1, 1), y(3, 1, 1, c, 2, 2);
    compare([&](const Backend& b, MapF to, Context& ctx) { b.global_average(x, to, ctx); }, y, 42,
            std::to_string(c) + " channels");
  }
}

TEST_P(Operators, PatchMergeAgreesForOddSizes) {
  for (const int h : {1, 4, 5}) {
    for (const int w : {2, 3}) {
      const TestMap x(2, h, w, 9, 1, 1), y(2, (h + 1) / 2, (w + 1) / 2, 36, 2, 2);
      compare([&](const Backend& b, MapF to, Context& ctx) { b.patch_merge(x, to, ctx); }, y, 1,
              shape_string(x.map()));
    }
  }
}

TEST_P(Operators, AttentionAgrees) {
  const struct {
    int n, lq, lk, heads, d;
    bool bias;
  } cases[] = {{1, 1, 1, 1, 1, false},   {2, 9, 9, 2, 8, false},   {1, 5, 12, 3, 7, true},
               {2, 1, 17, 2, 32, false}, {1, 70, 70, 2, 33, true}, {1, 197, 197, 1, 64, false}};
  for (const auto& s : cases) {
    const int c = s.heads * s.d;
    const TestMap q(s.n, 1, s.lq, c, 1, 1), k(s.n, 1, s.lk, c, 2, 2), v(s.n, 1, s.lk, c, 3, 3);
    const TestMap y(s.n, 1, s.lq, c, 1, 4);
    const std::vector<float> bias =
        random_floats(static_cast<std::size_t>(s.heads) * s.lq * s.lk, 5);
    const AttentionSpec spec{s.heads, 1.7f, s.bias ? bias.data() : nullptr};
    compare([&](const Backend& b, MapF to, Context& ctx) { b.attention(q, k, v, spec, to, ctx); },
            y, s.d + s.lk, std::to_string(s.lq) + " queries, " + std::to_string(s.lk) + " keys");
  }
}

TEST_P(Operators, AttentionReadsARangeOfOnePackedMapAndTakesImages) {
  const int c = 30;
  const TestMap qkv(2, 4, 3, 3 * c, 2, 1), y(2, 4, 3, c, 1, 2);
  const MapF m = qkv;
  compare(
      [&](const Backend& b, MapF to, Context& ctx) {
        b.attention(m.channels(0, c), m.channels(c, c), m.channels(2 * c, c), {5, 0.4f}, to, ctx);
      },
      y, 18, "packed");
}

struct WindowCase {
  int n, h, w, c, heads, window_h, window_w, shift_h, shift_w;
};

TEST_P(Operators, WindowAttentionAgrees) {
  const WindowCase cases[] = {
      {1, 4, 4, 8, 2, 4, 4, 0, 0},    {2, 8, 8, 12, 3, 4, 4, 2, 2}, {1, 7, 7, 10, 2, 7, 7, 0, 0},
      {1, 14, 14, 64, 2, 7, 7, 3, 3}, {2, 9, 5, 6, 2, 4, 4, 2, 2},  {1, 5, 11, 14, 2, 3, 4, 1, 3},
      {1, 6, 9, 15, 5, 2, 9, 0, 4},   {1, 2, 3, 7, 1, 4, 5, 3, 2},  {1, 16, 16, 33, 3, 8, 8, 4, 0},
  };
  for (const WindowCase& s : cases) {
    const TestMap qkv(s.n, s.h, s.w, 3 * s.c, 1, 1), y(s.n, s.h, s.w, s.c, 2, 2);
    const int area = s.window_h * s.window_w;
    const std::vector<float> bias =
        random_floats(static_cast<std::size_t>(s.heads) * area * area, 3);
    const std::vector<float> pad = random_floats(3 * s.c, 4),
                             head_scale = random_floats(s.heads, 5);
    for (int parts = 0; parts < 16; ++parts) {
      WindowSpec spec;
      spec.heads = s.heads;
      spec.window_h = s.window_h;
      spec.window_w = s.window_w;
      spec.shift_h = s.shift_h;
      spec.shift_w = s.shift_w;
      spec.scale = 1.3f;
      if (parts & 1) spec.bias = bias.data();
      if (parts & 2) spec.pad_qkv = pad.data();
      if (parts & 4) spec.head_scale = head_scale.data();
      spec.cosine = (parts & 8) != 0;
      spec.mask_value = parts & 1 ? -100.0f : -1.5f;  // a small one would show a wrong region
      compare(
          [&](const Backend& b, MapF to, Context& ctx) { b.window_attention(qkv, spec, to, ctx); },
          y, s.c / s.heads + area,
          shape_string(y.map()) + ", window " + std::to_string(s.window_h) + " x " +
              std::to_string(s.window_w) + ", parts " + std::to_string(parts));
    }
  }
}

TEST_P(Operators, CosineAttentionOfZeroVectorsIsFinite) {
  const TestMap qkv(1, 2, 2, 12, 0, 1), y(1, 2, 2, 4, 0, 2);
  std::fill_n(qkv.map().data, 12, 0.0f);
  WindowSpec spec;
  spec.window_h = spec.window_w = 2;
  spec.cosine = true;
  compare([&](const Backend& b, MapF to, Context& ctx) { b.window_attention(qkv, spec, to, ctx); },
          y, 8, "zeros");
}

TEST_P(Operators, MlpAgrees) {
  for (const int rows : {1, 100, 600}) {  // within, and across blocks
    const Tensor w1 = random_tensor({44, 11}, 1), w2 = random_tensor({13, 44}, 2);
    const PackedPtr mine1 = backend_->pack_linear(w1), mine2 = backend_->pack_linear(w2);
    const PackedPtr reference1 = reference_->pack_linear(w1);
    const PackedPtr reference2 = reference_->pack_linear(w2);
    const TestMap x(1, 1, rows, 11, 1, 3), y(1, 1, rows, 13, 2, 4);
    const Epilogues first(44, 5), second(13, 6);
    Epilogue e1, e2;
    e1.bias = first.bias.data();
    e1.act = Kind::gelu;
    e2.bias = second.bias.data();
    e2.scale = second.scale.data();
    for (const bool residual : {false, true}) {
      compare(
          [&](const Backend& b, MapF to, Context& ctx) {
            const bool tested = &b == backend_.get();
            b.mlp(x, tested ? *mine1 : *reference1, e1, tested ? *mine2 : *reference2,
                  with_residual(e2, residual, to), to, ctx);
          },
          y, 11 + 44, std::to_string(rows) + " rows");
    }
  }
}

TEST_P(Operators, PoolingAgrees) {
  for (const int k : {1, 3, 5}) {
    const TestMap x(2, 4, 7, 19, 1, 1), y(2, 4, 7, 19, 2, 2), apart(2, 4, 7, 19, 3, 3);
    const Epilogues epilogues(19, 4);
    Epilogue e;
    e.scale = epilogues.scale.data();
    e.residual = apart;
    for (const bool in_y : {false, true}) {
      compare([&](const Backend& b, MapF to,
                  Context& ctx) { b.pooling(x, k, with_residual(e, in_y, to), to, ctx); },
              y, k * k, "k " + std::to_string(k));
    }
    if (k > 1) {
      compare([&](const Backend& b, MapF to, Context& ctx) { b.pooling(x, k, {}, to, ctx); }, y,
              k * k, "no epilogue, k " + std::to_string(k));
    }
  }
}

TEST_P(Operators, WorkspaceDoesNotGrowAfterTheFirstCall) {
  const TestMap qkv(1, 9, 9, 48, 0, 1), y(1, 9, 9, 16, 0, 2);
  WindowSpec spec;
  spec.window_h = spec.window_w = 4;
  const Tensor w = random_tensor({16, 16, 3, 3}, 3);
  const PackedPtr conv = backend_->pack_conv2d(w, Conv2dSpec::square(1, 1));
  std::size_t capacity = 0;
  for (int i = 0; i < 3; ++i) {
    const Workspace::Scope scope(context_.workspace());
    const MapF t = context_.workspace().map_like(y);
    backend_->window_attention(qkv, spec, t, context_);
    backend_->conv2d(t, *conv, {}, y, context_);
    if (i == 1) capacity = context_.workspace().capacity();
  }
  EXPECT_EQ(context_.workspace().capacity(), capacity);
}

}  // namespace
}  // namespace fovea
