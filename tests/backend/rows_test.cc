// SPDX-License-Identifier: Apache-2.0
// Operators on rows and single elements.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "tests/backend/operators.h"

namespace fovea::test {
namespace {

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
                  rounding_error(16, std::max({1.0f, std::abs(in), std::abs(want)})))
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

}  // namespace
}  // namespace fovea::test
