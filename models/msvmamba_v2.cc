// SPDX-License-Identifier: Apache-2.0
//
// MSVMamba as published at NeurIPS 2024 (arXiv:2405.14174) after the authors'
// classification/models/vmamba.py (YuHengsss/MSVMamba, branch v2), under its names.
//
// Checkpoints: the authors'; the published accuracy is that of their "model_ema".
//
// Deviations: of `full_res_index` 1 and 2 only, since 3 and 4 read a part of the sequence twice and
// another never; forward types without a published checkpoint (axis, mambav2, linearAttention,
// v31d, v32d) are refused.
#include "models/families.h"
#include "models/vss_block.h"

namespace fovea::models {
namespace {

void read_form(const ModelArgs& args, VssConfig& c) {
  std::string type;
  args.read("forward_type", type);
  if (type.empty()) return;
  std::string base = type;
  c.form = cut_form(base);
  c.coarse = base == "vms" ? CoarseForm::normed_sum : CoarseForm::none;
  if (base != "vms" && base != "v05notriton" && !is_vmamba_form(base, c.form)) {
    wrong_argument("forward_type",
                   "vms, v01 to v05, v051d, v052d, v2 or v3, and of the suffixes _onnone, "
                   "_ondwconv3, _oncnorm, _onsigmoid, _nozact, _noz, _oact, _no32",
                   "\"" + type + "\"");
  }
}

VssConfig configured(VssConfig c, const ModelArgs& args) {
  read_vss_args(args, c);
  read_form(args, c);
  if (c.coarse != CoarseForm::none && c.ssm_conv < 3) {
    wrong_argument("ssm_conv", "at least 3 with forward_type vms", std::to_string(c.ssm_conv));
  }
  bool se = c.squeeze > 0, ffn = c.conv_ffn_ratio > 0;
  int ffn_ratio = ffn ? c.conv_ffn_ratio : 2, full = 1;
  args.read("add_se", se);
  args.read("convffn", ffn);
  args.read("conv_ffn_ratio", ffn_ratio, 1, 64);
  args.read("full_res_index", full, 1, 2);
  c.squeeze = se ? 8 : 0;
  c.conv_ffn_ratio = ffn ? ffn_ratio : 0;
  if (ffn) c.mlp_ratio = 0;
  c.fine_backwards = full == 2;
  refuse_true(args, "gmlp");
  read_positions(args, c);
  // For forward types that are refused, or read by nothing.
  args.ignore({"axis_stage", "num_heads", "pre_norm", "ssm_rank_ratio"});
  args.finish("msvmamba_v2");
  return c;
}

constexpr VssConfig msvmamba(int dim, int second_depth, int third_depth, bool gate) {
  VssConfig c;
  c.depths = {2, second_depth, third_depth, 2};
  c.dims = {dim, 2 * dim, 4 * dim, 8 * dim};
  c.patchembed = 2;
  c.downsample = 3;
  c.d_state = 1;
  c.ssm_ratio = 1;
  c.form.gate = gate;
  c.coarse = CoarseForm::normed_sum;
  c.squeeze = 8;
  c.mlp_ratio = 0;
  c.conv_ffn_ratio = 4;
  c.channels_first = true;
  return c;
}

constexpr VssVariant kVariants[] = {
    {"msvmambav3_tiny", msvmamba(96, 2, 9, false)},
    {"msvmambav3_small", msvmamba(96, 3, 20, false)},
    {"msvmambav3_base", msvmamba(128, 4, 18, true)},
};
constexpr auto kModels = model_table(kVariants);

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  const VssConfig c = variant < 0 ? VssConfig() : kVariants[variant].config;
  return make_vssm(p, "msvmamba_v2", configured(c, args));
}

}  // namespace

const ModelFamily kMsVMambaV2 = {
    .name = "msvmamba_v2",
    .description = "MSVMamba of NeurIPS 2024 (arXiv:2405.14174), after the authors' code",
    .models = kModels,
    .make = make,
    .rename = rename_vssm,
};

}  // namespace fovea::models
