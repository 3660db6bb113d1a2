// SPDX-License-Identifier: Apache-2.0
//
// MSVMamba (arXiv:2405.14174) after the authors' classification/models/vmamba.py
// (YuHengsss/MSVMamba, branch master), under its names.
//
// Checkpoints: the authors'; the published accuracy is that of their "model_ema".
//
// Deviations: what the released code cannot run (scans that are not multi-scale, or not in all
// stages) and what no published checkpoint has (ms_split other than [1, 3], add_conv false,
// sep_norm, a rank ratio below the ratio) is refused.
#include "models/families.h"
#include "models/vss_block.h"

namespace fovea::models {
namespace {

// Whether an argument is what the reference calls None: absent, null or the word.
bool is_none(const ModelArgs& args, std::string_view name, std::string_view otherwise) {
  std::string text(otherwise);
  args.read(name, text);
  return text == otherwise;
}

void read_scan(const ModelArgs& args, VssConfig& c) {
  std::string type = "multiscale_4scan_12";
  args.read("sscore_type", type);
  if (type != "multiscale_4scan_12") {
    wrong_argument("sscore_type", "multiscale_4scan_12, which alone the released code can run",
                   "\"" + type + "\"");
  }
  List<int> stages = {0, 1, 2, 3};
  args.read("ms_stage", stages, 0, 7);
  for (int i = 0; i < c.stages(); ++i) {
    if (std::find(stages.begin(), stages.end(), i) == stages.end()) {
      wrong_argument("ms_stage", "all stages, as the released code cannot run another",
                     "none for stage " + std::to_string(i));
    }
  }
  List<int> split = {1, 3};
  args.read("ms_split", split, 0, 3);
  if (split.size() != 2 || split[0] != 1 || split[1] != 3) {
    wrong_argument("ms_split", "[1, 3]", "another list");
  }
  std::string form = "v2";
  args.read("forward_type", form);
  std::string base = form;
  c.form = {};
  c.form.gate_act = !cut_suffix(base, "nozact");
  if (cut_suffix(base, "sigmoid")) c.form.norm = nn::ScanNormKind::sigmoid;
  if (base != "v0" && base != "v1" && base != "v2") {
    wrong_argument("forward_type", "v0, v1 or v2, and of the suffixes sigmoid, nozact",
                   "\"" + form + "\"");
  }
}

VssConfig configured(VssConfig c, const ModelArgs& args) {
  read_vss_args(args, c);
  if (c.channels_first) wrong_argument("norm_layer", "ln", "ln2d");
  if (c.ssm_conv < 3) wrong_argument("ssm_conv", "at least 3", std::to_string(c.ssm_conv));
  read_scan(args, c);
  double rank_ratio = 2.0;
  args.read("ssm_rank_ratio", rank_ratio);
  if (rank_ratio > 0 && rank_ratio < c.ssm_ratio) {
    wrong_argument("ssm_rank_ratio", "at least ssm_ratio", std::to_string(rank_ratio));
  }
  bool se = c.squeeze > 0, ffn = c.conv_ffn_ratio > 0, conv = true;
  args.read("add_se", se);
  args.read("convFFN", ffn);
  args.read("add_conv", conv);
  if (!conv) wrong_argument("add_conv", "true", "false");
  c.squeeze = se ? 8 : 0;
  c.conv_ffn_ratio = ffn ? 2 : 0;
  refuse_true(args, "sep_norm");
  if (!is_none(args, "ms_fusion", "")) wrong_argument("ms_fusion", "null", "another value");
  if (!is_none(args, "upsample", "interpolate")) {
    wrong_argument("upsample", "interpolate", "another value");
  }
  // Read by nothing in the released code.
  args.ignore({"up_sample", "ffn_dropout", "recurrent", "inter_block_ssm", "grid_size",
               "multiscale_ratio", "multiscale_ksize", "continous_patch", "adaptive_merge",
               "b1_seq", "b1_ratio", "lpu"});
  args.finish("msvmamba");
  return c;
}

constexpr VssConfig msvmamba(int dim, int third_depth) {
  VssConfig c;
  c.depths = {1, 2, third_depth, 2};
  c.dims = {dim, 2 * dim, 4 * dim, 8 * dim};
  c.downsample = 1;
  c.d_state = 1;
  c.coarse = CoarseForm::normed_apart;
  c.squeeze = 8;
  c.mlp_ratio = 0;
  c.conv_ffn_ratio = 2;
  return c;
}

constexpr VssVariant kVariants[] = {
    {"msvmamba_nano", msvmamba(48, 5)},
    {"msvmamba_micro", msvmamba(64, 5)},
    {"msvmamba_tiny", msvmamba(96, 9)},
};
constexpr auto kModels = model_table(kVariants);

// The constructor's defaults, but for the scan: with its own the released code cannot run.
constexpr VssConfig defaults() {
  VssConfig c;
  c.coarse = CoarseForm::normed_apart;
  return c;
}

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  const VssConfig c = variant < 0 ? defaults() : kVariants[variant].config;
  return make_vssm(p, "msvmamba", configured(c, args));
}

}  // namespace

const ModelFamily kMsVMamba = {
    .name = "msvmamba",
    .description = "MSVMamba (arXiv:2405.14174), after the authors' code",
    .models = kModels,
    .make = make,
    .rename = rename_vssm,
};

}  // namespace fovea::models
