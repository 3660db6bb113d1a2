// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "fovea/backend/ops.h"
#include "fovea/core/preprocess_config.h"
#include "fovea/models/model_args.h"

// What a ConvNeXt can be told, and what the published ones were told: the table of convnext.cc.
namespace fovea::models {

enum class StemType : std::uint8_t { patch, overlap, overlap_tiered, overlap_act };

struct ConvNeXtConfig {
  List<int> depths = {3, 3, 9, 3};
  List<int> dims = {96, 192, 384, 768};
  List<int> kernel_sizes = {7};
  StemType stem_type = StemType::patch;
  bool layer_scale = true;  // ls_init_value is not None
  bool conv_mlp = false;    // the MLP is stored as 1x1 convolutions
  bool use_grn = false;
  bool head_norm_first = false;
  int head_hidden_size = 0;
  float norm_eps = 1e-6f;
  std::optional<float> head_norm_eps = std::nullopt;  // of the last norm; unset: norm_eps
  Activation act = Activation::Kind::gelu;
  int patch_size = 4;
  int output_stride = 32;
  bool conv_bias = true;
  int in_chans = 3;
  int num_classes = 1000;
};

namespace convnext {

struct Variant {
  std::string_view name;
  ConvNeXtConfig config;
  PreprocessConfig preprocess = {};
};

inline constexpr List<int> kDepths6 = {2, 2, 6, 2}, kDepths8 = {2, 2, 8, 2},
                           kDepths9 = {3, 3, 9, 3}, kDepths27 = {3, 3, 27, 3};
inline constexpr List<int> kDims40 = {40, 80, 160, 320}, kDims48 = {48, 96, 192, 384},
                           kDims64 = {64, 128, 256, 512}, kDims80 = {80, 160, 320, 640},
                           kDims96 = {96, 192, 384, 768}, kDims128 = {128, 256, 512, 1024},
                           kDims192 = {192, 384, 768, 1536};
inline constexpr bool kConvMlp = true;

// timm's small networks, and V2.
constexpr ConvNeXtConfig small(const List<int>& depths, const List<int>& dims,
                               StemType stem = StemType::patch) {
  return {.depths = depths, .dims = dims, .stem_type = stem, .conv_mlp = true};
}
constexpr ConvNeXtConfig v2(const List<int>& depths, const List<int>& dims, bool conv_mlp = false) {
  return {
      .depths = depths, .dims = dims, .layer_scale = false, .conv_mlp = conv_mlp, .use_grn = true};
}

// timm's smallest, for its own tests.
constexpr ConvNeXtConfig test(const List<int>& depths, const List<int>& dims, Activation act,
                              const List<int>& kernel_sizes = {7}) {
  return {
      .depths = depths, .dims = dims, .kernel_sizes = kernel_sizes, .norm_eps = 1e-5f, .act = act};
}

inline constexpr PreprocessConfig kCrop95 = {.crop_pct = 0.95};
inline constexpr PreprocessConfig kSquash384 = {
    .height = 384, .width = 384, .crop_pct = 1.0, .crop_mode = CropMode::squash};
constexpr PreprocessConfig clip(int size) {
  return {.height = size,
          .width = size,
          .crop_pct = 1.0,
          .mean = {0.48145466f, 0.4578275f, 0.40821073f},
          .std = {0.26862954f, 0.26130258f, 0.27577711f}};
}

inline constexpr PreprocessConfig kTest = {.height = 160,
                                           .width = 160,
                                           .crop_pct = 0.95,
                                           .mean = {0.5f, 0.5f, 0.5f},
                                           .std = {0.5f, 0.5f, 0.5f}};
// torchvision cuts 224 pixels out of edges of `resized`.
constexpr PreprocessConfig torchvision(int resized) {
  return {.interpolation = Filter::bilinear, .crop_pct = crop_pct_for(224, resized)};
}

inline constexpr Variant kVariants[] = {
    {"convnext_atto", small(kDepths6, kDims40)},
    {"convnext_atto_ols", small(kDepths6, kDims40, StemType::overlap_tiered)},
    {"convnext_femto", small(kDepths6, kDims48)},
    {"convnext_femto_ols", small(kDepths6, kDims48, StemType::overlap_tiered)},
    {"convnext_pico", small(kDepths6, kDims64)},
    {"convnext_pico_ols", small(kDepths6, kDims64, StemType::overlap_tiered), kCrop95},
    {"convnext_nano", small(kDepths8, kDims80), kCrop95},
    {"convnext_nano_ols", small(kDepths8, kDims80, StemType::overlap), kCrop95},
    {"convnext_tiny_hnf", {.conv_mlp = true, .head_norm_first = true}, kCrop95},
    {"convnext_tiny", {}, kCrop95},
    {"convnext_small", {.depths = kDepths27}, kCrop95},
    {"convnext_base", {.depths = kDepths27, .dims = kDims128}},
    {"convnext_large", {.depths = kDepths27, .dims = kDims192}},
    {"convnext_large_mlp",
     {.depths = kDepths27, .dims = kDims192, .head_hidden_size = 1536},
     clip(320)},
    {"convnext_xlarge", {.depths = kDepths27, .dims = {256, 512, 1024, 2048}}},
    {"convnext_xxlarge",
     {.depths = {3, 4, 30, 3}, .dims = {384, 768, 1536, 3072}, .norm_eps = 1e-5f},
     clip(256)},
    {"convnextv2_atto", v2(kDepths6, kDims40, kConvMlp)},
    {"convnextv2_femto", v2(kDepths6, kDims48, kConvMlp)},
    {"convnextv2_pico", v2(kDepths6, kDims64, kConvMlp)},
    {"convnextv2_nano", v2(kDepths8, kDims80, kConvMlp)},
    {"convnextv2_tiny", v2(kDepths9, kDims96)},
    {"convnextv2_small", v2(kDepths27, kDims96)},
    {"convnextv2_base", v2(kDepths27, kDims128)},
    {"convnextv2_large", v2(kDepths27, kDims192)},
    {"convnextv2_huge", v2(kDepths27, {352, 704, 1408, 2816}), kSquash384},
    {"test_convnext", test({1, 2, 4, 2}, {24, 32, 48, 64}, Activation::Kind::gelu_tanh), kTest},
    {"test_convnext2", test({1, 1, 1, 1}, {32, 64, 96, 128}, Activation::Kind::gelu_tanh), kTest},
    {"test_convnext3", test({1, 1, 1, 1}, {32, 64, 96, 128}, Activation::Kind::silu, {7, 5, 5, 3}),
     kTest},
};

// torchvision's have timm's names and another preprocessing.
inline constexpr Variant kTorchvision[] = {
    {"convnext_tiny", {}, torchvision(236)},
    {"convnext_small", {.depths = kDepths27}, torchvision(230)},
    {"convnext_base", {.depths = kDepths27, .dims = kDims128}, torchvision(232)},
    {"convnext_large", {.depths = kDepths27, .dims = kDims192}, torchvision(232)},
};

}  // namespace convnext
}  // namespace fovea::models
