// SPDX-License-Identifier: Apache-2.0
#include "kernels/scan/scan.h"

#include "tests/kernels/kernel_test.h"

namespace {

using namespace fovea::test;
using fovea::kernels::GatedSteps;
using fovea::kernels::KernelTable;
using fovea::kernels::ScanSteps;

double softplus(double x) { return std::log1p(std::exp(x)); }

// The operands of a scan of `steps` tokens, `stride` rows apart, and what it should give: values,
// and the sums of the magnitudes that round on the way.
struct Scan {
  Scan(int steps, int channels, int state, int rank, int stride_)
      : stride(stride_),
        u(steps * stride_, channels, 2),
        y(steps * stride_, channels, 1),
        r(steps * stride_, rank, 1),
        b(steps * stride_, state, 3),
        c(steps * stride_, state, 1),
        weight(rank, channels, 0),
        bias(1, channels, 0, -3, 1),
        rate(state, channels, 0, -6, -0.1f),
        d(1, channels),
        h(state, channels) {}

  ScanSteps operands(bool backwards, bool add) {
    const std::ptrdiff_t first = backwards ? u.rows() - stride : 0;
    const std::ptrdiff_t step = backwards ? -stride : stride;
    ScanSteps s;
    s.u = u.data() + first * u.ld();
    s.u_step = step * u.ld();
    s.y = y.data() + first * y.ld();
    s.y_step = step * y.ld();
    s.r = r.data() + first * r.ld();
    s.r_step = step * r.ld();
    s.b = b.data() + first * b.ld();
    s.b_step = step * b.ld();
    s.c = c.data() + first * c.ld();
    s.c_step = step * c.ld();
    s.dt_weight = weight.data();
    s.dt_bias = bias.data();
    s.d = d.data();
    s.row = weight.ld();
    s.rate = rate.data();
    s.h = h.data();
    s.h_row = h.ld();
    s.channels = static_cast<int>(u.columns());
    s.state = static_cast<int>(b.columns());
    s.rank = static_cast<int>(r.columns());
    s.add = add;
    return s;
  }

  std::ptrdiff_t stride;
  Matrix u, y, r, b, c, weight, bias, rate, d, h;
};

// One step in double: the state and the magnitudes of what was added to it; returns output and
// magnitude.
std::pair<double, double> naive_step(const Scan& s, std::ptrdiff_t row, int channel,
                                     std::vector<double>& h, std::vector<double>& magnitude) {
  double raw = s.bias.at(0, channel);
  for (int k = 0; k < s.r.columns(); ++k) raw += s.r.at(row, k) * s.weight.at(k, channel);
  const double dt = softplus(raw);
  const double in = s.u.at(row, channel);
  double out = s.d.at(0, channel) * in, size = std::abs(out);
  for (std::size_t n = 0; n < h.size(); ++n) {
    const auto i = static_cast<std::ptrdiff_t>(n);
    const double decay = std::exp2(dt * s.rate.at(i, channel));
    const double write = dt * s.b.at(row, i) * in;
    h[n] = decay * h[n] + write;
    magnitude[n] = decay * magnitude[n] + std::abs(write);
    out += s.c.at(row, i) * h[n];
    size += std::abs(s.c.at(row, i)) * magnitude[n];
  }
  return {out, size};
}

void expect_scan(const KernelTable& t, int steps, int channels, int state, bool backwards,
                 bool add) {
  Scan s(steps, channels, state, 1 + steps % 5, 1 + steps % 3);
  const Matrix before(s.y), start(s.h);
  t.selective_scan(s.operands(backwards, add), steps);
  ASSERT_TRUE(s.y.canaries_alive() && s.h.canaries_alive());
  for (int channel = 0; channel < channels; ++channel) {
    std::vector<double> h, magnitude;
    for (int n = 0; n < state; ++n) {
      h.push_back(start.at(n, channel));
      magnitude.push_back(std::abs(h.back()));
    }
    for (std::ptrdiff_t step = 0; step < steps; ++step) {
      const std::ptrdiff_t row = (backwards ? steps - 1 - step : step) * s.stride;
      const auto [out, size] = naive_step(s, row, channel, h, magnitude);
      const double wanted = out + (add ? before.at(row, channel) : 0.0);
      // dt rounds once per product of r, softplus a few times; the decay's exponent is at most
      // some tens; then one rounding a token and one a state.
      ASSERT_NEAR(s.y.at(row, channel), wanted, rounding_error(100 + state, size + 1))
          << steps << " steps, " << channels << " channels, state " << state;
    }
    for (int n = 0; n < state; ++n) {
      ASSERT_NEAR(s.h.at(n, channel), h[static_cast<std::size_t>(n)],
                  rounding_error(100, magnitude[static_cast<std::size_t>(n)] + 1));
    }
  }
  for (std::ptrdiff_t row = 0; row < s.y.rows(); ++row) {
    if (row % s.stride == 0) continue;
    for (int j = 0; j < channels; ++j) ASSERT_EQ(s.y.at(row, j), before.at(row, j));
  }
}

void check_selective_scan(const KernelTable& t) {
  for (const int state : {1, 2, 16}) {
    for (int channels = 1; channels <= 2 * kMaxLanes + 1; ++channels) {
      expect_scan(t, 7, channels, state, channels % 2 == 0, channels % 3 == 0);
    }
    for (const int channels : {63, 64, 65, 96, 130}) {
      expect_scan(t, 33, channels, state, false, false);
    }
  }
  for (const int steps : {1, 2, 31, 32, 33, 64, 100}) expect_scan(t, steps, 24, 3, true, true);
}

void expect_gated(const KernelTable& t, int steps, int rows, int channels, bool one_gate, bool add,
                  bool skip) {
  const Matrix query(steps, rows, 1), key(steps, rows, 2);
  const Matrix gate(steps, one_gate ? 1 : rows, 1, 0.2f, 1.0f), weight(steps, 1, 1);
  const Matrix value(steps, channels, 3), skipped(1, channels);
  Matrix y(steps, channels, 1), s(rows, channels, 0);
  const Matrix before(y), start(s);
  GatedSteps g;
  g.query = query.data();
  g.query_step = query.ld();
  g.key = key.data();
  g.key_step = key.ld();
  g.gate = gate.data();
  g.gate_step = gate.ld();
  g.one_gate = one_gate;
  g.weight = weight.data();
  g.weight_step = weight.ld();
  g.value = value.data();
  g.value_step = value.ld();
  g.skip = skip ? skipped.data() : nullptr;
  g.add = add;
  g.y = y.data();
  g.y_step = y.ld();
  g.s = s.data();
  g.s_row = s.ld();
  g.rows = rows;
  g.channels = channels;
  t.gated_scan(g, steps);
  ASSERT_TRUE(y.canaries_alive() && s.canaries_alive());
  for (int c = 0; c < channels; ++c) {
    std::vector<double> state, magnitude;
    for (int i = 0; i < rows; ++i) {
      state.push_back(start.at(i, c));
      magnitude.push_back(std::abs(state.back()));
    }
    for (int step = 0; step < steps; ++step) {
      double out = add ? before.at(step, c) : 0.0, size = std::abs(out);
      if (skip) {
        out += static_cast<double>(skipped.at(0, c)) * value.at(step, c);
        size += 1;
      }
      for (int i = 0; i < rows; ++i) {
        const auto n = static_cast<std::size_t>(i);
        const double open = gate.at(step, one_gate ? 0 : i);
        const double write =
            static_cast<double>(key.at(step, i)) * weight.at(step, 0) * value.at(step, c);
        state[n] = open * state[n] + write;
        magnitude[n] = open * magnitude[n] + std::abs(write);
        out += query.at(step, i) * state[n];
        size += std::abs(query.at(step, i)) * magnitude[n];
      }
      ASSERT_NEAR(y.at(step, c), out, rounding_error(rows + 3 * steps + 4, size));
    }
  }
}

void check_gated_scan(const KernelTable& t) {
  for (int channels = 1; channels <= 2 * kMaxLanes + 1; ++channels) {
    expect_gated(t, 5, 3, channels, channels % 2 == 0, channels % 3 == 0, channels % 5 == 0);
  }
  for (const int channels : {63, 64, 65}) expect_gated(t, 9, 17, channels, false, true, true);
}

void check_power_gates(const KernelTable& t) {
  for (int n = 1; n <= 2 * kMaxLanes + 1; ++n) {
    const Matrix x(3, n, 2, -30, 30);
    Matrix y(3, n, 1), in_place(x);
    t.power_gates(x.data(), x.ld(), y.data(), y.ld(), 0.0625f, 3, n);
    t.power_gates(in_place.data(), in_place.ld(), in_place.data(), in_place.ld(), 0.0625f, 3, n);
    ASSERT_TRUE(y.canaries_alive() && in_place.canaries_alive());
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < n; ++j) {
        const double wanted = std::exp(-softplus(-static_cast<double>(x.at(i, j))) * 0.0625);
        ASSERT_NEAR(y.at(i, j), wanted, rounding_error(24, wanted));
        ASSERT_EQ(y.at(i, j), in_place.at(i, j));
      }
    }
  }
}

void check_softplus_decay(const KernelTable& t) {
  for (int n = 1; n <= 2 * kMaxLanes + 1; ++n) {
    const Matrix raw(3, n, 2, -6, 6), bias(1, n), a(1, n, 0, -4, -0.1f);
    Matrix step(3, n, 1), decay(3, n, 1);
    t.softplus_decay(raw.data(), raw.ld(), bias.data(), a.data(), step.data(), decay.data(),
                     step.ld(), 3, n);
    ASSERT_TRUE(step.canaries_alive() && decay.canaries_alive());
    for (int i = 0; i < 3; ++i) {
      for (int j = 0; j < n; ++j) {
        const double dt = softplus(static_cast<double>(raw.at(i, j)) + bias.at(0, j));
        const double wanted = std::exp(dt * a.at(0, j));
        // The sum rounds relative to 7, which softplus passes on at most once.
        ASSERT_NEAR(step.at(i, j), dt, rounding_error(8, dt) + rounding_error(1, 7 * dt));
        ASSERT_NEAR(decay.at(i, j), wanted,
                    rounding_error(8, wanted) + rounding_error(24, dt * -a.at(0, j) * wanted));
      }
    }
  }
}

#define FOVEA_KERNEL FOVEA_KERNEL_TEST
#include "kernels/scan/kernels.inc"

}  // namespace
