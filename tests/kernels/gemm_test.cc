// SPDX-License-Identifier: Apache-2.0
#include "kernels/gemm/gemm.h"

#include "tests/kernels/kernel_test.h"

namespace {

using namespace fovea::test;
using fovea::kernels::Act;
using fovea::kernels::Ahead;
using fovea::kernels::block_of;
using fovea::kernels::Epilogue;
using fovea::kernels::KernelTable;
using fovea::kernels::RowRange;

// sum over p of a(i, p) * w(j, p)
Expected naive_dot(const Matrix& a, std::ptrdiff_t i, const Matrix& w, std::ptrdiff_t j) {
  double sum = 0;
  double magnitude = 0;
  for (std::ptrdiff_t p = 0; p < a.columns(); ++p) {
    const double term = static_cast<double>(a.at(i, p)) * w.at(j, p);
    sum += term;
    magnitude += std::abs(term);
  }
  return {sum, dot_error(a.columns(), magnitude)};
}

Matrix packed_nk(const KernelTable& t, const Matrix& w) {
  const int n = static_cast<int>(w.rows());
  const int k = static_cast<int>(w.columns());
  Matrix packed(1, t.packed_size(n, k));
  t.pack_nk(w.data(), w.ld(), n, k, packed.data());
  return packed;
}

void expect_product(const KernelTable& t, int m, int n, int k, const Epilogue& e,
                    bool residual_is_output, const Matrix& a, const Matrix& w) {
  Matrix c(m, n, 3);
  const Matrix before(c);
  Epilogue used = e;
  Epilogue naive = e;
  if (residual_is_output) {
    used.residual = c.data();
    used.ldr = c.ld();
    naive.residual = before.data();
    naive.ldr = before.ld();
  }
  const Matrix b = packed_nk(t, w);
  t.gemm(a.data(), a.ld(), b.data(), c.data(), c.ld(), m, n, k, used, {});
  ASSERT_TRUE(c.canaries_alive()) << "m " << m << " n " << n << " k " << k;
  for (int i = 0; i < m; ++i) {
    for (int j = 0; j < n; ++j) {
      ASSERT_TRUE(close_to(c.at(i, j), naive_epilogue(naive_dot(a, i, w, j), naive, i, j)))
          << "m " << m << " n " << n << " k " << k << " act " << static_cast<int>(e.act) << " at "
          << i << ", " << j;
    }
  }
}

void expect_same(const Matrix& got, const Matrix& want) {
  ASSERT_TRUE(got.canaries_alive());
  for (std::ptrdiff_t i = 0; i < want.rows(); ++i) {
    for (std::ptrdiff_t j = 0; j < want.columns(); ++j) {
      ASSERT_EQ(got.at(i, j), want.at(i, j))
          << want.rows() << " x " << want.columns() << " at " << i << ", " << j;
    }
  }
}

// What a product asks for meanwhile changes no bit, whatever its shape.
void check_ahead(const KernelTable& t) {
  const int m = 2 * t.gemm_rows + 1, n = t.gemm_cols + 3, k = 7;
  const Matrix a(m, k), w(n, k), rows(40, 50, 3);
  const Matrix b = packed_nk(t, w);
  Matrix want(m, n), got(m, n);
  const EpilogueOperands operands(m, n);
  const Epilogue e = operands.combination(15, Act::none);
  t.gemm(a.data(), a.ld(), b.data(), want.data(), want.ld(), m, n, k, e, {});
  for (const auto& [count, width] : {std::pair(40, 53), {40, 50}, {40, 1}, {1, 50}, {0, 50}}) {
    const RowRange range{rows.data(), rows.ld(), count, width};
    for (const Ahead& ahead :
         {Ahead{{range}}, {{range, range, range}}, {{{}, range}}, {{range, {}, range}}}) {
      t.gemm(a.data(), a.ld(), b.data(), got.data(), got.ld(), m, n, k, e, ahead);
      expect_same(got, want);
    }
  }
}

void check_gemm(const KernelTable& t) {
  check_ahead(t);
  for (int m = 1; m <= 2 * t.gemm_rows + 1; ++m) {
    for (int n = 1; n <= 2 * t.gemm_cols + 1; ++n) {
      const int k = 1 + (m * 7 + n) % 19;
      const Matrix a(m, k, 2);
      const Matrix w(n, k, 1);
      expect_product(t, m, n, k, {}, false, a, w);
    }
  }
  for (const int k : {1, 2, 3, 64, 257, 1000}) {
    const int m = t.gemm_rows + 1;
    const int n = t.gemm_cols + 1;
    const Matrix a(m, k);
    const Matrix w(n, k);
    expect_product(t, m, n, k, {}, false, a, w);
  }
  const int m = 2 * t.gemm_rows + 1;
  const int n = 2 * t.gemm_cols - 3;
  const Matrix a(m, 24, 1);
  const Matrix w(n, 24, 1);
  const EpilogueOperands operands(m, n);
  for (const Act act : kAllActs) {
    for (int bits = 0; bits < EpilogueOperands::kCombinations; ++bits) {
      const Epilogue e = operands.combination(bits, act);
      expect_product(t, m, n, 24, e, false, a, w);
      if (e.residual != nullptr) expect_product(t, m, n, 24, e, true, a, w);
    }
  }
}

// The same bits as from the rows themselves.
void check_gemm_transposed(const KernelTable& t) {
  for (int m = 1; m <= 2 * t.gemm_rows + 1; ++m) {
    for (const int n : {1, t.gemm_cols - 1, t.gemm_cols, 2 * t.gemm_cols + 3}) {
      const int k = 1 + (m * 7 + n) % 19;
      const Matrix a(m, k, 2), w(n, k);
      Matrix transposed(k, m, 1), want(m, n, 3), got(m, n, 3);
      for (int p = 0; p < k; ++p) {
        for (int i = 0; i < m; ++i) transposed.at(p, i) = a.at(i, p);
      }
      const Matrix b = packed_nk(t, w);
      const EpilogueOperands operands(m, n);
      const Epilogue e = operands.combination(15, Act::gelu);
      t.gemm(a.data(), a.ld(), b.data(), want.data(), want.ld(), m, n, k, e, {});
      t.gemm_transposed(transposed.data(), transposed.ld(), b.data(), got.data(), got.ld(), m, n, k,
                        e, {});
      expect_same(got, want);
    }
  }
}

// The same bits as from whole rows, wherever the pieces lie; two rows may share one.
void check_gemm_indirect(const KernelTable& t) {
  for (int m = 1; m <= 2 * t.gemm_rows + 1; ++m) {
    for (const int n : {1, t.gemm_cols - 1, t.gemm_cols, 2 * t.gemm_cols + 3}) {
      const int depth = 1 + (m + n) % 9;
      const int pieces = 1 + (m * 3 + n) % 5;
      const Matrix w(n, pieces * depth);
      const Matrix b = packed_nk(t, w);
      const Matrix map(m + pieces, depth, 5);
      Matrix a(m, pieces * depth);
      std::vector<const float*> from;
      for (int s = 0; s < pieces; ++s) {
        for (int i = 0; i < m; ++i) {
          const std::ptrdiff_t row = (i * 5 + s) % map.rows();
          from.push_back(map.data() + row * map.ld());
          for (int p = 0; p < depth; ++p) a.at(i, s * depth + p) = map.at(row, p);
        }
      }
      const EpilogueOperands operands(m, n);
      const Epilogue e = operands.combination(15, Act::gelu);
      Matrix want(m, n, 3), got(m, n, 3);
      t.gemm(a.data(), a.ld(), b.data(), want.data(), want.ld(), m, n, pieces * depth, e, {});
      t.gemm_indirect(from.data(), m, pieces, depth, b.data(), got.data(), got.ld(), m, n, e, {});
      expect_same(got, want);
    }
  }
}

void check_pack_nk(const KernelTable& t) {
  for (int n = 1; n <= 2 * t.gemm_cols + 1; ++n) {
    for (const int k : {1, 2, 7, 15, 16, 17, 33}) {
      const Matrix w(n, k, 3);
      const Matrix packed = packed_nk(t, w);
      ASSERT_TRUE(packed.canaries_alive());
      for (int j = 0; j < packed.columns() / k; ++j) {
        for (int p = 0; p < k; ++p) {
          const int panel = j / t.gemm_cols;
          const float got = packed.at(0, (panel * k + p) * t.gemm_cols + j % t.gemm_cols);
          ASSERT_EQ(got, j < n ? w.at(j, p) : 0.0f) << "n " << n << " k " << k;
        }
      }
    }
  }
}

void check_pack_kn(const KernelTable& t) {
  for (int n = 1; n <= 2 * t.gemm_cols + 1; ++n) {
    for (const int k : {1, 2, 17}) {
      const Matrix rows(k, n, 3);
      Matrix transposed(n, k);
      for (int p = 0; p < k; ++p) {
        for (int j = 0; j < n; ++j) transposed.at(j, p) = rows.at(p, j);
      }
      Matrix packed(1, t.packed_size(n, k));
      t.pack_kn(rows.data(), rows.ld(), n, k, packed.data());
      const Matrix want = packed_nk(t, transposed);
      ASSERT_EQ(0, std::memcmp(packed.data(), want.data(),
                               sizeof(float) * static_cast<std::size_t>(want.columns())));
      ASSERT_TRUE(packed.canaries_alive());
    }
  }
}

#define FOVEA_TILE(level, mr, nr)
#define FOVEA_KERNEL FOVEA_KERNEL_TEST
#include "kernels/gemm/kernels.inc"

// What lets a backend cut a product into blocks for its threads, and batches into images.
TEST(gemm, gives_a_row_the_same_bits_wherever_it_stands) {
  for (const auto isa : fovea::kernels::kAllIsas) {
    if (!fovea::kernels::isa_supported(isa)) continue;
    const KernelTable& t = fovea::kernels::kernel_table(isa);
    const int m = 3 * t.gemm_rows + 1;
    const int n = 2 * t.gemm_cols + 5;
    const int k = 77;
    const Matrix a(m, k, 1);
    const Matrix w(n, k);
    const Matrix b = packed_nk(t, w);
    const EpilogueOperands operands(m, n);
    const Epilogue e = operands.combination(15, Act::gelu);
    Matrix whole(m, n);
    t.gemm(a.data(), a.ld(), b.data(), whole.data(), whole.ld(), m, n, k, e, {});
    for (int rows = 1; rows < m; ++rows) {
      Matrix blocks(m, n);
      for (int i = 0; i < m; i += rows) {
        for (int j = 0; j < n; j += t.gemm_cols) {
          t.gemm(a.data() + i * a.ld(), a.ld(), b.data() + j * k, blocks.data() + i * n + j, n,
                 std::min(rows, m - i), std::min(t.gemm_cols, n - j), k, block_of(e, i, j), {});
        }
      }
      ASSERT_EQ(0, std::memcmp(whole.data(), blocks.data(),
                               sizeof(float) * static_cast<std::size_t>(m * n)))
          << isa_name(isa) << " in blocks of " << rows << " rows";
    }
  }
}

}  // namespace
