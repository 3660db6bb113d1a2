// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/rep_norm.h"

#include <functional>

#include "tests/nn/blocks.h"

namespace fovea::nn {
namespace {

using test::block_bound;
using test::ListedSource;
using test::TestMap;

constexpr int kWidth = 5, kOut = 3;

double number(const ListedSource& source, const std::string& name, int i) {
  return source.load(name).to_floats()[static_cast<std::size_t>(i)];
}

// The reference's formula, y = batch_norm(x) + alpha x, for a norm below `path`.
double normalised(const ListedSource& source, const std::string& path, double x, int c) {
  const auto bn = [&](const char* name) { return number(source, path + "bn." + name, c); };
  return (x - bn("running_mean")) / std::sqrt(bn("running_var") + 1e-5) * bn("weight") +
         bn("bias") + number(source, path + "alpha", 0) * x;
}

// Runs run(block, y) on every backend and compares y with wanted(row, channel), in double.
template <class Build, class Run, class Wanted>
void expect_formula(const Build& build, const ListedSource& source, const Run& run,
                    const TestMap& y, int terms, const Wanted& wanted) {
  std::vector<float> exact;
  for (int r = 0; r < y.map().rows(); ++r) {
    for (int c = 0; c < y.map().c; ++c) exact.push_back(static_cast<float>(wanted(r, c)));
  }
  for (const std::string_view name : backend_names()) {
    const auto backend = make_backend(name);
    const auto block = test::build_with(build, source, *backend);
    Context ctx(1);
    run(block, ctx);
    const std::vector<float> found = test::dense(y);
    EXPECT_LE(
        test::relative_l2(found.data(), exact.data(), static_cast<std::ptrdiff_t>(exact.size())),
        block_bound(2, terms))
        << name;
  }
}

TEST(RepNorm, IsABatchNormAndAShareOfItsInputInBothForms) {
  for (const RepNormForm form : {RepNormForm::plain, RepNormForm::linear}) {
    const auto build = [&](const Params& p) { return RepNorm(p, kWidth, form); };
    const ListedSource source = test::weights_for(build);
    const std::string path = form == RepNormForm::linear ? "norm2." : "";
    EXPECT_EQ(source.names().size(), form == RepNormForm::linear ? 7u : 5u);
    const TestMap x(2, 3, 4, kWidth, 2, 1), y(2, 3, 4, kWidth, 1, 2);
    expect_formula(
        build, source, [&](const RepNorm& block, Context& ctx) { block.forward(x, y, ctx); }, y, 2,
        [&](int r, int c) { return normalised(source, path, x.map().row(r)[c], c); });
  }
}

TEST(RepNorm, FoldsIntoTheLinearLayerAfterIt) {
  for (const bool bias : {true, false}) {
    const auto build = [&](const Params& p) {
      return fold_before(p / "fc", rep_norm(p / "norm", kWidth, RepNormForm::plain), kWidth, kOut,
                         bias);
    };
    const ListedSource source = test::weights_for(build);
    const TestMap x(1, 2, 4, kWidth, 2, 1), y(1, 2, 4, kOut, 1, 2);
    expect_formula(
        build, source, [&](const Linear& block, Context& ctx) { block.forward(x, y, ctx); }, y,
        2 * kWidth,
        [&](int r, int o) {
          double sum = bias ? number(source, "fc.bias", o) : 0.0;
          for (int c = 0; c < kWidth; ++c) {
            sum += number(source, "fc.weight", o * kWidth + c) *
                   normalised(source, "norm.", x.map().row(r)[c], c);
          }
          return sum;
        });
  }
}

// A convolution of 2 x 2 pixels, stride 2, of one such square: a sum over its rows and channels.
double convolved(const ListedSource& source, int o, const std::function<double(int, int)>& x) {
  double sum = number(source, "sr.bias", o);
  for (int c = 0; c < kWidth; ++c) {
    for (int t = 0; t < 4; ++t) {
      sum += number(source, "sr.weight", (o * kWidth + c) * 4 + t) * x(t, c);
    }
  }
  return sum;
}

TEST(RepNorm, FoldsIntoTheConvolutionAfterIt) {
  const auto build = [&](const Params& p) {
    return fold_before(p / "sr", rep_norm(p / "norm", kWidth, RepNormForm::plain), kWidth, kOut, 2,
                       2);
  };
  const ListedSource source = test::weights_for(build);
  const TestMap x(3, 2, 2, kWidth, 2, 1), y(3, 1, 1, kOut, 1, 2);
  expect_formula(
      build, source, [&](const Conv2d& block, Context& ctx) { block.forward(x, y, ctx); }, y,
      8 * kWidth,
      [&](int n, int o) {
        return convolved(source, o, [&](int t, int c) {
          return normalised(source, "norm.", x.map().row(n * 4 + t)[c], c);
        });
      });
}

TEST(RepNorm, FoldsIntoTheConvolutionBeforeIt) {
  const auto build = [&](const Params& p) {
    return fold_after(p / "sr", rep_norm(p / "norm", kOut, RepNormForm::plain), kWidth, kOut, 2, 2);
  };
  const ListedSource source = test::weights_for(build);
  const TestMap x(3, 2, 2, kWidth, 2, 1), y(3, 1, 1, kOut, 1, 2);
  expect_formula(
      build, source, [&](const Conv2d& block, Context& ctx) { block.forward(x, y, ctx); }, y,
      8 * kWidth,
      [&](int n, int o) {
        const double plain =
            convolved(source, o, [&](int t, int c) { return double{x.map().row(n * 4 + t)[c]}; });
        return normalised(source, "norm.", plain, o);
      });
}

}  // namespace
}  // namespace fovea::nn
