// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string_view>

#include "fovea/backend/ops.h"
#include "fovea/core/params.h"

namespace fovea::nn {

// An activation by timm's name: "gelu", "gelu_tanh", "quick_gelu", "silu", "relu", ... Throws
// Error(argument) listing the known ones.
Activation activation(std::string_view name);

// StarReLU with learned "scale" (1) and "bias" (1) below p (MetaFormer, arXiv:2210.13452).
Activation star_relu(const Params& p);

}  // namespace fovea::nn
