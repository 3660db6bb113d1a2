// SPDX-License-Identifier: Apache-2.0
// What the tests of kernels share: operands that end at an unmapped page, the naive epilogue, and
// the macro that makes one test out of each line of a kernels.inc.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/epilogue.h"
#include "kernels/table.h"
#include "tests/tolerance.h"

// In a test file: define check_<name>(const KernelTable&) for every name, then include kernels.inc
// with FOVEA_KERNEL defined as this.  A kernel without a check does not compile.
#define FOVEA_KERNEL_TEST(level, name)                                                   \
  TEST(name, level##_agrees_with_naive_loops) {                                          \
    using fovea::kernels::Isa;                                                           \
    if (!fovea::kernels::isa_supported(Isa::level)) {                                    \
      GTEST_SKIP() << "this processor has no " #level;                                   \
    }                                                                                    \
    const fovea::kernels::KernelTable& table = fovea::kernels::kernel_table(Isa::level); \
    ASSERT_EQ(table.name, &fovea::level::name);                                          \
    check_##name(table);                                                                 \
  }

namespace fovea::test {

inline std::mt19937& generator() {
  static std::mt19937 g(20210325);
  return g;
}
inline float uniform(float lo, float hi) {
  return std::uniform_real_distribution<float>(lo, hi)(generator());
}

// A matrix of m rows and n columns, ld elements apart, filled with values from [lo, hi).  Its last
// element is the last before an unmapped page, so that reading or writing beyond it faults; the
// gaps between rows and the memory before it hold a canary.  Rows are therefore as misaligned as
// their length makes them.
class Matrix {
 public:
  Matrix(std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t gap = 0, float lo = -1, float hi = 1)
      : m_(m), n_(n), ld_(n + gap) {
    const std::size_t count = static_cast<std::size_t>((m - 1) * ld_ + n + kBefore);
    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    mapped_ = (count * sizeof(float) + page - 1) / page * page + page;
    base_ = static_cast<char*>(
        mmap(nullptr, mapped_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    if (base_ == MAP_FAILED) throw std::bad_alloc();
    mprotect(base_ + mapped_ - page, page, PROT_NONE);
    first_ = reinterpret_cast<float*>(base_ + mapped_ - page) - count;
    std::fill(first_, first_ + count, kCanary);
    data_ = first_ + kBefore;
    for (std::ptrdiff_t i = 0; i < m; ++i) {
      for (std::ptrdiff_t j = 0; j < n; ++j) at(i, j) = uniform(lo, hi);
    }
  }
  Matrix(const Matrix& o) : Matrix(o.m_, o.n_, o.ld_ - o.n_) {
    for (std::ptrdiff_t i = 0; i < m_; ++i) {
      for (std::ptrdiff_t j = 0; j < n_; ++j) at(i, j) = o.at(i, j);
    }
  }
  Matrix& operator=(const Matrix&) = delete;
  ~Matrix() { munmap(base_, mapped_); }

  float* data() { return data_; }
  const float* data() const { return data_; }
  std::ptrdiff_t ld() const { return ld_; }
  std::ptrdiff_t rows() const { return m_; }
  std::ptrdiff_t columns() const { return n_; }
  float& at(std::ptrdiff_t i, std::ptrdiff_t j) { return data_[i * ld_ + j]; }
  float at(std::ptrdiff_t i, std::ptrdiff_t j) const { return data_[i * ld_ + j]; }

  bool canaries_alive() const {
    for (const float* p = first_; p < data_; ++p) {
      if (*p != kCanary) return false;
    }
    for (std::ptrdiff_t i = 0; i + 1 < m_; ++i) {
      for (std::ptrdiff_t j = n_; j < ld_; ++j) {
        if (at(i, j) != kCanary) return false;
      }
    }
    return true;
  }

 private:
  static constexpr std::ptrdiff_t kBefore = 16;
  static constexpr float kCanary = 8589934592.0f;

  std::ptrdiff_t m_, n_, ld_;
  std::size_t mapped_ = 0;
  char* base_ = nullptr;
  float* first_ = nullptr;
  float* data_ = nullptr;
};

// An exact value and how far from it an fp32 result may be.
struct Expected {
  double value, error;
};

inline ::testing::AssertionResult close_to(float got, const Expected& want) {
  if (std::abs(got - want.value) <= want.error + 1e-37) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "got " << got << ", want " << want.value << " +- "
                                       << want.error << " (off by " << got - want.value << ")";
}

inline double naive_act(const kernels::Epilogue& e, double x) {
  using kernels::Act;
  switch (e.act) {
    case Act::none:
      return x;
    case Act::relu:
      return std::max(x, 0.0);
    case Act::gelu:
      return 0.5 * x * (1 + std::erf(x * M_SQRT1_2));
    case Act::gelu_tanh:
      return 0.5 * x * (1 + std::tanh(std::sqrt(M_2_PI) * (x + 0.044715 * x * x * x)));
    case Act::quick_gelu:
      return x / (1 + std::exp(-1.702 * x));
    case Act::silu:
      return x / (1 + std::exp(-x));
    case Act::star_relu:
      return e.act_scale * std::max(x, 0.0) * std::max(x, 0.0) + e.act_bias;
    case Act::sigmoid:
      return 1 / (1 + std::exp(-x));
    case Act::tanh:
      return std::tanh(x);
  }
  return x;
}

// Error of the activation's own evaluation, and the largest slope near x: what it makes of its
// input's error.
inline double act_error(const kernels::Epilogue& e, double x, double y) {
  using kernels::Act;
  switch (e.act) {
    case Act::none:
    case Act::relu:
      return 0;
    case Act::star_relu:
      return rounding_error(3, std::abs(e.act_scale * x * x) + std::abs(y));
    case Act::gelu:
    case Act::gelu_tanh:
    case Act::quick_gelu:
    case Act::silu:
      return rounding_error(8, std::abs(x));
    case Act::sigmoid:
    case Act::tanh:
      return rounding_error(8, std::abs(y));
  }
  return 0;
}
inline double act_slope(const kernels::Epilogue& e, double x) {
  return e.act == kernels::Act::star_relu ? 2 * std::abs(e.act_scale) * (std::abs(x) + 1e-3) : 1.2;
}

// The epilogue in double, at row i and column j of its block.
inline Expected naive_epilogue(const Expected& acc, const kernels::Epilogue& e, std::ptrdiff_t i,
                               std::ptrdiff_t j) {
  const double bias = e.bias != nullptr ? e.bias[j] : 0;
  const double x = acc.value + bias;
  const double x_error = acc.error + (e.bias != nullptr ? rounding_error(1, std::abs(x)) : 0);
  double y = naive_act(e, x);
  double error = act_slope(e, x) * x_error + act_error(e, x, y);
  if (e.scale != nullptr) {
    y *= e.scale[j];
    error = error * std::abs(e.scale[j]) + rounding_error(1, std::abs(y));
  }
  if (e.residual != nullptr) {
    const double r = static_cast<double>(e.residual[i * e.ldr + j]) *
                     (e.residual_scale != nullptr ? e.residual_scale[j] : 1);
    error += rounding_error(2, std::abs(y) + std::abs(r));
    y += r;
  }
  return {y, error};
}

// Operands of an epilogue over (m, n), of which each combination takes some.
struct EpilogueOperands {
  Matrix bias, scale, residual_scale, residual;

  EpilogueOperands(std::ptrdiff_t m, std::ptrdiff_t n)
      : bias(1, n), scale(1, n), residual_scale(1, n), residual(m, n, 5) {}

  static constexpr int kCombinations = 16;
  kernels::Epilogue combination(int bits, kernels::Act act) const {
    kernels::Epilogue e;
    if (bits & 1) e.bias = bias.data();
    if (bits & 2) e.scale = scale.data();
    if (bits & 4) {
      e.residual = residual.data();
      e.ldr = residual.ld();
      if (bits & 8) e.residual_scale = residual_scale.data();
    }
    e.act = act;
    if (act == kernels::Act::star_relu) {
      e.act_scale = 0.8944f;
      e.act_bias = -0.4472f;
    }
    return e;
  }
};

inline constexpr kernels::Act kAllActs[] = {
    kernels::Act::none,      kernels::Act::relu,       kernels::Act::gelu,
    kernels::Act::gelu_tanh, kernels::Act::quick_gelu, kernels::Act::silu,
    kernels::Act::star_relu, kernels::Act::sigmoid,    kernels::Act::tanh};

// Lanes of the widest vector that any level has: sizes 1 .. 2 * kMaxLanes + 1 cover every tail.
inline constexpr int kMaxLanes = 16;

}  // namespace fovea::test
