// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string>

#include "models/family_tools.h"

// The names that checkpoints of Swin and Swin V2 have outside timm.
namespace fovea::models {

// The authors' names: a head without a pooling module of its own, and buffers that are derived.
// Where they have the merging is SwinNetwork's business, since both layouts know the same names.
inline constexpr RenameRule kSwinRenames[] = {
    {"head.weight", "head.fc.weight"},
    {"head.bias", "head.fc.bias"},
    {"layers.#.blocks.#.attn_mask", ""},
    {"layers.#.blocks.#.attn.relative_position_index", ""},
    {"layers.#.blocks.#.attn.relative_coords_table", ""},
};

// The names of transformers that both have, without the prefix of the model with a classifier.
inline constexpr RenameRule kSwinTransformers[] = {
    {"embeddings.patch_embeddings.projection.*", "patch_embed.proj.*"},
    {"embeddings.norm.*", "patch_embed.norm.*"},
    {"embeddings.mask_token", ""},
    {"encoder.layers.#.blocks.#.layernorm_before.*", "layers.#.blocks.#.norm1.*"},
    {"encoder.layers.#.blocks.#.layernorm_after.*", "layers.#.blocks.#.norm2.*"},
    {"encoder.layers.#.blocks.#.intermediate.dense.*", "layers.#.blocks.#.mlp.fc1.*"},
    {"encoder.layers.#.blocks.#.output.dense.*", "layers.#.blocks.#.mlp.fc2.*"},
    {"encoder.layers.#.blocks.#.attention.output.dense.*", "layers.#.blocks.#.attn.proj.*"},
    {"encoder.layers.#.blocks.#.attention.self.query.weight",
     "layers.#.blocks.#.attn.qkv.weight[1/3]"},
    {"encoder.layers.#.blocks.#.attention.self.key.weight",
     "layers.#.blocks.#.attn.qkv.weight[2/3]"},
    {"encoder.layers.#.blocks.#.attention.self.value.weight",
     "layers.#.blocks.#.attn.qkv.weight[3/3]"},
    {"encoder.layers.#.blocks.#.attention.self.relative_position_index", ""},
    {"encoder.layers.#.blocks.#.attention.self.relative_coords_table", ""},
    // A merging ends a stage there, and begins the next one here.
    {"encoder.layers.0.downsample.*", "layers.1.downsample.*"},
    {"encoder.layers.1.downsample.*", "layers.2.downsample.*"},
    {"encoder.layers.2.downsample.*", "layers.3.downsample.*"},
    {"encoder.layers.3.downsample.*", "layers.4.downsample.*"},
    {"encoder.layers.4.downsample.*", "layers.5.downsample.*"},
    {"encoder.layers.5.downsample.*", "layers.6.downsample.*"},
    {"encoder.layers.6.downsample.*", "layers.7.downsample.*"},
    {"layernorm.*", "norm.*"},
    {"classifier.*", "head.fc.*"},
    {"pooler.*", ""},
};

// The names of torchvision, whose modules are numbered through.
inline constexpr RenameRule kSwinTorchvision[] = {
    {"features.0.0.*", "patch_embed.proj.*"},
    {"features.0.2.*", "patch_embed.norm.*"},
    {"features.#.#.attn.relative_position_index", ""},
    {"features.#.#.attn.relative_coords_table", ""},
    {"features.1.#.mlp.0.*", "layers.0.blocks.#.mlp.fc1.*"},
    {"features.3.#.mlp.0.*", "layers.1.blocks.#.mlp.fc1.*"},
    {"features.5.#.mlp.0.*", "layers.2.blocks.#.mlp.fc1.*"},
    {"features.7.#.mlp.0.*", "layers.3.blocks.#.mlp.fc1.*"},
    {"features.1.#.mlp.3.*", "layers.0.blocks.#.mlp.fc2.*"},
    {"features.3.#.mlp.3.*", "layers.1.blocks.#.mlp.fc2.*"},
    {"features.5.#.mlp.3.*", "layers.2.blocks.#.mlp.fc2.*"},
    {"features.7.#.mlp.3.*", "layers.3.blocks.#.mlp.fc2.*"},
    {"features.1.#.*", "layers.0.blocks.#.*"},
    {"features.3.#.*", "layers.1.blocks.#.*"},
    {"features.5.#.*", "layers.2.blocks.#.*"},
    {"features.7.#.*", "layers.3.blocks.#.*"},
    {"features.2.*", "layers.1.downsample.*"},
    {"features.4.*", "layers.2.downsample.*"},
    {"features.6.*", "layers.3.downsample.*"},
};

// `attention`: the names of transformers that only one of the two networks has.
inline std::string swin_rename(std::span<const RenameRule> attention, const std::string& name) {
  const std::string bare = without_prefix(name, {"swin.", "swinv2."});
  for (const auto table :
       {attention, std::span<const RenameRule>(kSwinTransformers),
        std::span<const RenameRule>(kSwinTorchvision), std::span<const RenameRule>(kSwinRenames)}) {
    std::string renamed = rename_by_table(table, bare);
    if (renamed != bare) return renamed;
  }
  return bare;
}

}  // namespace fovea::models
