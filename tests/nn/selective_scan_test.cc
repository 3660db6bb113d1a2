// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/selective_scan.h"

#include <cmath>

#include "tests/expect_error.h"
#include "tests/nn/blocks.h"

namespace fovea::nn {
namespace {

using test::block_bound;
using test::expect_backends_agree;
using test::ListedSource;
using test::TestMap;
using Order = std::vector<int>;
using Along = ScanWalk::Along;

// Tokens of a map of 2 lines and 3 columns, in the orders of the papers' figures.
const Order kRows = {0, 1, 2, 3, 4, 5}, kRowsBack = {5, 4, 3, 2, 1, 0};
const Order kColumns = {0, 3, 1, 4, 2, 5}, kColumnsBack = {5, 2, 4, 1, 3, 0};
const Order kSnake = {0, 1, 2, 5, 4, 3}, kSnakeBack = {3, 4, 5, 2, 1, 0};
const Order kSnakeDown = {0, 3, 4, 1, 2, 5}, kSnakeDownBack = {5, 2, 1, 4, 3, 0};

// A tensor as numbers with its place in a stack of sets.
struct Stack {
  Stack(const ListedSource& source, const std::string& name, int set, std::size_t size)
      : values(source.load(name).to_floats()), first(static_cast<std::size_t>(set) * size) {}
  double operator[](int i) const { return values[first + static_cast<std::size_t>(i)]; }
  FloatBuffer values;
  std::size_t first;
};

// One scan of one image, step by step in double.
struct Formula {
  Formula(const ListedSource& s, bool shared, int set, ScanShape shape_)
      : shape(shape_),
        x_proj(s, shared ? "x_proj.weight" : "x_proj_weight", set,
               size(columns() * shape.channels)),
        dt_weight(s, shared ? "dt_proj.weight" : "dt_projs_weight", set,
                  size(shape.channels * shape.rank)),
        dt_bias(s, shared ? "dt_proj.bias" : "dt_projs_bias", set, size(shape.channels)),
        a_log(s, shared ? "A_log" : "A_logs", set, size(shape.channels * shape.state)),
        d(s, shared ? "D" : "Ds", set, size(shape.channels)) {}

  static std::size_t size(int n) { return static_cast<std::size_t>(n); }
  int columns() const { return shape.rank + 2 * shape.state; }
  double projected(CMapF u, int token, int column) const {
    double sum = 0;
    for (int c = 0; c < shape.channels; ++c) {
      sum += x_proj[column * shape.channels + c] * u.row(token)[c];
    }
    return sum;
  }

  // y += the scan of u along `order`; parameters of step t from token at[t]; directions per step.
  void add(CMapF u, const Order& order, const Order& at, const std::vector<double>& extra_b,
           double bias_factor, std::vector<double>& y) const {
    const int channels = shape.channels, n = shape.state;
    std::vector<double> h(size(channels * n));
    for (int t = 0; t < static_cast<int>(order.size()); ++t) {
      const int token = order[size(t)], from = at[size(t)];
      for (int c = 0; c < channels; ++c) {
        double raw = bias_factor * dt_bias[c];
        for (int j = 0; j < shape.rank; ++j) {
          raw += dt_weight[c * shape.rank + j] * projected(u, from, j);
        }
        const double dt = std::log1p(std::exp(raw)), in = u.row(token)[c];
        double out = d[c] * in;
        for (int s = 0; s < n; ++s) {
          double b = projected(u, from, shape.rank + s);
          if (!extra_b.empty()) b += extra_b[size(t * n + s)];
          double& state = h[size(c * n + s)];
          state = std::exp(-std::exp(a_log[c * n + s]) * dt) * state + dt * b * in;
          out += projected(u, from, shape.rank + n + s) * state;
        }
        y[size(token * channels + c)] += out;
      }
    }
  }

  ScanShape shape;
  Stack x_proj, dt_weight, dt_bias, a_log, d;
};

void expect_values(CMapF found, const std::vector<double>& wanted, double bound) {
  double difference = 0, norm = 0;
  for (std::ptrdiff_t i = 0; i < found.rows() * found.c; ++i) {
    const double w = wanted[static_cast<std::size_t>(i)];
    const double e = found.row(i / found.c)[i % found.c] - w;
    difference += e * e;
    norm += w * w;
  }
  EXPECT_LE(std::sqrt(difference / norm), bound);
}

constexpr ScanShape kShape = {.channels = 4, .state = 2, .rank = 3};

TEST(SelectiveScan, IsTheRecurrenceAlongEveryWalkOfVMamba) {
  const auto build = [](const Params& p) {
    return SelectiveScan(p, kShape, ScanTensors::stacked(p, kShape, 4), 0, cross_walks());
  };
  const ListedSource source = test::weights_for(build);
  const TestMap u(1, 2, 3, 4, 1, 7);
  std::vector<double> wanted(6 * 4);
  const Order* const orders[] = {&kRows, &kColumns, &kRowsBack, &kColumnsBack};
  for (int k = 0; k < 4; ++k) {
    Formula(source, false, k, kShape).add(u, *orders[k], *orders[k], {}, 1, wanted);
  }
  for (const std::string_view name : backend_names()) {
    const auto backend = make_backend(name);
    const TestMap y(1, 2, 3, 4, 0);
    Context ctx(1);
    test::build_with(build, source, *backend).forward(u, y, ctx);
    expect_values(y.map(), wanted, block_bound(4, 8));
  }
}

// The state is not reset between walks of one sequence, and sets may start anywhere in the stack.
TEST(SelectiveScan, ASequenceOfWalksIsOneScan) {
  const auto build = [](const Params& p) {
    return SelectiveScan(p, kShape, ScanTensors::stacked(p, kShape, 3), 2,
                         {{{Along::rows, true}, {Along::columns, false}, {Along::columns, true}}});
  };
  const ListedSource source = test::weights_for(build);
  const TestMap u(1, 2, 3, 4, 0, 8);
  Order order = kRowsBack;
  order.insert(order.end(), kColumns.begin(), kColumns.end());
  order.insert(order.end(), kColumnsBack.begin(), kColumnsBack.end());
  std::vector<double> wanted(6 * 4);
  Formula(source, false, 2, kShape).add(u, order, order, {}, 1, wanted);
  const auto backend = make_backend("native");
  const TestMap y(1, 2, 3, 4, 0);
  Context ctx(1);
  test::build_with(build, source, *backend).forward(u, y, ctx);
  expect_values(y.map(), wanted, block_bound(4, 8));
}

TEST(SelectiveScan, HasTheQuirksOfPlainMamba) {
  const auto build = [](const Params& p) {
    return SelectiveScan(p, kShape, ScanTensors::single(p, kShape), 0, snake_walks(), true,
                         {.by_step = true, .direction_b = true, .dt_bias_twice = true});
  };
  const ListedSource source = test::weights_for(build);
  const TestMap u(2, 2, 3, 4, 0, 9);
  const Stack directions(source, "direction_Bs", 0, 0);
  enum { start, right, left, up, down };
  const std::pair<Order, Order> scans[] = {
      {kSnake, {start, right, right, down, left, left}},
      {kSnakeBack, {start, right, right, up, left, left}},
      {kSnakeDown, {start, down, right, up, right, down}},
      {kSnakeDownBack, {start, up, left, down, left, up}},
  };
  std::vector<double> wanted;
  for (int image = 0; image < 2; ++image) {
    std::vector<double> of_image(6 * 4);
    for (const auto& [order, moves] : scans) {
      std::vector<double> extra;
      for (const int move : moves) {
        for (int s = 0; s < 2; ++s) extra.push_back(directions[move * 2 + s]);
      }
      Formula(source, true, 0, kShape).add(u.map().image(image), order, kRows, extra, 2, of_image);
    }
    wanted.insert(wanted.end(), of_image.begin(), of_image.end());
  }
  const auto backend = make_backend("native");
  const TestMap y(2, 2, 3, 4, 0);
  Context ctx(1);
  test::build_with(build, source, *backend).forward(u, y, ctx);
  expect_values(y.map(), wanted, block_bound(4, 8));
}

TEST(SelectiveScan, RefusesMoreSequencesThanItHasRoomFor) {
  const auto backend = make_backend("reference");
  ParamLog log;
  const Params p = Params(nullptr, *backend, log) / "op";
  const std::vector<ScanSequence> many(9, ScanSequence{{Along::rows, false}});
  const ScanTensors tensors = ScanTensors::stacked(p, kShape, 9);
  expect_error([&] { SelectiveScan(p, kShape, tensors, 0, many); }, Error::Kind::argument,
               "selective scan \"op\": wanted 1 to 8 sequences, found 9");
}

void expect_block_agrees(const SelectiveScanOptions& options) {
  const auto build = [&](const Params& p) { return SelectiveScan2d(p, 12, options); };
  struct Size {
    int n, h, w;
  };
  for (const Size s : {Size{1, 1, 1}, Size{2, 5, 4}, Size{1, 3, 7}}) {
    const TestMap x(s.n, s.h, s.w, 12, 3, 1);
    expect_backends_agree(
        build,
        [&](const SelectiveScan2d& block, MapF y, Context& ctx) {
          block.forward(x, y, ctx, {.residual = y});
        },
        TestMap(s.n, s.h, s.w, 12, 0, 2), block_bound(10, 49 + s.h * s.w));
  }
}

TEST(SelectiveScan2d, BackendsAgreeForEveryForm) {
  expect_block_agrees({});
  expect_block_agrees({.inner = 10, .state = 3, .rank = 2, .bias = true, .kernel = 5});
  expect_block_agrees({.kernel = 0, .norm = ScanNormKind::sigmoid, .gate = false});
  expect_block_agrees({.norm = ScanNormKind::layer_and_conv,
                       .squeeze = 8,
                       .out_act = Activation::Kind::gelu,
                       .gate_act = Activation::Kind::none});
  expect_block_agrees({.norm = ScanNormKind::conv, .gate = false});
  expect_block_agrees({.sequences = snake_walks(),
                       .shared = true,
                       .quirks = {.by_step = true, .direction_b = true, .dt_bias_twice = true},
                       .norm = ScanNormKind::none});
}

SelectiveScanOptions multi_scale(bool norm_each, ScanNormKind norm) {
  SelectiveScanOptions o;
  o.state = 2;
  o.sequences = {{{Along::rows, false}}};
  o.coarse =
      CoarseScan{.sequence = {{Along::rows, true}, {Along::columns, false}, {Along::columns, true}},
                 .set = norm_each ? 0 : 1,
                 .norm_each = norm_each,
                 .enlarge = norm_each ? Interpolation::bilinear : Interpolation::nearest};
  o.norm = norm;
  return o;
}

TEST(SelectiveScan2d, BackendsAgreeOnTwoScales) {
  expect_block_agrees(multi_scale(true, ScanNormKind::layer));
  expect_block_agrees(multi_scale(false, ScanNormKind::layer));
}

// Without a norm it does not matter whether steps are added up before or after.
TEST(SelectiveScan2d, TheStepsOfACoarseScanAddUpToIts) {
  std::vector<std::vector<float>> results;
  const TestMap x(2, 5, 6, 12, 0, 3);
  const auto backend = make_backend("reference");
  ListedSource source;
  for (const bool norm_each : {false, true}) {
    SelectiveScanOptions o = multi_scale(norm_each, ScanNormKind::none);
    o.coarse->set = 1;
    o.coarse->enlarge = Interpolation::nearest;
    const auto build = [&](const Params& p) { return SelectiveScan2d(p, 12, o); };
    if (!norm_each) source = test::weights_for(build);
    const TestMap y(2, 5, 6, 12, 0);
    Context ctx(1);
    test::build_with(build, source, *backend).forward(x, y, ctx, {});
    results.push_back(test::dense(y));
  }
  EXPECT_LE(test::relative_l2(results[1].data(), results[0].data(),
                              static_cast<std::ptrdiff_t>(results[0].size())),
            block_bound(4, 12));
}

}  // namespace
}  // namespace fovea::nn
