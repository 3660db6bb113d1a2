// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <memory>
#include <string_view>

#include "fovea/nn/mixer.h"
#include "fovea/nn/mlp.h"
#include "fovea/nn/norm.h"

namespace fovea::nn {

// What a norm's statistics are taken over: the channels of each position, or a whole image.
enum class NormOver : std::uint8_t { channels, image };

struct NormSpec {
  NormOver over = NormOver::channels;
  float eps = 1e-6f;
  Affine affine = Affine::weight_and_bias;
};

// LayerNorm or GroupNorm with one group, as configured.
class MapNorm : public Norm {
 public:
  MapNorm(const Params& p, int c, const NormSpec& spec)
      : Norm(p, c, spec.eps, spec.affine), over_(spec.over) {}
  // In place allowed.
  void forward(CMapF x, MapF y, Context& ctx) const {
    if (over_ == NormOver::image) {
      backend_->group_norm(x, params(), y, ctx);
    } else {
      backend_->layer_norm(x, params(), y, ctx);
    }
  }

 private:
  NormOver over_;
};

struct MetaFormerOptions {
  NormSpec norm = {};
  int mlp_hidden = 0;
  Activation mlp_act = Activation::Kind::gelu;
  bool mlp_bias = true;
  LinearForm mlp_form = LinearForm::conv1x1;
  // Names of the vectors that scale the two branches and the two residuals; empty: there are none.
  std::array<std::string_view, 2> layer_scale = {};
  std::array<std::string_view, 2> res_scale = {};
};

// One block of a MetaFormer (arXiv:2111.11418, arXiv:2210.13452):
//   x = res_scale1 * x + layer_scale1 * mixer(norm1(x))
//   x = res_scale2 * x + layer_scale2 * mlp(norm2(x))
// Binds "norm1", "norm2", "mlp" and the scales; the mixer comes bound.
class MetaFormerBlock {
 public:
  MetaFormerBlock(const Params& p, int c, const MetaFormerOptions& options,
                  std::unique_ptr<const Mixer> mixer);
  // x (n, h, w, c), in place.
  void forward(MapF x, Context& ctx) const;

 private:
  struct Branch {
    Branch(const Params& p, int c, const MetaFormerOptions& options, int index);
    Epilogue epilogue(CMapF residual) const;

    MapNorm norm;
    FloatBuffer scale, residual_scale;  // (c), or empty
  };

  std::unique_ptr<const Mixer> mixer_;
  Branch mixing_, feeding_;
  Mlp mlp_;
};

}  // namespace fovea::nn
