// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/backend/backend.h"
#include "src/backend/parallel.h"

namespace fovea {

// Every operator in plain single-precision loops around one matrix product, threaded over rows,
// images and windows: what a backend that brings a matrix library starts from. Tiles do not depend
// on the number of threads, so neither do the results where those of matmul() do not.
class PortableBackend : public Backend {
 protected:
  // c(m, n) = alpha a b, all row-major; b is (k, n), or (n, k) when it is transposed. Called from
  // inside parallel regions: it computes on the calling thread alone and does not throw.
  virtual void matmul(int m, int n, int k, float alpha, const float* a, std::ptrdiff_t lda,
                      const float* b, std::ptrdiff_t ldb, bool transposed, float* c,
                      std::ptrdiff_t ldc) const = 0;

  std::unique_ptr<Packed> do_pack_linear(const Tensor& w, const PackTools&) const override;
  std::unique_ptr<Packed> do_pack_conv2d(const Tensor& w, const Conv2dSpec& spec,
                                         const PackTools&) const override;
  void do_linear(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y,
                 Context& ctx) const override;
  void do_conv2d(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y,
                 Context& ctx) const override;
  void do_layer_norm(CMapF x, const NormParams& norm, MapF y, Context& ctx) const override;
  void do_group_norm(CMapF x, const NormParams& norm, MapF y, Context& ctx) const override;
  void do_grn(CMapF x, const NormParams& norm, MapF y, Context& ctx) const override;
  void do_apply(CMapF x, const Epilogue& epilogue, MapF y, Context& ctx) const override;
  void do_multiply(CMapF a, CMapF b, const Activation& act, MapF y, Context& ctx) const override;
  void do_softmax(CMapF x, MapF y, Context& ctx) const override;
  void do_pool2d(CMapF x, const Pool2dSpec& spec, MapF y, Context& ctx) const override;
  void do_global_average(CMapF x, MapF y, Context& ctx) const override;
  void do_attention(CMapF q, CMapF k, CMapF v, const AttentionSpec& spec, MapF y,
                    Context& ctx) const override;
  void do_window_attention(CMapF qkv, const WindowSpec& spec, MapF y, Context& ctx) const override;
  void do_patch_merge(CMapF x, MapF y, Context& ctx) const override;

 private:
  void depthwise(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y, Context& ctx) const;
};

// Channels first .. first + count of row `row` of Epilogue's formula. acc (count) is overwritten; y
// points to the first of those channels and may be where the residual is.
void finish_row(float* acc, const Epilogue& epilogue, std::ptrdiff_t row, int first, int count,
                float* y);

void softmax_row(const float* x, int c, float* y);

}  // namespace fovea
