// SPDX-License-Identifier: Apache-2.0
// Sizes that published networks have at 224 x 224: what every benchmark below runs on.
#pragma once

namespace fovea::bench {

// C(m, n) = A(m, k) B(k, n).
struct GemmShape {
  const char* name;
  int m, n, k;
};
inline constexpr GemmShape kGemms[] = {
    {"vit_base/qkv", 197, 2304, 768},
    {"vit_base/proj", 197, 768, 768},
    {"vit_base/fc1", 197, 3072, 768},
    {"vit_base/fc2", 197, 768, 3072},
    {"deit_small/qkv", 197, 1152, 384},
    {"deit_small/fc1", 197, 1536, 384},
    {"deit_small/fc2", 197, 384, 1536},
    {"swin_tiny/0/qkv", 3136, 288, 96},
    {"swin_tiny/0/fc1", 3136, 384, 96},
    {"swin_tiny/0/fc2", 3136, 96, 384},
    {"swin_tiny/2/fc1", 196, 1536, 384},
    {"swin_tiny/3/fc2", 49, 768, 3072},
    {"convnext_tiny/1/fc1", 784, 768, 192},
    {"convnext_tiny/1/fc2", 784, 192, 768},
    {"convnext_atto/0/fc1", 3136, 160, 40},
    {"convnext_atto/0/fc2", 3136, 40, 160},
    {"poolformer_s12/0/fc1", 3136, 256, 64},
    {"poolformer_s12/2/fc1", 196, 1280, 320},
    {"head", 1, 1000, 768},
};

// A feature map of one image: h x w pixels, c channels.
struct MapShape {
  const char* name;
  int h, w, c;
};
inline constexpr MapShape kMaps[] = {
    {"convnext_tiny/0", 56, 56, 96},  {"convnext_tiny/1", 28, 28, 192},
    {"convnext_tiny/2", 14, 14, 384}, {"convnext_tiny/3", 7, 7, 768},
    {"convnext_atto/0", 56, 56, 40},  {"poolformer_s12/2", 14, 14, 320},
    {"vit_base", 1, 197, 768},
};

// Rows of attention scores.
struct RowsShape {
  const char* name;
  int rows, columns;
};
inline constexpr RowsShape kScores[] = {{"vit_base", 12 * 197, 197},
                                        {"swin_tiny/0", 64 * 3 * 49, 49},
                                        {"swinv2_tiny", 64 * 3 * 64, 64}};

// One head of attention: as many queries as keys, in maps of so many heads.
struct AttentionShape {
  const char* name;
  int tokens, heads, width;
  bool bias;
};
inline constexpr AttentionShape kAttentions[] = {{"vit_base", 197, 12, 64, false},
                                                 {"caformer_s18", 196, 10, 32, false},
                                                 {"swin_tiny/0", 49, 3, 32, true},
                                                 {"swinv2_tiny/0", 64, 3, 32, true}};

// Networks of bench/models: one of each kind, and a small one.
inline constexpr const char* kNetworks[] = {
    "vit_base_patch16_224",    "deit_small_patch16_224", "swin_tiny_patch4_window7_224",
    "convnext_tiny",           "poolformer_s12",         "mambaout_tiny",
    "swinv2_tiny_window8_256", "caformer_s18",           "convnext_atto",
};

}  // namespace fovea::bench
