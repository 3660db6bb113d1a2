// SPDX-License-Identifier: Apache-2.0
// Operators on single elements.
#include "src/backend/reference/reference_backend.h"

namespace fovea {

void ReferenceBackend::do_apply(CMapF x, const Epilogue& epilogue, MapF y, Context&) const {
  for (std::ptrdiff_t r = 0; r < x.rows(); ++r) {
    for (int c = 0; c < x.c; ++c) y.row(r)[c] = finished(x.row(r)[c], epilogue, r, c);
  }
}

void ReferenceBackend::do_multiply(CMapF a, CMapF b, const Activation& act, MapF y,
                                   Context&) const {
  for (std::ptrdiff_t r = 0; r < a.rows(); ++r) {
    for (int c = 0; c < a.c; ++c) {
      const double gate = activate(act, static_cast<double>(b.row(r)[c]));
      y.row(r)[c] = static_cast<float>(a.row(r)[c] * gate);
    }
  }
}

}  // namespace fovea
