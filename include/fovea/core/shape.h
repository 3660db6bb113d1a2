// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace fovea {

// The sizes of a tensor, outermost first, as the checkpoint has them: (out, in, kh, kw) for a
// convolution. An empty shape is a scalar.
using Shape = std::vector<std::int64_t>;

// Product of the sizes; nullopt when a size is negative or the product leaves 63 bits.
std::optional<std::int64_t> checked_numel(const Shape& shape);

// Product of the sizes of a shape known to be sound.
std::int64_t numel(const Shape& shape);

std::string to_string(const Shape& shape);  // "[64, 3, 7, 7]"

}  // namespace fovea
