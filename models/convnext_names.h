// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "models/family_tools.h"

// How others than timm name the tensors of a ConvNeXt.
namespace fovea::models::convnext {

// The authors' names; V2 spells the affine part of the response norm its own way.
inline constexpr RenameRule kRenames[] = {
    {"downsample_layers.0.*", "stem.*"},
    {"downsample_layers.#.#.*", "stages.#.downsample.#.*"},
    {"stages.#.#.dwconv.*", "stages.#.blocks.#.conv_dw.*"},
    {"stages.#.#.pwconv1.*", "stages.#.blocks.#.mlp.fc1.*"},
    {"stages.#.#.pwconv2.*", "stages.#.blocks.#.mlp.fc2.*"},
    {"stages.#.#.grn.gamma", "stages.#.blocks.#.mlp.grn.weight"},
    {"stages.#.#.grn.beta", "stages.#.blocks.#.mlp.grn.bias"},
    {"stages.#.#.*", "stages.#.blocks.#.*"},
    {"norm.*", "head.norm.*"},
    {"head.weight", "head.fc.weight"},
    {"head.bias", "head.fc.bias"},
    // transformers, without the prefix of the model with a classifier.
    {"embeddings.patch_embeddings.*", "stem.0.*"},
    {"embeddings.layernorm.*", "stem.1.*"},
    {"encoder.stages.#.downsampling_layer.#.*", "stages.#.downsample.#.*"},
    {"encoder.stages.#.layers.#.layer_scale_parameter", "stages.#.blocks.#.gamma"},
    {"encoder.stages.#.layers.#.dwconv.*", "stages.#.blocks.#.conv_dw.*"},
    {"encoder.stages.#.layers.#.layernorm.*", "stages.#.blocks.#.norm.*"},
    {"encoder.stages.#.layers.#.pwconv1.*", "stages.#.blocks.#.mlp.fc1.*"},
    {"encoder.stages.#.layers.#.pwconv2.*", "stages.#.blocks.#.mlp.fc2.*"},
    {"encoder.stages.#.layers.#.grn.*", "stages.#.blocks.#.mlp.grn.*"},
    {"layernorm.*", "head.norm.*"},
    {"classifier.weight", "head.fc.weight"},
    {"classifier.bias", "head.fc.bias"},
};

// The names of torchvision, whose modules are numbered through.
inline constexpr RenameRule kTorchvisionRenames[] = {
    {"features.0.0.*", "stem.0.*"},
    {"features.0.1.*", "stem.1.*"},
    {"features.1.#.*", "stages.0.blocks.#.*"},
    {"features.3.#.*", "stages.1.blocks.#.*"},
    {"features.5.#.*", "stages.2.blocks.#.*"},
    {"features.7.#.*", "stages.3.blocks.#.*"},
    {"features.2.*", "stages.1.downsample.*"},
    {"features.4.*", "stages.2.downsample.*"},
    {"features.6.*", "stages.3.downsample.*"},
    {"classifier.0.*", "head.norm.*"},
    {"classifier.2.*", "head.fc.*"},
};
// Then of what a block is made of.
inline constexpr RenameRule kTorchvisionBlock[] = {
    {"stages.#.blocks.#.layer_scale", "stages.#.blocks.#.gamma"},
    {"stages.#.blocks.#.block.0.*", "stages.#.blocks.#.conv_dw.*"},
    {"stages.#.blocks.#.block.2.*", "stages.#.blocks.#.norm.*"},
    {"stages.#.blocks.#.block.3.*", "stages.#.blocks.#.mlp.fc1.*"},
    {"stages.#.blocks.#.block.5.*", "stages.#.blocks.#.mlp.fc2.*"},
};

}  // namespace fovea::models::convnext
