// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>

#include "fovea/backend/backend.h"
#include "fovea/core/buffer.h"

namespace fovea {

// Convolution as a matrix product: what backends share that gather the pixels under the kernel.

inline bool is_depthwise(const Packed& w) { return w.conv.groups == w.in && w.in == w.out; }

// Rows first .. first + count of the matrix (rows of y, kernel_h kernel_w group_in) whose product
// with a group's weight is the convolution, in order of y's rows. Positions outside x are zeros.
void gather_rows(const CMapF& x, const Packed& w, const MapF& y, std::ptrdiff_t first,
                 std::ptrdiff_t count, int group, float* out);

// w (outer, inner, positions) -> (outer, positions, inner): a weight whose pixels' channels stay
// together, as the gathered rows have them.
void positions_outside(const float* w, std::ptrdiff_t outer, std::ptrdiff_t inner,
                       std::ptrdiff_t positions, float* out);
FloatBuffer positions_outside(const FloatBuffer& w, std::ptrdiff_t outer, std::ptrdiff_t inner,
                              std::ptrdiff_t positions);

}  // namespace fovea
