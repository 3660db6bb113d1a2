// SPDX-License-Identifier: Apache-2.0
// Matrix products by Eigen, everything else portable.

// One product runs on the thread that asks for it; the backend spreads the tiles.
#define EIGEN_DONT_PARALLELIZE
#include <Eigen/Core>

#include "src/backend/backends.h"
#include "src/backend/portable/portable_backend.h"

namespace fovea {
namespace {

using RowMajor = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Stride = Eigen::OuterStride<>;
using ConstMatrix = Eigen::Map<const RowMajor, Eigen::Unaligned, Stride>;
using MutableMatrix = Eigen::Map<RowMajor, Eigen::Unaligned, Stride>;

class EigenBackend final : public PortableBackend {
 public:
  std::string_view name() const override { return "eigen"; }

 protected:
  void matmul(int m, int n, int k, float alpha, const float* a, std::ptrdiff_t lda, const float* b,
              std::ptrdiff_t ldb, bool transposed, float* c, std::ptrdiff_t ldc) const override {
    const ConstMatrix left(a, m, k, Stride(lda));
    MutableMatrix result(c, m, n, Stride(ldc));
    if (transposed) {
      result.noalias() = (alpha * left) * ConstMatrix(b, n, k, Stride(ldb)).transpose();
    } else {
      result.noalias() = (alpha * left) * ConstMatrix(b, k, n, Stride(ldb));
    }
  }
};

}  // namespace

std::shared_ptr<const Backend> make_eigen_backend() { return std::make_shared<EigenBackend>(); }

}  // namespace fovea
