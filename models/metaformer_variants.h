// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "fovea/core/preprocess_config.h"
#include "fovea/models/model_args.h"
#include "fovea/nn/metaformer_block.h"

// What a MetaFormer can be told, and what the published ones were told: the table of metaformer.cc.
namespace fovea::models {

inline constexpr float kEps = 1e-6f;  // of every LayerNorm
inline constexpr nn::NormSpec kLayerNormNoBias = {nn::NormOver::channels, kEps, nn::Affine::weight};
inline constexpr nn::NormSpec kGroupNorm = {nn::NormOver::image, 1e-5f,
                                            nn::Affine::weight_and_bias};
inline constexpr nn::NormSpec kGroupNormNoBias = {nn::NormOver::image, 1e-6f, nn::Affine::weight};
inline constexpr int kMlpRatio = 4;

enum class TokenMixer : std::uint8_t { pooling, sep_conv, attention };

struct MetaFormerConfig {
  List<int> depths = {2, 2, 6, 2};
  List<int> dims = {64, 128, 320, 512};
  List<TokenMixer> token_mixers = {TokenMixer::pooling};
  List<nn::NormSpec> norms = {kLayerNormNoBias};
  bool star_relu = true;  // mlp_act; otherwise `act`
  Activation act = Activation::Kind::gelu;
  bool mlp_bias = false;
  List<bool> layer_scale = {false};  // where layer_scale_init_values has a number
  List<bool> res_scale = {false, false, true, true};
  std::optional<nn::NormSpec> downsample_norm = kLayerNormNoBias;
  bool use_mlp_head = true;
  int pool_size = 3;
  int head_dim = 32;
  bool qkv_bias = false, proj_bias = false;
  double expansion_ratio = 2.0;  // of SepConv
  int kernel_size = 7;           // of SepConv
  int in_chans = 3;
  int num_classes = 1000;
};

namespace metaformer {

struct Variant {
  std::string_view name;
  MetaFormerConfig config;
  PreprocessConfig preprocess = {.crop_pct = 1.0};
};

inline constexpr List<int> kDepths12 = {2, 2, 6, 2}, kDepths24 = {4, 4, 12, 4},
                           kDepths36 = {6, 6, 18, 6}, kDepths48 = {8, 8, 24, 8};  // PoolFormer
inline constexpr List<int> kDepths18 = {3, 3, 9, 3},
                           kDepthsUneven36 = {3, 12, 18, 3};  // the others
inline constexpr List<int> kDimsS = {64, 128, 320, 512}, kDimsM = {96, 192, 384, 768},
                           kDimsM576 = {96, 192, 384, 576}, kDimsB = {128, 256, 512, 768};
inline constexpr PreprocessConfig kCrop90 = {.crop_pct = 0.9}, kCrop95 = {.crop_pct = 0.95};

constexpr MetaFormerConfig pool_v1(const List<int>& depths, const List<int>& dims) {
  return {.depths = depths,
          .dims = dims,
          .norms = {kGroupNorm},
          .star_relu = false,
          .mlp_bias = true,
          .layer_scale = {true},
          .res_scale = {false},
          .downsample_norm = {},
          .use_mlp_head = false};
}
constexpr MetaFormerConfig pool_v2(const List<int>& depths, const List<int>& dims) {
  return {.depths = depths, .dims = dims, .norms = {kGroupNormNoBias}, .use_mlp_head = false};
}
constexpr MetaFormerConfig conv(const List<int>& depths, const List<int>& dims) {
  return {.depths = depths, .dims = dims, .token_mixers = {TokenMixer::sep_conv}};
}
constexpr MetaFormerConfig conv_attention(const List<int>& depths, const List<int>& dims) {
  return {.depths = depths,
          .dims = dims,
          .token_mixers = {TokenMixer::sep_conv, TokenMixer::sep_conv, TokenMixer::attention,
                           TokenMixer::attention}};
}

inline constexpr Variant kVariants[] = {
    {"poolformer_s12", pool_v1(kDepths12, kDimsS), kCrop90},
    {"poolformer_s24", pool_v1(kDepths24, kDimsS), kCrop90},
    {"poolformer_s36", pool_v1(kDepths36, kDimsS), kCrop90},
    {"poolformer_m36", pool_v1(kDepths36, kDimsM), kCrop95},
    {"poolformer_m48", pool_v1(kDepths48, kDimsM), kCrop95},
    {"poolformerv2_s12", pool_v2(kDepths12, kDimsS)},
    {"poolformerv2_s24", pool_v2(kDepths24, kDimsS)},
    {"poolformerv2_s36", pool_v2(kDepths36, kDimsS)},
    {"poolformerv2_m36", pool_v2(kDepths36, kDimsM)},
    {"poolformerv2_m48", pool_v2(kDepths48, kDimsM)},
    {"convformer_s18", conv(kDepths18, kDimsS)},
    {"convformer_s36", conv(kDepthsUneven36, kDimsS)},
    {"convformer_m36", conv(kDepthsUneven36, kDimsM576)},
    {"convformer_b36", conv(kDepthsUneven36, kDimsB)},
    {"caformer_s18", conv_attention(kDepths18, kDimsS)},
    {"caformer_s36", conv_attention(kDepthsUneven36, kDimsS)},
    {"caformer_m36", conv_attention(kDepthsUneven36, kDimsM576)},
    {"caformer_b36", conv_attention(kDepthsUneven36, kDimsB)},
};

}  // namespace metaformer
}  // namespace fovea::models
