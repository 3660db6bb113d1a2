// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <optional>
#include <string>

#include "fovea/nn/activation.h"
#include "fovea/nn/conv_ffn.h"
#include "fovea/nn/mlp.h"
#include "fovea/nn/selective_scan.h"
#include "models/vssm_network.h"

// The block of VMamba and of the networks made from its code: VSSBlock.
namespace fovea::models {

// How a published `forward_type` scans; "v05_noz" and the like.
struct ScanForm {
  enum class Walks : std::uint8_t { cross, forward, both_ways };
  Walks walks = Walks::cross;
  nn::ScanNormKind norm = nn::ScanNormKind::layer;
  bool gate = true;
  bool gate_act = true;  // whether z passes the activation
  bool out_act = false;  // GELU before the gate
};

// What MSVMamba adds: a scan at half the resolution.
enum class CoarseForm : std::uint8_t {
  none,
  normed_apart,  // branch master: parameter set 0, a norm for each step, bilinear
  normed_sum,    // branch v2: parameter set 1, a norm of the sum, nearest
};

struct VssConfig : VssmLayout {
  int d_state = 16;  // 0: channels / 6, rounded up
  int dt_rank = 0;   // 0: channels / 16, rounded up
  double ssm_ratio = 2.0;
  int ssm_conv = 3;
  bool ssm_conv_bias = true;
  Activation ssm_act = Activation::Kind::silu;
  ScanForm form;
  CoarseForm coarse = CoarseForm::none;
  bool fine_backwards = false;  // with a coarse scan: which walk is the fine one
  int squeeze = 0;              // reduction of squeeze-excite; 0: none
  double mlp_ratio = 4.0;       // 0: no MLP
  Activation mlp_act = Activation::Kind::gelu;
  int conv_ffn_ratio = 0;  // 0: no ConvFFN
  // The order of the reference's maps. It matters to what the reference makes depend on it: then
  // the ConvFFN is x + norm2(f(x)) in place of x + f(norm2(x)), and odd maps cannot be merged.
  bool channels_first = false;

  int dim(int stage) const { return dims[stage]; }
};

inline void read_ratio(const ModelArgs& args, std::string_view name, double lo, double& field) {
  args.read(name, field);
  if (field >= lo && field <= 64) return;
  wrong_argument(name, "a number from " + std::to_string(lo) + " to 64", std::to_string(field));
}

// Words that the reference compares in lower case.
inline void read_lower(const ModelArgs& args, std::string_view name, std::string& text) {
  args.read(name, text);
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

inline void read_activation(const ModelArgs& args, std::string_view name, Activation& act) {
  std::string text;
  read_lower(args, name, text);
  if (text.empty()) return;
  if (text != "silu" && text != "gelu" && text != "relu" && text != "sigmoid") {
    wrong_argument(name, "silu, gelu, relu or sigmoid", "\"" + text + "\"");
  }
  act = nn::activation(text);
}

inline void read_norm_layer(const ModelArgs& args, bool& channels_first) {
  std::string text;
  read_lower(args, "norm_layer", text);
  if (text.empty()) return;
  if (text != "ln" && text != "ln2d") {
    wrong_argument("norm_layer", "ln or ln2d", "\"" + text + "\"");
  }
  channels_first = text == "ln2d";
}

// The arguments that the VSSM of all three repositories has, but those of the scan's form.
inline void read_vss_args(const ModelArgs& args, VssConfig& c) {
  read_vssm_layout(args, c);
  read_vssm_versions(args, c);
  read_or_auto(args, "ssm_d_state", c.d_state);
  read_or_auto(args, "ssm_dt_rank", c.dt_rank);
  read_ratio(args, "ssm_ratio", 0.01, c.ssm_ratio);
  args.read("ssm_conv", c.ssm_conv, 0, 31);
  if (c.ssm_conv > 1) require_odd("ssm_conv", c.ssm_conv);
  args.read("ssm_conv_bias", c.ssm_conv_bias);
  read_activation(args, "ssm_act_layer", c.ssm_act);
  read_ratio(args, "mlp_ratio", 0, c.mlp_ratio);
  read_activation(args, "mlp_act_layer", c.mlp_act);
  read_norm_layer(args, c.channels_first);
  args.ignore({"ssm_drop_rate", "ssm_init", "ssm_simple_init", "mlp_drop_rate"});
}

// Learned positions, added to the first map.
inline void read_positions(const ModelArgs& args, VssConfig& c) {
  bool posembed = c.position_grid > 0;
  int imgsize = 224;
  args.read("posembed", posembed);
  args.read("imgsize", imgsize, 1, 1 << 14);
  const int grid = imgsize / c.patch_size;
  if (posembed && (grid < 1 || grid > 512)) {
    wrong_argument("imgsize", "a size of 1 to 512 patches", std::to_string(imgsize));
  }
  c.position_grid = posembed ? grid : 0;
}

inline void refuse_true(const ModelArgs& args, std::string_view name) {
  bool value = false;
  args.read(name, value);
  if (value) wrong_argument(name, "false (no published network has it)", "true");
}

// Cuts `tag` off the end of `text`.
inline bool cut_suffix(std::string& text, std::string_view tag) {
  if (!text.ends_with(tag)) return false;
  text.resize(text.size() - tag.size());
  return true;
}

// The suffixes of VMamba's `forward_type`, in the order in which the reference looks for them.
inline ScanForm cut_form(std::string& type) {
  ScanForm form;
  cut_suffix(type, "_no32");
  form.out_act = cut_suffix(type, "_oact");
  form.gate = !cut_suffix(type, "_noz");
  form.gate_act = !cut_suffix(type, "_nozact");
  using Kind = nn::ScanNormKind;
  constexpr std::pair<std::string_view, Kind> kNorms[] = {{"_onnone", Kind::none},
                                                          {"_ondwconv3", Kind::conv},
                                                          {"_oncnorm", Kind::layer_and_conv},
                                                          {"_onsigmoid", Kind::sigmoid}};
  for (const auto& [tag, kind] : kNorms) {
    if (cut_suffix(type, tag)) form.norm = kind;
  }
  return form;
}

// What is left of a `forward_type` without its suffixes, when the scans are VMamba's own.
inline bool is_vmamba_form(const std::string& type, ScanForm& form) {
  if (type == "v051d") form.walks = ScanForm::Walks::forward;
  if (type == "v052d") form.walks = ScanForm::Walks::both_ways;
  for (const std::string_view known :
       {"v01", "v02", "v03", "v04", "v05", "v051d", "v052d", "v2", "v3"}) {
    if (type == known) return true;
  }
  return false;
}

inline std::vector<nn::ScanSequence> walks_of(ScanForm::Walks walks) {
  using Along = ScanWalk::Along;
  const nn::ScanSequence there = {{Along::rows, false}}, back = {{Along::rows, true}};
  switch (walks) {
    case ScanForm::Walks::cross:
      break;
    case ScanForm::Walks::forward:
      return {there, there, there, there};
    case ScanForm::Walks::both_ways:
      return {there, there, back, back};
  }
  return nn::cross_walks();
}

// A layer's width, truncated as the reference does it.
inline int checked_width(std::string_view ratio, double width, int least) {
  if (width >= least && width <= 1 << 24) return static_cast<int>(width);
  wrong_argument(ratio, "a width from " + std::to_string(least) + " to 2^24",
                 std::to_string(width));
}

inline nn::SelectiveScanOptions scan_options(const VssConfig& c, int stage) {
  using Along = ScanWalk::Along;
  const int dim = c.dim(stage);
  nn::SelectiveScanOptions o;
  o.inner = checked_width("ssm_ratio", c.ssm_ratio * dim, std::max(1, c.squeeze));
  o.state = c.d_state > 0 ? c.d_state : (dim + 5) / 6;
  o.rank = c.dt_rank;
  o.kernel = c.ssm_conv;
  o.conv_bias = c.ssm_conv_bias;
  o.act = c.ssm_act;
  o.sequences = walks_of(c.form.walks);
  o.norm = c.form.norm;
  o.norm_eps = kVssmNormEps;
  o.squeeze = c.squeeze;
  o.gate = c.form.gate;
  o.gate_act = c.form.gate_act ? c.ssm_act : Activation();
  if (c.form.out_act) o.out_act = Activation::Kind::gelu;
  if (c.coarse != CoarseForm::none) {
    const bool apart = c.coarse == CoarseForm::normed_apart;
    o.sequences = {{{Along::rows, c.fine_backwards}}};
    o.coarse = nn::CoarseScan{.sequence = {{Along::rows, !c.fine_backwards},
                                           {Along::columns, false},
                                           {Along::columns, true}},
                              .set = apart ? 0 : 1,
                              .norm_each = apart,
                              .enlarge = apart ? Interpolation::bilinear : Interpolation::nearest};
  }
  return o;
}

// x += op(norm(x)); x += mlp(norm2(x)); x += convFFN(norm2(x)), the last two as configured.
class VssBlock {
 public:
  VssBlock(const Params& p, const VssConfig& c, int stage)
      : path_(p.path()),
        backend_(&p.backend()),
        norm_(p / "norm", c.dim(stage), kVssmNormEps),
        op_(p / "op", c.dim(stage), scan_options(c, stage)),
        postnorm_(c.channels_first) {
    const int dim = c.dim(stage);
    if (c.mlp_ratio > 0 || c.conv_ffn_ratio > 0) norm2_.emplace(p / "norm2", dim, kVssmNormEps);
    if (c.mlp_ratio > 0) {
      mlp_.emplace(p / "mlp", dim, checked_width("mlp_ratio", c.mlp_ratio * dim, 1), c.mlp_act);
    }
    if (c.conv_ffn_ratio > 0) {
      const double hidden = static_cast<double>(c.conv_ffn_ratio) * dim;
      conv_ffn_.emplace(p / "convFFN", dim, checked_width("conv_ffn_ratio", hidden, 1),
                        nn::ConvFfnOptions{.fc1 = "linear1", .conv = "dwc", .fc2 = "linear2"});
    }
  }

  // x (n, h, w, dim), in place.
  void forward(MapF x, Context& ctx) const {
    const Workspace::Scope scope(ctx.workspace());
    const MapF t = ctx.workspace().map_like(x);
    norm_.forward(x, t, ctx);
    op_.forward(t, x, ctx, {.residual = x});
    if (mlp_) {
      norm2_->forward(x, t, ctx);
      mlp_->forward(t, x, ctx, {.residual = x});
    }
    if (conv_ffn_) feed(x, t, ctx);
    ctx.tap(path_, x);
  }

 private:
  void feed(MapF x, MapF t, Context& ctx) const {
    if (postnorm_) {
      conv_ffn_->forward(x, t, ctx);
      norm2_->forward(t, t, ctx);
      backend_->apply(t, {.residual = x}, x, ctx);
    } else {
      norm2_->forward(x, t, ctx);
      conv_ffn_->forward(t, x, ctx, {.residual = x});
    }
  }

  std::string path_;
  const Backend* backend_;
  nn::LayerNorm norm_;
  nn::SelectiveScan2d op_;
  std::optional<nn::LayerNorm> norm2_;
  std::optional<nn::Mlp> mlp_;
  std::optional<nn::ConvFfn> conv_ffn_;
  bool postnorm_;
};

struct VssVariant {
  std::string_view name;
  VssConfig config;
  PreprocessConfig preprocess = {};  // all were trained alike: 256 / 224, bicubic, ImageNet's mean
};

inline std::unique_ptr<Backbone> make_vssm(const Params& p, std::string_view family, VssConfig c) {
  // Channels first, the reference pads odd maps along the wrong axes before it merges patches.
  c.even_maps = c.channels_first && c.downsample == 1;
  if (c.dims[0] < 2) wrong_argument("dims", "at least 2 channels", std::to_string(c.dims[0]));
  const Size2d input = {224, 224};
  return std::make_unique<VssmNetwork<VssBlock>>(
      p, family, c, input, [&](const Params& at, int stage) { return VssBlock(at, c, stage); });
}

// What `_load_from_state_dict` of the reference renames: the names of its first release.
inline std::string rename_vssm(const std::string& name) {
  constexpr RenameRule kRules[] = {
      {"patch_embed.proj.*", "patch_embed.0.*"},
      {"patch_embed.norm.*", "patch_embed.2.*"},
      {"layers.#.blocks.#.ln_1.*", "layers.#.blocks.#.norm.*"},
      {"layers.#.blocks.#.self_attention.*", "layers.#.blocks.#.op.*"},
      {"norm.*", "classifier.norm.*"},
      {"head.*", "classifier.head.*"},
  };
  return rename_by_table(kRules, name);
}

}  // namespace fovea::models
