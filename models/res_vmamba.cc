// SPDX-License-Identifier: Apache-2.0
//
// Res-VMamba (arXiv:2402.15761) after the authors' models/resvmamba.py (ChiShengChen/ResVMamba),
// under its names: the first VMamba with side branches around three stages.
//
// Checkpoints: the authors'. Their code draws the convolutions of the side branches at random in
// every forward and saves them nowhere; a checkpoint may have them as "res_convs.#.weight" and
// "res_convs.#.bias", else the branches add nothing. Levels of the pyramid are the stages' outputs
// after halving and addition.
//
// Deviations: softmax_version, which the released code cannot run, is refused.
#include "models/families.h"
#include "models/vss_block.h"

namespace fovea::models {
namespace {

constexpr VssConfig res_vmamba() {
  VssConfig c;
  c.residuals = true;
  return c;
}

VssConfig configured(VssConfig c, const ModelArgs& args) {
  read_vssm_layout(args, c);
  if (c.stages() < 4) wrong_argument("depths", "at least 4 stages", std::to_string(c.stages()));
  read_or_auto(args, "d_state", c.d_state);
  read_or_auto(args, "dt_rank", c.dt_rank);
  read_ratio(args, "ssm_ratio", 0.01, c.ssm_ratio);
  read_ratio(args, "mlp_ratio", 0, c.mlp_ratio);
  std::string downsample = c.downsample == 2 ? "v2" : "v1";
  args.read("downsample_version", downsample);
  c.downsample = downsample == "v2" ? 2 : 1;  // anything else merges patches
  refuse_true(args, "softmax_version");
  args.ignore({"attn_drop_rate", "drop_rate", "shared_ssm"});  // the last is read by nothing
  args.finish("res_vmamba");
  return c;
}

constexpr VssConfig small() {
  VssConfig c = res_vmamba();
  c.depths = {2, 2, 27, 2};
  c.downsample = 1;
  c.mlp_ratio = 0;
  c.num_classes = 241;
  return c;
}

constexpr VssVariant kVariants[] = {{"res_vmamba_small", small()}};
constexpr auto kModels = model_table(kVariants);

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  const VssConfig c = variant < 0 ? res_vmamba() : kVariants[variant].config;
  return make_vssm(p, "res_vmamba", configured(c, args));
}

}  // namespace

const ModelFamily kResVMamba = {
    .name = "res_vmamba",
    .description = "Res-VMamba (arXiv:2402.15761), after the authors' code",
    .models = kModels,
    .make = make,
    .rename = rename_vssm,
};

}  // namespace fovea::models
