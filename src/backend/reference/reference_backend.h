// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/backend/backend.h"
#include "src/backend/activate.h"

namespace fovea {

// What every other backend is compared with: naive loops over the definition of each operator,
// every sum and every function in double, one thread, no blocking. It is written to be read and is
// never optimised.
class ReferenceBackend final : public Backend {
 public:
  std::string_view name() const override { return "reference"; }

 protected:
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
  void do_pooling(CMapF x, int k, const Epilogue& epilogue, MapF y, Context& ctx) const override;

  // y(row, channel) of Epilogue's formula.
  static float finished(double acc, const Epilogue& e, std::ptrdiff_t row, int channel) {
    if (e.bias != nullptr) acc += e.bias[channel];
    double value = activate(e.act, acc);
    if (e.scale != nullptr) value *= e.scale[channel];
    if (!e.residual.empty()) {
      const double residual = e.residual.row(row)[channel];
      value += e.residual_scale != nullptr ? e.residual_scale[channel] * residual : residual;
    }
    return static_cast<float>(value);
  }
};

}  // namespace fovea
