// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fovea/backend/ops.h"
#include "fovea/backend/sequence_ops.h"
#include "fovea/core/context.h"
#include "fovea/core/tensor.h"

namespace fovea {

class Backend;
class WeightArena;

// Weights in the layout of one backend's kernels: made at load, read by the backend that made them,
// opaque to everybody else.
class Packed {
 public:
  enum class Kind : std::uint8_t { linear, conv2d };

  virtual ~Packed() = default;
  virtual std::size_t bytes() const = 0;

  // Set by Backend::pack_*; what the door compares the arguments of an operator with.
  const Backend* owner = nullptr;
  Kind kind = Kind::linear;
  int in = 0, out = 0;             // channels; of a grouped convolution, over all groups
  int kernel_h = 1, kernel_w = 1;  // of a convolution
  Conv2dSpec conv;                 // of a convolution
};
using PackedPtr = std::unique_ptr<const Packed>;

// What helps to pack the many weights of a network; any of it may be null.
struct PackTools {
  const ThreadPool* pool = nullptr;  // shares the work
  WeightArena* arena = nullptr;      // takes the results
};

// The operators of vision backbones. The public functions are the door: they check shapes, once,
// and throw Error(argument) naming the operator, what was wanted and what was found; then they call
// the protected virtual do_...(), which checks nothing.
//
// A new backend writes the pure ones. The fused ones have a body made of those, so that it is right
// from then on and becomes fast one override at a time.
//
// Outputs must not overlap inputs; "in place" means that y may be x. Results depend on neither the
// threads nor an image's place in the batch ("eigen", "onednn": as far as those libraries go).
class Backend {
 public:
  virtual ~Backend() = default;
  Backend() = default;
  Backend(const Backend&) = delete;
  Backend& operator=(const Backend&) = delete;

  virtual std::string_view name() const = 0;
  // The instruction set in use: "avx2", "" where the backend does not choose.
  virtual std::string_view isa() const { return ""; }
  // Whether operators on few rows and one thread run as well as on all rows and all threads, so
  // that chains of them should pass through the caches strip by strip (nn/row_strips.h).
  virtual bool wants_strips() const { return false; }

  // --- Weights. A tensor without data packs to an object that remembers its shape only: enough for
  // a dry run, an error in a real one.

  // w: (out, in) or (out, in, 1, 1).
  PackedPtr pack_linear(const Tensor& w, const PackTools& tools = {}) const;
  // w: (out, in / groups, kernel_h, kernel_w).
  PackedPtr pack_conv2d(const Tensor& w, const Conv2dSpec& spec, const PackTools& tools = {}) const;

  // --- Pure operators.

  // y(..., out) = epilogue(x(..., in) w^T), row by row.
  void linear(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y, Context& ctx) const;
  // y(n, oh, ow, out) = epilogue(conv(x(n, h, w, in))): dense, grouped, depthwise, any stride and
  // dilation. y.h and y.w must be conv_out_size().
  void conv2d(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y, Context& ctx) const;
  // Over the channels of each row. In place allowed.
  void layer_norm(CMapF x, const NormParams& norm, MapF y, Context& ctx) const;
  // y = x / sqrt(mean of x^2 + eps) * weight + bias over the channels of each row. In place
  // allowed.
  void rms_norm(CMapF x, const NormParams& norm, MapF y, Context& ctx) const;
  // GroupNorm with one group: over h, w and c of each image. In place allowed.
  void group_norm(CMapF x, const NormParams& norm, MapF y, Context& ctx) const;
  // Global response normalisation of ConvNeXt V2 (arXiv:2301.00808), in place allowed:
  // y = x + weight * x * g / (mean over c of g + eps) + bias, g = L2 norm over h, w.
  void grn(CMapF x, const NormParams& norm, MapF y, Context& ctx) const;
  // y = epilogue(x), element by element: activations, sums, layer scales, copies. In place allowed.
  void apply(CMapF x, const Epilogue& epilogue, MapF y, Context& ctx) const;
  // y = a * act(b): gates. In place allowed.
  void multiply(CMapF a, CMapF b, MapF y, Context& ctx, Activation act = {}) const;
  // y = x * s, s (n, 1, 1, c) one factor per image and channel: squeeze-excite. In place allowed.
  void scale_channels(CMapF x, CMapF s, MapF y, Context& ctx) const;
  // Over the channels of each row. In place allowed.
  void softmax(CMapF x, MapF y, Context& ctx) const;
  void pool2d(CMapF x, const Pool2dSpec& spec, MapF y, Context& ctx) const;
  // y(n, 1, 1, c) = mean over h and w.
  void global_average(CMapF x, MapF y, Context& ctx) const;
  // y(n, oh, ow, c): cell (i, j) is the mean over rows floor(i h / oh) to ceil((i + 1) h / oh) and
  // columns likewise.
  void adaptive_average(CMapF x, MapF y, Context& ctx) const;
  // To y's size, as torch's interpolate() with align_corners=False, without antialiasing.
  void resize2d(CMapF x, Interpolation interpolation, MapF y, Context& ctx) const;
  // Token i of every image of y is token index[i] of the same image of x; zeros where that is -1.
  // index has y.h * y.w entries, which a dry run does not read.
  void gather(CMapF x, const int* index, MapF y, Context& ctx) const;
  // Rotary position embedding of every head of x (n, h, w, heads * head_dim). In place allowed.
  void rotary(CMapF x, int heads, const RotarySpec& spec, MapF y, Context& ctx) const;
  // y(n, ceil(h/2), ceil(w/2), 4c): the 2x2 neighbours side by side, in the order (0,0), (1,0),
  // (0,1), (1,1) of (row, column); zeros beyond the edge.
  void patch_merge(CMapF x, MapF y, Context& ctx) const;
  // q (n, 1, lq, heads*d), k and v (n, 1, lk, heads*d), y like q. Maps may be channel ranges of one
  // packed qkv map.
  void attention(CMapF q, CMapF k, CMapF v, const AttentionSpec& spec, MapF y, Context& ctx) const;
  // qkv (n, h, w, 3c), rows q, k, v one after the other; y (n, h, w, c), in image order.
  void window_attention(CMapF qkv, const WindowSpec& spec, MapF y, Context& ctx) const;

  // --- Sequences in linear time (sequence_ops.h). h, w of the maps matter to the walks of a scan
  // only.

  // u, y (n, h, w, channels); y is the sum over the paths. `state`: N.
  void selective_scan(CMapF u, std::span<const ScanPath> paths, int state, MapF y,
                      Context& ctx) const;
  // x, y (n, h, w, heads * P); dt (n, h, w, heads); b, c (n, h, w, groups * N).
  void state_space(CMapF x, CMapF dt, CMapF b, CMapF c, const StateSpaceSpec& spec, MapF y,
                   Context& ctx) const;
  // q, k (n, h, w, heads * d) and v, y (n, h, w, heads * dv); k and v may have other h and w.
  void linear_attention(CMapF q, CMapF k, CMapF v, const LinearAttentionSpec& spec, MapF y,
                        Context& ctx) const;
  // q, k (n, h, w, heads * d); v, y (n, h, w, heads * dv); gates (n, h, w, 2 * heads * d), those of
  // the way forward first.
  void gated_attention(CMapF q, CMapF k, CMapF v, CMapF gates, const GatedAttentionSpec& spec,
                       MapF y, Context& ctx) const;

  // --- Fused operators, with default bodies.

  // y = fc2(fc1(x)), each with its epilogue; the second's residual may be y.
  void mlp(CMapF x, const Packed& fc1, const Epilogue& epilogue1, const Packed& fc2,
           const Epilogue& epilogue2, MapF y, Context& ctx) const;
  // y = epilogue(average(x) - x): the token mixer of PoolFormer (arXiv:2111.11418); k x k, stride
  // 1, padding not counted. k is odd.
  void pooling(CMapF x, int k, const Epilogue& epilogue, MapF y, Context& ctx) const;

 protected:
  virtual std::unique_ptr<Packed> do_pack_linear(const Tensor& w, const PackTools& tools) const = 0;
  virtual std::unique_ptr<Packed> do_pack_conv2d(const Tensor& w, const Conv2dSpec& spec,
                                                 const PackTools& tools) const = 0;
  virtual void do_linear(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y,
                         Context& ctx) const = 0;
  virtual void do_conv2d(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y,
                         Context& ctx) const = 0;
  virtual void do_layer_norm(CMapF x, const NormParams& norm, MapF y, Context& ctx) const = 0;
  virtual void do_group_norm(CMapF x, const NormParams& norm, MapF y, Context& ctx) const = 0;
  virtual void do_grn(CMapF x, const NormParams& norm, MapF y, Context& ctx) const = 0;
  virtual void do_apply(CMapF x, const Epilogue& epilogue, MapF y, Context& ctx) const = 0;
  virtual void do_multiply(CMapF a, CMapF b, const Activation& act, MapF y, Context& ctx) const = 0;
  virtual void do_softmax(CMapF x, MapF y, Context& ctx) const = 0;
  virtual void do_pool2d(CMapF x, const Pool2dSpec& spec, MapF y, Context& ctx) const = 0;
  virtual void do_global_average(CMapF x, MapF y, Context& ctx) const = 0;
  virtual void do_attention(CMapF q, CMapF k, CMapF v, const AttentionSpec& spec, MapF y,
                            Context& ctx) const = 0;
  virtual void do_window_attention(CMapF qkv, const WindowSpec& spec, MapF y,
                                   Context& ctx) const = 0;
  virtual void do_patch_merge(CMapF x, MapF y, Context& ctx) const = 0;

  // Bodies in double, one for all backends until one has a faster.
  virtual void do_rms_norm(CMapF x, const NormParams& norm, MapF y, Context& ctx) const;
  virtual void do_scale_channels(CMapF x, CMapF s, MapF y, Context& ctx) const;
  virtual void do_adaptive_average(CMapF x, MapF y, Context& ctx) const;
  virtual void do_resize2d(CMapF x, Interpolation interpolation, MapF y, Context& ctx) const;
  virtual void do_gather(CMapF x, const int* index, MapF y, Context& ctx) const;
  virtual void do_rotary(CMapF x, int heads, const RotarySpec& spec, MapF y, Context& ctx) const;
  virtual void do_selective_scan(CMapF u, std::span<const ScanPath> paths, int state, MapF y,
                                 Context& ctx) const;
  virtual void do_state_space(CMapF x, CMapF dt, CMapF b, CMapF c, const StateSpaceSpec& spec,
                              MapF y, Context& ctx) const;
  virtual void do_linear_attention(CMapF q, CMapF k, CMapF v, const LinearAttentionSpec& spec,
                                   MapF y, Context& ctx) const;
  virtual void do_gated_attention(CMapF q, CMapF k, CMapF v, CMapF gates,
                                  const GatedAttentionSpec& spec, MapF y, Context& ctx) const;

  virtual void do_mlp(CMapF x, const Packed& fc1, const Epilogue& epilogue1, const Packed& fc2,
                      const Epilogue& epilogue2, MapF y, Context& ctx) const;
  virtual void do_pooling(CMapF x, int k, const Epilogue& epilogue, MapF y, Context& ctx) const;

 private:
  PackedPtr finish(std::unique_ptr<Packed> packed, Packed::Kind kind, int in, int out) const;
};

struct BackendOptions {
  // Instruction set of the native backend: "", "generic", "avx2", "avx512". Empty: the environment
  // variable FOVEA_ISA, else the best that the processor has.
  std::string isa;
};

// "native", "reference", and "eigen" and "onednn" when they were built in. Throws Error(argument)
// for an unknown name or instruction set, Error(failed) for one that this processor lacks.
std::shared_ptr<const Backend> make_backend(std::string_view name = "native",
                                            const BackendOptions& options = {});
std::vector<std::string_view> backend_names();
// The instruction sets that this processor can run, lowest first.
std::vector<std::string_view> isa_names();

}  // namespace fovea
