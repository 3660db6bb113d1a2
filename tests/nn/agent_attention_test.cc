// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/agent_attention.h"

#include <functional>

#include "fovea/nn/reduced_attention.h"
#include "tests/expect_error.h"
#include "tests/nn/blocks.h"

namespace fovea::nn {
namespace {

using test::block_bound;
using test::expect_backends_agree;
using test::ListedSource;
using test::TestMap;

constexpr int kWidth = 6;
constexpr AgentOptions kMap = {.heads = 2, .agents = 4, .h = 5, .w = 9};
constexpr AgentOptions kReduced = {.heads = 3, .agents = 9, .h = 6, .w = 4, .reduction = 2};
constexpr AgentOptions kToken = {.heads = 2, .agents = 4, .h = 3, .w = 8, .class_token = true};

using Values = std::vector<double>;

// The formulas of the header, one number at a time.
class Formula {
 public:
  Formula(const ListedSource& source, const AgentOptions& o) : source_(source), o_(o) {}

  // One image: tokens of kWidth channels each.
  Values operator()(const Values& q, const Values& k, const Values& v) const {
    const int side = static_cast<int>(std::sqrt(o_.agents));
    Values agents;
    for (int i = 0; i < o_.agents; ++i) {
      for (int c = 0; c < kWidth; ++c) agents.push_back(pooled(q, side, i / side, i % side, c));
    }
    const Values values = attend(agents, k, v, [&](int head, int agent, int key) {
      return bias(head, agent, key, o_.h / o_.reduction, o_.w / o_.reduction, /*keys=*/true);
    });
    Values y = attend(q, agents, values, [&](int head, int query, int agent) {
      return bias(head, agent, query, o_.h, o_.w, /*keys=*/false);
    });
    for (int i = 0; i < o_.h * o_.w; ++i) {
      for (int c = 0; c < kWidth; ++c) {
        y[at(i + first(), c)] += convolved(v, i / o_.w, i % o_.w, c);
      }
    }
    return y;
  }

 private:
  static std::size_t at(int token, int c) { return static_cast<std::size_t>(token * kWidth + c); }
  int first() const { return o_.class_token ? 1 : 0; }
  double value(const std::string& name, int index) const {
    return source_.load(name).to_floats()[static_cast<std::size_t>(index)];
  }

  double pooled(const Values& q, int side, int row, int column, int c) const {
    double sum = 0;
    int count = 0;
    for (int y = row * o_.h / side; y < ((row + 1) * o_.h + side - 1) / side; ++y) {
      for (int x = column * o_.w / side; x < ((column + 1) * o_.w + side - 1) / side; ++x) {
        sum += q[at(first() + y * o_.w + x, c)];
        ++count;
      }
    }
    return sum / count;
  }

  // A (h, w) grid's value at a point between its own, which it continues beyond its edges.
  static double sampled(const std::function<double(int, int)>& grid, int h, int w, double y,
                        double x) {
    y = std::clamp(y, 0.0, h - 1.0);
    x = std::clamp(x, 0.0, w - 1.0);
    double sum = 0;
    for (int i = 0; i < h; ++i) {
      for (int j = 0; j < w; ++j) {
        sum += std::max(0.0, 1 - std::abs(i - y)) * std::max(0.0, 1 - std::abs(j - x)) * grid(i, j);
      }
    }
    return sum;
  }

  double bias(int head, int agent, int token, int h, int w, bool keys) const {
    const int pair = head * o_.agents + agent;
    if (token < first()) return value(keys ? "ac_bias" : "ca_bias", pair);
    const int y = (token - first()) / w, x = (token - first()) % w;
    const double learned = sampled(
        [&](int i, int j) { return value(keys ? "an_bias" : "na_bias", pair * 49 + i * 7 + j); }, 7,
        7, (y + 0.5) * 7 / h - 0.5, (x + 0.5) * 7 / w - 0.5);
    if (keys) return learned + value("ah_bias", pair * h + y) + value("aw_bias", pair * w + x);
    return learned + value("ha_bias", (head * h + y) * o_.agents + agent) +
           value("wa_bias", (head * w + x) * o_.agents + agent);
  }

  template <class Bias>
  Values attend(const Values& q, const Values& k, const Values& v, const Bias& bias) const {
    const int dim = kWidth / o_.heads;
    const int queries = static_cast<int>(q.size()) / kWidth;
    const int keys = static_cast<int>(k.size()) / kWidth;
    Values y(q.size(), 0.0);
    for (int head = 0; head < o_.heads; ++head) {
      for (int i = 0; i < queries; ++i) {
        double total = 0;
        for (int j = 0; j < keys; ++j) {
          double score = 0;
          for (int c = head * dim; c < (head + 1) * dim; ++c) score += q[at(i, c)] * k[at(j, c)];
          const double weight = std::exp(score / std::sqrt(dim) + bias(head, i, j));
          total += weight;
          for (int c = head * dim; c < (head + 1) * dim; ++c) y[at(i, c)] += weight * v[at(j, c)];
        }
        for (int c = head * dim; c < (head + 1) * dim; ++c) y[at(i, c)] /= total;
      }
    }
    return y;
  }

  double convolved(const Values& v, int row, int column, int c) const {
    const int h = o_.h / o_.reduction, w = o_.w / o_.reduction;
    double sum = value("dwc.bias", c);
    for (int i = 0; i < 9; ++i) {
      const int y = row + i / 3 - 1, x = column + i % 3 - 1;
      if (y < 0 || y >= o_.h || x < 0 || x >= o_.w) continue;
      sum += value("dwc.weight", c * 9 + i) *
             sampled([&](int a, int b) { return v[at(first() + a * w + b, c)]; }, h, w,
                     (y + 0.5) / o_.reduction - 0.5, (x + 0.5) / o_.reduction - 0.5);
    }
    return sum;
  }

  const ListedSource& source_;
  AgentOptions o_;
};

Values values_of(CMapF m) {
  const std::vector<float> values = test::dense(m);
  return Values(values.begin(), values.end());
}

TEST(AgentMixing, IsTheFormulaOnEveryBackend) {
  for (const AgentOptions& o : {kMap, kReduced, kToken}) {
    const int extra = o.class_token ? 1 : 0;
    const auto map = [&](int h, int w, std::uint64_t seed) {
      return o.class_token ? TestMap(2, 1, 1 + h * w, kWidth, 2, seed)
                           : TestMap(2, h, w, kWidth, 2, seed);
    };
    const TestMap q = map(o.h, o.w, 1), y = map(o.h, o.w, 2);
    const TestMap k = map(o.h / o.reduction, o.w / o.reduction, 3);
    const TestMap v = map(o.h / o.reduction, o.w / o.reduction, 4);
    const auto build = [&](const Params& p) { return AgentMixing(p, kWidth, o); };
    const ListedSource source = test::weights_for(build);
    const Formula formula(source, o);
    for (const std::string_view name : backend_names()) {
      const auto backend = make_backend(name);
      const AgentMixing block = test::build_with(build, source, *backend);
      Context ctx(2);
      block.forward(q, k, v, y, ctx);
      EXPECT_TRUE(y.gaps_intact());
      for (int i = 0; i < 2; ++i) {
        const Values exact = formula(values_of(q.map().image(i)), values_of(k.map().image(i)),
                                     values_of(v.map().image(i)));
        const std::vector<float> found = test::dense(y.map().image(i));
        const std::vector<float> wanted(exact.begin(), exact.end());
        EXPECT_LE(test::relative_l2(found.data(), wanted.data(),
                                    static_cast<std::ptrdiff_t>(wanted.size())),
                  block_bound(4, o.h * o.w + extra))
            << name;
      }
    }
  }
}

TEST(AgentAttention, BackendsAgree) {
  for (const AgentOptions& o : {kMap, kToken}) {
    const auto map = [&](int gap, std::uint64_t seed) {
      return o.class_token ? TestMap(3, 1, 1 + o.h * o.w, kWidth, gap, seed)
                           : TestMap(3, o.h, o.w, kWidth, gap, seed);
    };
    const TestMap x = map(3, 1);
    expect_backends_agree(
        [&](const Params& p) { return AgentAttention(p, kWidth, true, AgentMixing(p, kWidth, o)); },
        [&](const AgentAttention& block, MapF y, Context& ctx) {
          block.forward(x, y, ctx, {.residual = y});
        },
        map(0, 2), block_bound(6, kWidth + o.h * o.w));
  }
}

TEST(ReducedAttention, BackendsAgreeOnAnyMixingAndMapsThatDoNotDivide) {
  const TestMap x(2, 6, 5, kWidth, 3, 1), out(2, 6, 5, kWidth, 0, 2);
  const auto run = [&](const auto& block, MapF y, Context& ctx) {
    block.forward(x, y, ctx, {.residual = y});
  };
  for (const int reduction : {1, 2, 3}) {
    expect_backends_agree(
        [&](const Params& p) {
          return ReducedAttention<SoftmaxMixing>(
              p, reduced_projections(p, kWidth, reduction, 1e-5f, true),
              SoftmaxMixing(p, kWidth, 3));
        },
        run, out, block_bound(5, kWidth * reduction * reduction + 30));
  }
  AgentOptions o = kReduced;
  o.w = 5;
  expect_backends_agree(
      [&](const Params& p) {
        return ReducedAttention<AgentMixing>(p, reduced_projections(p, kWidth, 2, 1e-5f, true),
                                             AgentMixing(p, kWidth, o));
      },
      run, out, block_bound(8, kWidth * 4 + 30));
}

TEST(AgentAttention, RefusesWhatTheFormulaHasNoMeaningFor) {
  const auto backend = make_backend("reference");
  ParamLog log;
  const Params p = Params(nullptr, *backend, log) / "attn";
  const auto refuses = [&](AgentOptions o, const char* message) {
    expect_error([&] { AgentMixing(p, 8, o); }, Error::Kind::argument, message);
  };
  refuses({.heads = 3}, "agent attention \"attn\": 8 channels do not divide into 3 heads");
  refuses({.agents = 8}, "8 agents; wanted a square number of them");
  refuses({.h = 0}, "a map of 0 x 14 positions");
  refuses({.h = 512, .w = 512}, "a map of 512 x 512 positions");
  refuses({.h = 2, .reduction = 4}, "a map of 2 x 14 positions; wanted 4 x 4");
  expect_error([&] { SoftmaxMixing(p, 8, 3); }, Error::Kind::argument,
               "attention \"attn\": 8 channels do not divide into 3 heads");
}

}  // namespace
}  // namespace fovea::nn
