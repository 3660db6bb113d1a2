// SPDX-License-Identifier: Apache-2.0
//
// VMamba (arXiv:2401.10166) after the authors' classification/models/vmamba.py (MzeroMiko/VMamba),
// under its names: the first networks ("vanilla") and the later ones, which scan with one value of
// state.
//
// Checkpoints: the authors', those of their first releases under older names included.
//
// Deviations: forward types that no published checkpoint has (xv#, v052dc, softmax after the scan)
// and the Mamba-2 core (m0) are refused, and so are batch norm and gated MLPs.
#include "models/families.h"
#include "models/vss_block.h"

namespace fovea::models {
namespace {

void read_form(const ModelArgs& args, VssConfig& c) {
  std::string type;
  args.read("forward_type", type);
  if (type.empty()) return;
  if (type == "v0" || type == "v0seq") {
    // Its convolution and activation are not configurable.
    if (c.channels_first) wrong_argument("norm_layer", "ln with forward_type v0", "ln2d");
    c.form = {};
    c.ssm_conv = 3;
    c.ssm_conv_bias = true;
    c.ssm_act = Activation::Kind::silu;
    return;
  }
  std::string base = type;
  c.form = cut_form(base);
  if (!is_vmamba_form(base, c.form)) {
    wrong_argument("forward_type",
                   "v0, v0seq, v01 to v05, v051d, v052d, v2 or v3, and of the suffixes _onnone, "
                   "_ondwconv3, _oncnorm, _onsigmoid, _nozact, _noz, _oact, _no32",
                   "\"" + type + "\"");
  }
}

VssConfig configured(VssConfig c, const ModelArgs& args) {
  read_vss_args(args, c);
  read_form(args, c);
  refuse_true(args, "gmlp");
  read_positions(args, c);
  args.finish("vmamba");
  return c;
}

constexpr VssConfig vanilla(int dim, int third_depth) {
  VssConfig c;
  c.depths = {2, 2, third_depth, 2};
  c.dims = {dim, 2 * dim, 4 * dim, 8 * dim};
  c.downsample = 1;
  c.mlp_ratio = 0;
  return c;
}

constexpr VssConfig vmamba(int dim, double ssm_ratio, int third_depth) {
  VssConfig c = vanilla(dim, third_depth);
  c.patchembed = 2;
  c.downsample = 3;
  c.d_state = 1;
  c.ssm_ratio = ssm_ratio;
  c.ssm_conv_bias = false;
  c.form.gate = false;
  c.channels_first = true;
  c.mlp_ratio = 4;
  return c;
}

constexpr VssVariant kVariants[] = {
    {"vanilla_vmamba_tiny", vanilla(96, 9)},   {"vanilla_vmamba_small", vanilla(96, 27)},
    {"vanilla_vmamba_base", vanilla(128, 27)}, {"vmamba_tiny_s2l5", vmamba(96, 2, 5)},
    {"vmamba_small_s2l15", vmamba(96, 2, 15)}, {"vmamba_base_s2l15", vmamba(128, 2, 15)},
    {"vmamba_tiny_s1l8", vmamba(96, 1, 8)},    {"vmamba_small_s1l20", vmamba(96, 1, 20)},
    {"vmamba_base_s1l20", vmamba(128, 1, 20)},
};
constexpr auto kModels = model_table(kVariants);

std::unique_ptr<Backbone> make(const Params& p, int variant, const ModelArgs& args) {
  const VssConfig c = variant < 0 ? VssConfig() : kVariants[variant].config;
  return make_vssm(p, "vmamba", configured(c, args));
}

}  // namespace

const ModelFamily kVMamba = {
    .name = "vmamba",
    .description = "VMamba (arXiv:2401.10166), after the authors' code",
    .models = kModels,
    .make = make,
    .rename = rename_vssm,
};

}  // namespace fovea::models
