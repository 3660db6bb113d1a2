// SPDX-License-Identifier: Apache-2.0
#include "kernels/attention/attention.h"

#include <limits>

#include "tests/kernels/kernel_test.h"

namespace {

using namespace fovea::test;
using fovea::kernels::Ahead;
using fovea::kernels::AttentionRows;
using fovea::kernels::KernelTable;

// Operands of one head; rows lie in another order than their pointers.
struct Head {
  Matrix q, k, v, y, bias, mask, packed, scores;
  std::vector<const float*> q_rows, k_rows, v_rows;
  std::vector<float*> y_rows;
  AttentionRows rows;

  Head(const KernelTable& t, int queries, int keys, int d, int dv)
      : q(queries, d, 2),
        k(keys, d, 1),
        v(keys, dv, 3),
        y(queries, dv, 2),
        bias(queries, keys, 1),
        mask(queries, keys),
        packed(1, t.packed_attention_size(keys, d, dv)),
        scores(1, t.attention_scores_size(keys)) {
    for (int i = 0; i < queries; ++i) {
      q_rows.push_back(&q.at(queries - 1 - i, 0));
      y_rows.push_back(&y.at(queries - 1 - i, 0));
    }
    for (int j = 0; j < keys; ++j) {
      k_rows.push_back(&k.at(keys - 1 - j, 0));
      v_rows.push_back(&v.at(keys - 1 - j, 0));
    }
    t.pack_attention(k_rows.data(), v_rows.data(), keys, d, dv, packed.data());
    rows.q = q_rows.data();
    rows.y = y_rows.data();
    rows.packed = packed.data();
    rows.keys = keys;
    rows.d = d;
    rows.dv = dv;
    rows.scale = 0.7f;
    rows.ldb = bias.ld();
    rows.ldm = mask.ld();
    rows.scores = scores.data();
  }

  void expect_outputs() const {
    ASSERT_TRUE(y.canaries_alive() && packed.canaries_alive() && scores.canaries_alive());
    for (std::size_t i = 0; i < q_rows.size(); ++i) expect_output(static_cast<std::ptrdiff_t>(i));
  }

 private:
  void expect_output(std::ptrdiff_t i) const {
    const std::size_t keys = k_rows.size();
    std::vector<double> share(keys);
    double top = -std::numeric_limits<double>::infinity();
    double shift = 0;  // error of a score
    for (std::size_t j = 0; j < keys; ++j) {
      const std::ptrdiff_t column = static_cast<std::ptrdiff_t>(j);
      double sum = 0, magnitude = 0;
      for (int p = 0; p < rows.d; ++p) {
        const double term = static_cast<double>(q_rows[static_cast<std::size_t>(i)][p]) *
                            static_cast<double>(k_rows[j][p]);
        sum += term;
        magnitude += std::abs(term);
      }
      sum *= static_cast<double>(rows.scale);
      magnitude *= static_cast<double>(rows.scale);
      double more = 0;
      if (rows.bias != nullptr) more += static_cast<double>(bias.at(i, column));
      if (rows.mask != nullptr) more += static_cast<double>(mask.at(i, column));
      share[j] = sum + more;
      top = std::max(top, share[j]);
      const double size = std::isinf(more) ? 0 : magnitude + std::abs(more);
      shift = std::max(shift, dot_error(rows.d, magnitude) + rounding_error(4, size));
    }
    double sum = 0;
    for (double& s : share) sum += s = std::exp(s - top);
    for (int c = 0; c < rows.dv; ++c) {
      double value = 0, magnitude = 0;
      for (std::size_t j = 0; j < keys; ++j) {
        const double term = share[j] / sum * static_cast<double>(v_rows[j][c]);
        value += term;
        magnitude += std::abs(term);
      }
      // An error of the scores is a relative one of their exponentials, and of the sum.
      const double error = 2 * shift * magnitude + rounding_error(12, magnitude) +
                           dot_error(static_cast<std::ptrdiff_t>(keys), magnitude) +
                           dot_error(static_cast<std::ptrdiff_t>(keys), std::abs(value));
      ASSERT_TRUE(close_to(y_rows[static_cast<std::size_t>(i)][c], {value, error}))
          << keys << " keys of " << rows.d << ", values of " << rows.dv << ", query " << i << " of "
          << q_rows.size() << ", column " << c;
    }
  }
};

void check_attention(const KernelTable& t) {
  for (int keys = 1; keys <= 2 * t.gemm_cols + 2; ++keys) {
    const int queries = 1 + keys % (2 * t.gemm_rows + 1);
    const int d = 1 + keys * 7 % 37, dv = 1 + keys * 5 % (t.gemm_cols + 3);
    Head head(t, queries, keys, d, dv);
    for (const bool with_bias : {false, true}) {
      for (const bool with_mask : {false, true}) {
        head.rows.bias = with_bias ? head.bias.data() : nullptr;
        head.rows.mask = with_mask ? head.mask.data() : nullptr;
        t.attention(head.rows, queries, {});
        head.expect_outputs();
      }
    }
  }
}

// What the packed keys and values are, the products tell.
void check_pack_attention(const KernelTable& t) {
  for (const int d : {1, 16, 17, 32, 64}) {
    for (const int dv : {1, 16, 17, 32, 64}) {
      Head head(t, t.gemm_rows, 49, d, dv);
      t.attention(head.rows, t.gemm_rows, {});
      head.expect_outputs();
    }
  }
}

#define FOVEA_KERNEL FOVEA_KERNEL_TEST
#include "kernels/attention/kernels.inc"

template <class Body>
void for_levels(const Body& body) {
  for (const auto isa : fovea::kernels::kAllIsas) {
    if (fovea::kernels::isa_supported(isa)) body(fovea::kernels::kernel_table(isa));
  }
}

TEST(attention, keeps_keys_out_that_are_masked) {
  for_levels([](const KernelTable& t) {
    for (const float masked : {-100.0f, -std::numeric_limits<float>::infinity()}) {
      Head head(t, 5, 49, 8, 8);
      for (int i = 0; i < 5; ++i) {
        for (int j = 0; j < 49; ++j) head.mask.at(i, j) = j % 3 == i % 3 ? 0.0f : masked;
      }
      head.rows.mask = head.mask.data();
      t.attention(head.rows, 5, {});
      head.expect_outputs();
    }
  });
}

TEST(attention, of_scores_that_are_not_finite_is_nan) {
  for_levels([](const KernelTable& t) {
    Head head(t, 2, 20, 4, 4);
    for (int j = 0; j < 20; ++j) head.mask.at(0, j) = -std::numeric_limits<float>::infinity();
    head.rows.mask = head.mask.data();
    t.attention(head.rows, 2, {});
    for (int c = 0; c < 4; ++c) {
      EXPECT_TRUE(std::isnan(head.y_rows[0][c]));
      EXPECT_FALSE(std::isnan(head.y_rows[1][c]));
    }
  });
}

// What lets a backend cut the queries for its threads; nor do rows that are asked for change a bit.
TEST(attention, gives_a_query_the_same_bits_wherever_it_stands) {
  for_levels([](const KernelTable& t) {
    const int queries = 3 * t.gemm_rows + 1;
    Head head(t, queries, 51, 20, 24);
    head.rows.bias = head.bias.data();
    t.attention(head.rows, queries, {});
    const Matrix whole(head.y);
    const Ahead ahead{{{head.q.data(), head.q.ld(), queries, 20}}};
    for (int count = 1; count < queries; ++count) {
      for (int first = 0; first < queries; first += count) {
        AttentionRows some = head.rows;
        some.q += first;
        some.y += first;
        some.bias += first * some.ldb;
        t.attention(some, std::min(count, queries - first), ahead);
      }
      for (int i = 0; i < queries; ++i) {
        for (int c = 0; c < 24; ++c) ASSERT_EQ(head.y.at(i, c), whole.at(i, c)) << count;
      }
    }
  });
}

}  // namespace
