// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <optional>
#include <string_view>

#include "fovea/backend/ops.h"
#include "fovea/core/preprocess_config.h"
#include "fovea/models/model_args.h"

// What a vision transformer can be told, and what the published ones were told: the table of
// vit.cc.
namespace fovea::models {

struct VitConfig {
  // What becomes of the token sequence before the classifier: its class token, the average or the
  // maximum of the others or half of both, attention with a learned query, or the class token and
  // the average side by side.
  enum class Pool : std::uint8_t { token, avg, max, avgmax, map, token_avg };

  Size2d img_size = {224, 224};
  Size2d patch_size = {16, 16};
  int in_chans = 3;
  int num_classes = 1000;
  Pool global_pool = Pool::token;
  int embed_dim = 768;
  int depth = 12;
  int num_heads = 12;
  double mlp_ratio = 4.0;
  bool qkv_bias = true;
  bool proj_bias = true;  // of attention and MLP
  bool layer_scale = false;
  bool class_token = true;
  bool distilled = false;      // DeiT's second token
  bool distilled_head = true;  // and its second head
  bool pos_embed = true;
  bool pos_embed_antialias = true;  // when positions are resized
  bool no_embed_class = false;      // class and register tokens have no positions
  int reg_tokens = 0;
  bool pre_norm = false;  // a norm before the blocks, and no bias of patches
  bool final_norm = true;
  std::optional<bool> fc_norm = std::nullopt;  // final norm after pooling; unset: for averages
  bool pool_include_prefix = false;
  bool dynamic_img_size = false;
  bool dynamic_img_pad = false;
  Activation act = Activation::Kind::gelu;
  float norm_eps = 1e-6f;
};

struct VitVariant {
  std::string_view name;
  VitConfig config;
  PreprocessConfig preprocess;
};

namespace vit {

struct VitWidth {
  int dim, depth, heads;
  double mlp_ratio = 4.0;
};
inline constexpr VitWidth kTiny = {192, 12, 3}, kSmall = {384, 12, 6}, kMedium = {512, 12, 8},
                          kBetwixt = {640, 12, 10}, kBase = {768, 12, 12}, kPlus = {896, 12, 14},
                          kLarge = {1024, 24, 16}, kSo400m = {1152, 27, 16, 3.7362},
                          kHuge = {1280, 32, 16}, kGiant = {1408, 40, 16, 48.0 / 11.0},
                          kGiantOpt = {1536, 40, 16}, kGigantic = {1664, 48, 16, 64.0 / 13.0};

constexpr VitConfig vit(const VitWidth& width, int patch, int num_classes = 1000) {
  VitConfig c;
  c.patch_size = {patch, patch};
  c.num_classes = num_classes;
  c.embed_dim = width.dim;
  c.depth = width.depth;
  c.num_heads = width.heads;
  c.mlp_ratio = width.mlp_ratio;
  return c;
}

constexpr VitConfig distilled(const VitWidth& width) {
  VitConfig c = vit(width, 16);
  c.distilled = true;
  return c;
}

// DeiT III (arXiv:2204.07118).
constexpr VitConfig deit3(const VitWidth& width, int patch) {
  VitConfig c = vit(width, patch);
  c.layer_scale = true;
  c.no_embed_class = true;
  return c;
}

constexpr VitConfig clip(const VitWidth& width, int patch, int num_classes,
                         Activation act = Activation::Kind::gelu) {
  VitConfig c = vit(width, patch, num_classes);
  c.pre_norm = true;
  c.norm_eps = 1e-5f;
  c.act = act;
  return c;
}

constexpr VitConfig dinov2(const VitWidth& width, int reg_tokens) {
  VitConfig c = vit(width, 14, 0);
  c.layer_scale = true;
  c.reg_tokens = reg_tokens;
  c.no_embed_class = reg_tokens > 0;
  return c;
}

constexpr VitConfig siglip(const VitWidth& width, int patch,
                           Activation act = Activation::Kind::gelu) {
  VitConfig c = vit(width, patch, 0);
  c.class_token = false;
  c.global_pool = VitConfig::Pool::map;
  c.act = act;
  return c;
}

constexpr PreprocessConfig half(int size, double crop_pct, CropMode crop_mode = CropMode::center) {
  return {.height = size,
          .width = size,
          .crop_pct = crop_pct,
          .crop_mode = crop_mode,
          .mean = {0.5f, 0.5f, 0.5f},
          .std = {0.5f, 0.5f, 0.5f}};
}

constexpr PreprocessConfig imagenet(int size, double crop_pct) {
  return {.height = size, .width = size, .crop_pct = crop_pct};
}

constexpr PreprocessConfig openai(int size, double crop_pct,
                                  CropMode crop_mode = CropMode::center) {
  return {.height = size,
          .width = size,
          .crop_pct = crop_pct,
          .crop_mode = crop_mode,
          .mean = {0.48145466f, 0.4578275f, 0.40821073f},
          .std = {0.26862954f, 0.26130258f, 0.27577711f}};
}

inline constexpr Activation kQuick = Activation::Kind::quick_gelu;
inline constexpr Activation kTanh = Activation::Kind::gelu_tanh;

// What torchvision trained for: the shorter edge resized to `resized`, `size` of it cut out.
constexpr PreprocessConfig torchvision(int size, int resized) {
  return {.height = size,
          .width = size,
          .interpolation = size == 224 ? Filter::bilinear : Filter::bicubic,
          .crop_pct = crop_pct_for(size, resized)};
}

inline constexpr VitVariant kVariants[] = {
    // ViT (arXiv:2010.11929), trained anew by "How to train your ViT?" (arXiv:2106.10270).
    {"vit_tiny_patch16_224", vit(kTiny, 16), half(224, 0.9)},
    {"vit_tiny_patch16_384", vit(kTiny, 16), half(384, 1.0)},
    {"vit_small_patch32_224", vit(kSmall, 32), half(224, 0.9)},
    {"vit_small_patch32_384", vit(kSmall, 32), half(384, 1.0)},
    {"vit_small_patch16_224", vit(kSmall, 16), half(224, 0.9)},
    {"vit_small_patch16_384", vit(kSmall, 16), half(384, 1.0)},
    {"vit_small_patch8_224", vit(kSmall, 8, 0), imagenet(224, 0.9)},
    {"vit_base_patch32_224", vit(kBase, 32), half(224, 0.9)},
    {"vit_base_patch32_384", vit(kBase, 32), half(384, 1.0)},
    {"vit_base_patch16_224", vit(kBase, 16), half(224, 0.9)},
    {"vit_base_patch16_384", vit(kBase, 16), half(384, 1.0)},
    {"vit_base_patch8_224", vit(kBase, 8), half(224, 0.9)},
    {"vit_large_patch32_224", vit(kLarge, 32, 0), half(224, 0.9)},
    {"vit_large_patch32_384", vit(kLarge, 32), half(384, 1.0)},
    {"vit_large_patch16_224", vit(kLarge, 16), half(224, 0.9)},
    {"vit_large_patch16_384", vit(kLarge, 16), half(384, 1.0)},
    {"vit_large_patch14_224", vit(kLarge, 14), half(224, 0.9)},
    {"vit_huge_patch14_224", vit(kHuge, 14, 0), half(224, 0.9)},
    {"vit_giant_patch14_224", vit(kGiant, 14), half(224, 0.9)},
    {"vit_gigantic_patch14_224", vit(kGigantic, 14), half(224, 0.9)},
    // DeiT (arXiv:2012.12877) and DeiT III (arXiv:2204.07118).
    {"deit_tiny_patch16_224", vit(kTiny, 16), imagenet(224, 0.9)},
    {"deit_small_patch16_224", vit(kSmall, 16), imagenet(224, 0.9)},
    {"deit_base_patch16_224", vit(kBase, 16), imagenet(224, 0.9)},
    {"deit_base_patch16_384", vit(kBase, 16), imagenet(384, 1.0)},
    {"deit_tiny_distilled_patch16_224", distilled(kTiny), imagenet(224, 0.9)},
    {"deit_small_distilled_patch16_224", distilled(kSmall), imagenet(224, 0.9)},
    {"deit_base_distilled_patch16_224", distilled(kBase), imagenet(224, 0.9)},
    {"deit_base_distilled_patch16_384", distilled(kBase), imagenet(384, 1.0)},
    {"deit3_small_patch16_224", deit3(kSmall, 16), imagenet(224, 0.9)},
    {"deit3_small_patch16_384", deit3(kSmall, 16), imagenet(384, 1.0)},
    {"deit3_medium_patch16_224", deit3(kMedium, 16), imagenet(224, 0.9)},
    {"deit3_base_patch16_224", deit3(kBase, 16), imagenet(224, 0.9)},
    {"deit3_base_patch16_384", deit3(kBase, 16), imagenet(384, 1.0)},
    {"deit3_large_patch16_224", deit3(kLarge, 16), imagenet(224, 0.9)},
    {"deit3_large_patch16_384", deit3(kLarge, 16), imagenet(384, 1.0)},
    {"deit3_huge_patch14_224", deit3(kHuge, 14), imagenet(224, 0.9)},
    // CLIP (arXiv:2103.00020) and its open successors (arXiv:2212.07143): the image tower.
    {"vit_medium_patch32_clip_224", clip(kMedium, 32, 512), openai(224, 0.9)},
    {"vit_medium_patch16_clip_224", clip(kMedium, 16, 512), openai(224, 0.9)},
    {"vit_betwixt_patch32_clip_224", clip(kBetwixt, 32, 512), openai(224, 0.9)},
    {"vit_base_patch32_clip_224", clip(kBase, 32, 1000), openai(224, 0.9)},
    {"vit_base_patch32_clip_256", clip(kBase, 32, 512), openai(256, 1.0)},
    {"vit_base_patch32_clip_384", clip(kBase, 32, 1000), openai(384, 1.0)},
    {"vit_base_patch32_clip_448", clip(kBase, 32, 1000), openai(448, 1.0)},
    {"vit_base_patch16_clip_224", clip(kBase, 16, 1000), openai(224, 0.95)},
    {"vit_base_patch16_clip_384", clip(kBase, 16, 1000), openai(384, 1.0, CropMode::squash)},
    {"vit_base_patch16_plus_clip_240", clip(kPlus, 16, 640), openai(240, 1.0)},
    {"vit_large_patch14_clip_224", clip(kLarge, 14, 1000), half(224, 1.0)},
    {"vit_large_patch14_clip_336", clip(kLarge, 14, 1000), half(336, 1.0, CropMode::squash)},
    {"vit_huge_patch14_clip_224", clip(kHuge, 14, 1000), openai(224, 1.0)},
    {"vit_huge_patch14_clip_336", clip(kHuge, 14, 1000), openai(336, 1.0, CropMode::squash)},
    {"vit_huge_patch14_clip_378", clip(kHuge, 14, 1024), openai(378, 1.0)},
    {"vit_giant_patch14_clip_224", clip(kGiant, 14, 1024), openai(224, 1.0)},
    {"vit_gigantic_patch14_clip_224", clip(kGigantic, 14, 1280), openai(224, 1.0)},
    {"vit_gigantic_patch14_clip_378", clip(kGigantic, 14, 1280),
     openai(378, 1.0, CropMode::squash)},
    {"vit_base_patch32_clip_quickgelu_224", clip(kBase, 32, 512, kQuick), openai(224, 0.9)},
    {"vit_base_patch16_clip_quickgelu_224", clip(kBase, 16, 512, kQuick), openai(224, 1.0)},
    {"vit_large_patch14_clip_quickgelu_224", clip(kLarge, 14, 768, kQuick), openai(224, 1.0)},
    {"vit_large_patch14_clip_quickgelu_336", clip(kLarge, 14, 768, kQuick), openai(336, 1.0)},
    {"vit_huge_patch14_clip_quickgelu_224", clip(kHuge, 14, 1024, kQuick), openai(224, 1.0)},
    {"vit_huge_patch14_clip_quickgelu_378", clip(kHuge, 14, 1024, kQuick), openai(378, 1.0)},
    {"vit_gigantic_patch14_clip_quickgelu_224", clip(kGigantic, 14, 1280, kQuick),
     openai(224, 1.0)},
    // DINOv2 (arXiv:2304.07193), and with registers (arXiv:2309.16588).
    {"vit_small_patch14_dinov2", dinov2(kSmall, 0), imagenet(518, 1.0)},
    {"vit_base_patch14_dinov2", dinov2(kBase, 0), imagenet(518, 1.0)},
    {"vit_large_patch14_dinov2", dinov2(kLarge, 0), imagenet(518, 1.0)},
    {"vit_small_patch14_reg4_dinov2", dinov2(kSmall, 4), imagenet(518, 1.0)},
    {"vit_base_patch14_reg4_dinov2", dinov2(kBase, 4), imagenet(518, 1.0)},
    {"vit_large_patch14_reg4_dinov2", dinov2(kLarge, 4), imagenet(518, 1.0)},
    // SigLIP (arXiv:2303.15343) and SigLIP 2 (arXiv:2502.14786): the image tower.
    {"vit_base_patch32_siglip_256", siglip(kBase, 32, kTanh), half(256, 0.9)},
    {"vit_base_patch16_siglip_224", siglip(kBase, 16), half(224, 0.9)},
    {"vit_base_patch16_siglip_256", siglip(kBase, 16), half(256, 0.9)},
    {"vit_base_patch16_siglip_384", siglip(kBase, 16), half(384, 0.9)},
    {"vit_base_patch16_siglip_512", siglip(kBase, 16), half(512, 0.9)},
    {"vit_large_patch16_siglip_256", siglip(kLarge, 16), half(256, 0.9)},
    {"vit_large_patch16_siglip_384", siglip(kLarge, 16), half(384, 0.9)},
    {"vit_large_patch16_siglip_512", siglip(kLarge, 16, kTanh), half(512, 0.9)},
    {"vit_so400m_patch14_siglip_224", siglip(kSo400m, 14), half(224, 0.9)},
    {"vit_so400m_patch14_siglip_378", siglip(kSo400m, 14), half(378, 0.9)},
    {"vit_so400m_patch14_siglip_384", siglip(kSo400m, 14), half(384, 0.9)},
    {"vit_so400m_patch16_siglip_256", siglip(kSo400m, 16, kTanh), half(256, 0.9)},
    {"vit_so400m_patch16_siglip_384", siglip(kSo400m, 16, kTanh), half(384, 0.9)},
    {"vit_so400m_patch16_siglip_512", siglip(kSo400m, 16, kTanh), half(512, 0.9)},
    {"vit_giantopt_patch16_siglip_256", siglip(kGiantOpt, 16, kTanh), half(256, 0.9)},
    {"vit_giantopt_patch16_siglip_384", siglip(kGiantOpt, 16, kTanh), half(384, 0.9)},
    // torchvision's.
    {"vit_b_16", vit(kBase, 16), torchvision(224, 256)},
    {"vit_b_32", vit(kBase, 32), torchvision(224, 256)},
    {"vit_l_16", vit(kLarge, 16), torchvision(224, 242)},
    {"vit_l_32", vit(kLarge, 32), torchvision(224, 256)},
    {"vit_h_14", vit(kHuge, 14), torchvision(518, 518)},
};

}  // namespace vit
}  // namespace fovea::models
