// SPDX-License-Identifier: Apache-2.0
#include "src/backend/reference/reference_backend.h"

#include "src/backend/backends.h"
#include "src/backend/float_packed.h"

namespace fovea {

std::unique_ptr<Packed> ReferenceBackend::do_pack_linear(const Tensor& w, const PackTools&) const {
  return std::make_unique<FloatPacked>(w.to_floats());
}

std::unique_ptr<Packed> ReferenceBackend::do_pack_conv2d(const Tensor& w, const Conv2dSpec&,
                                                         const PackTools&) const {
  return std::make_unique<FloatPacked>(w.to_floats());
}

void ReferenceBackend::do_linear(CMapF x, const Packed& w, const Epilogue& epilogue, MapF y,
                                 Context&) const {
  const float* const weight = float_values(w);  // (out, in)
  for (std::ptrdiff_t r = 0; r < x.rows(); ++r) {
    for (int o = 0; o < w.out; ++o) {
      double acc = 0;
      for (int i = 0; i < w.in; ++i) {
        acc += static_cast<double>(x.row(r)[i]) * weight[static_cast<std::ptrdiff_t>(o) * w.in + i];
      }
      y.row(r)[o] = finished(acc, epilogue, r, o);
    }
  }
}

std::shared_ptr<const Backend> make_reference_backend() {
  return std::make_shared<ReferenceBackend>();
}

}  // namespace fovea
