// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <span>
#include <string_view>

namespace fovea {

// The 1000 class names of ImageNet-1k (ILSVRC 2012), in the order of the sorted synset ids, which
// is the order of every ImageNet-1k checkpoint.
std::span<const std::string_view> imagenet_1k_labels();
// "n01440764", ...
std::span<const std::string_view> imagenet_1k_synsets();

}  // namespace fovea
