// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "fovea/backend/backend.h"
#include "kernels/table.h"

namespace fovea {

// The operators on the hand-written kernels of one instruction set: chooses tiles, packs weights,
// shares the work among threads. Kernels compute each element in one fixed order of operations
// wherever it lies in a tile, so the tiles here may follow the number of threads and results do
// not. All scratch comes from the workspace.
class NativeBackend final : public Backend {
 public:
  // `isa`: a level that this processor can run.
  explicit NativeBackend(kernels::Isa isa) : kernels_(kernels::kernel_table(isa)) {}

  std::string_view name() const override { return "native"; }
  std::string_view isa() const override { return kernels::isa_name(kernels_.isa); }
  bool wants_strips() const override { return true; }

 protected:
  std::unique_ptr<Packed> do_pack_linear(const Tensor& w, const PackTools& tools) const override;
  std::unique_ptr<Packed> do_pack_conv2d(const Tensor& w, const Conv2dSpec& spec,
                                         const PackTools& tools) const override;
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
  void do_rms_norm(CMapF x, const NormParams& norm, MapF y, Context& ctx) const override;
  void do_scale_channels(CMapF x, CMapF s, MapF y, Context& ctx) const override;
  void do_adaptive_average(CMapF x, MapF y, Context& ctx) const override;
  void do_resize2d(CMapF x, Interpolation interpolation, MapF y, Context& ctx) const override;
  void do_rotary(CMapF x, int heads, const RotarySpec& spec, MapF y, Context& ctx) const override;
  void do_selective_scan(CMapF u, std::span<const ScanPath> paths, int state, MapF y,
                         Context& ctx) const override;
  void do_state_space(CMapF x, CMapF dt, CMapF b, CMapF c, const StateSpaceSpec& spec, MapF y,
                      Context& ctx) const override;
  void do_linear_attention(CMapF q, CMapF k, CMapF v, const LinearAttentionSpec& spec, MapF y,
                           Context& ctx) const override;
  void do_gated_attention(CMapF q, CMapF k, CMapF v, CMapF gates, const GatedAttentionSpec& spec,
                          MapF y, Context& ctx) const override;
  void do_mlp(CMapF x, const Packed& fc1, const Epilogue& epilogue1, const Packed& fc2,
              const Epilogue& epilogue2, MapF y, Context& ctx) const override;
  void do_pooling(CMapF x, int k, const Epilogue& epilogue, MapF y, Context& ctx) const override;

 private:
  // y (rows, n) = epilogue(x (rows, k) b), b packed, in tiles over the threads. A product of one
  // tile asks for what is wanted later.
  void product(const float* x, std::ptrdiff_t ldx, std::ptrdiff_t rows, const float* b, int k,
               int n, const Epilogue& epilogue, const MapF& y, const Context& ctx,
               const kernels::Ahead& later = {}) const;
  std::unique_ptr<Packed> pack_rows(const Tensor& w, int groups, int inner, int positions,
                                    const PackTools& tools) const;
  void depthwise(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y, Context& ctx) const;
  void dense(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y, Context& ctx) const;
  void shared_state(CMapF x, CMapF dt, CMapF b, CMapF c, const StateSpaceSpec& spec, MapF y,
                    Context& ctx) const;
  struct WindowTask;
  void attend_window(const WindowTask& task, int image, int window, int head_begin, int head_end,
                     int slot) const;

  const kernels::KernelTable& kernels_;
};

// The kernels' form of an epilogue.
kernels::Epilogue kernel_epilogue(const Epilogue& epilogue);

}  // namespace fovea
