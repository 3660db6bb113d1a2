// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "fovea/nn/conv2d.h"
#include "fovea/nn/linear.h"
#include "fovea/nn/mixer.h"
#include "fovea/nn/norm.h"
#include "fovea/nn/squeeze_excite.h"

namespace fovea::nn {

// Walks one after the other, as one sequence.
using ScanSequence = std::vector<ScanWalk>;

// Rows, columns, and both from the end: VMamba (arXiv:2401.10166).
std::vector<ScanSequence> cross_walks();
// Rows and columns in serpentines, each from both ends: PlainMamba (arXiv:2403.17695).
std::vector<ScanSequence> snake_walks();

struct ScanShape {
  int channels = 0;
  int state = 16;  // N: values of state per channel
  int rank = 1;    // R: of the step's projection
};

// The parameters of one or several scans, as checkpoints have them.
struct ScanTensors {
  Tensor x_proj;     // (sets, R + 2 N, channels)
  Tensor dt_weight;  // (sets, channels, R)
  Tensor dt_bias;    // (sets, channels)
  Tensor a_log;      // (sets * channels, N)
  Tensor d;          // (sets * channels)

  // Binds "x_proj_weight", "dt_projs_weight", "dt_projs_bias", "A_logs", "Ds" in these shapes.
  static ScanTensors stacked(const Params& p, const ScanShape& shape, int sets);
  // Binds one set under Mamba's own names: "x_proj.weight", "dt_proj.weight", "dt_proj.bias",
  // "A_log", "D".
  static ScanTensors single(const Params& p, const ScanShape& shape);
};

// What PlainMamba's scans have of their own.
struct ScanQuirks {
  // r, b and c of the t-th step stand at token t in raster order, whichever token u is from.
  bool by_step = false;
  // Binds "direction_Bs" (5, N): b of a step gets the row of the move that leads to it: none (the
  // first step), right, left, up, down. With by_step only.
  bool direction_b = false;
  bool dt_bias_twice = false;
};

// Selective scans (Mamba, arXiv:2312.00752) of one map in several orders, added up. With
// [r | b | c] = x_proj u for each scan, and along its walks
//
//   dt = softplus(dt_weight r + dt_bias),  h = exp(-exp(a_log) dt) h + dt b u,  y += c h + d u.
class SelectiveScan {
 public:
  // One scan per sequence, with the sets first, first + 1, ... of `tensors`; `p` is for quirks.
  // With `shared` all have set `first`.
  SelectiveScan(const Params& p, const ScanShape& shape, const ScanTensors& tensors, int first,
                std::vector<ScanSequence> sequences, bool shared = false,
                const ScanQuirks& quirks = {});

  // u, y (n, h, w, channels), not in place.
  void forward(CMapF u, MapF y, Context& ctx) const;

 private:
  struct Set {
    FloatBuffer dt_weight, dt_bias, a, d;  // as ScanPath wants them
  };
  void add_directions(CMapF b, MapF y, Context& ctx) const;

  const Backend* backend_;
  ScanShape shape_;
  std::vector<ScanSequence> sequences_;
  bool shared_;
  bool by_step_;
  Linear project_;  // of all sets at once, in image order: the walks do the ordering
  std::vector<Set> sets_;
  FloatBuffer directions_;  // (5, N), or empty
};

// What follows a scan.
enum class ScanNormKind : std::uint8_t {
  layer,  // LayerNorm: "weight", "bias"
  none,
  sigmoid,
  conv,            // a depthwise 3x3 convolution without bias: "1.weight"
  layer_and_conv,  // both: "0.weight", "0.bias", "2.weight"
};

class ScanNorm {
 public:
  ScanNorm(const Params& p, int c, ScanNormKind kind, float eps);
  // x (n, h, w, c), in place.
  void forward(MapF x, Context& ctx) const;
  // Whether a token's result depends on that token alone.
  bool by_rows() const { return !conv_; }

 private:
  const Backend* backend_;
  std::optional<LayerNorm> norm_;
  std::optional<Conv2d> conv_;
  bool sigmoid_;
};

// A second scan of MSVMamba (arXiv:2405.14174) at half the resolution: a depthwise 7x7 convolution
// with stride 2 and the activation, the sequence, then enlarged to the map's size and added.
struct CoarseScan {
  ScanSequence sequence;
  int set = 0;  // of the stacked parameter sets; the fine scans have the others
  // Whether both results pass the norm before they are added, the coarse one step by step of its
  // sequence, or their sum does.
  bool norm_each = false;
  Interpolation enlarge = Interpolation::nearest;
};

struct SelectiveScanOptions {
  int inner = 0;  // channels of the scan; 0: 2 c
  int state = 16;
  int rank = 0;       // 0: c / 16, rounded up
  bool bias = false;  // of in_proj and out_proj
  int kernel = 3;     // of the depthwise convolution, odd; below 2 there is none
  bool conv_bias = true;
  Activation act = Activation::Kind::silu;
  std::vector<ScanSequence> sequences = cross_walks();
  bool shared = false;  // one set of parameters, under Mamba's names
  ScanQuirks quirks = {};
  std::optional<CoarseScan> coarse = {};
  ScanNormKind norm = ScanNormKind::layer;
  float norm_eps = 1e-5f;
  int squeeze = 0;  // the reduction of a squeeze-excite after the norm; 0: none
  Activation out_act = {};
  bool gate = true;
  Activation gate_act = Activation::Kind::silu;
};

// SS2D, the token mixer of VMamba (arXiv:2401.10166) and what has come of it:
//
//   [v | z] = in_proj(x),  u = act(conv2d(v)),  y = out_proj(out_act(se(norm(scan(u)))) * gate(z))
//
// Binds "in_proj", "conv2d", the scans' tensors (above), "out_norm", "se", "out_proj", and for a
// coarse scan "conv2d_b1".
class SelectiveScan2d final : public Mixer {
 public:
  SelectiveScan2d(const Params& p, int c, const SelectiveScanOptions& options);
  // x, y (n, h, w, c).
  void forward(CMapF x, MapF y, Context& ctx, const Epilogue& epilogue) const override;

 private:
  // v (n, h, w, inner) at full resolution; adds the coarse scan to y, like v.
  void add_coarse(CMapF v, MapF y, Context& ctx) const;
  void scan_steps(CMapF u, MapF y, Context& ctx) const;

  std::string in_proj_path_;
  const Backend* backend_;
  Linear in_proj_;
  std::optional<Conv2d> conv_, coarse_conv_;
  std::optional<SelectiveScan> scan_, coarse_scan_;
  std::optional<CoarseScan> coarse_;
  std::optional<ScanNorm> norm_;
  std::optional<SqueezeExcite> squeeze_;
  Linear out_proj_;
  int inner_;
  bool gate_;
  Activation act_, out_act_, gate_act_;
};

}  // namespace fovea::nn
