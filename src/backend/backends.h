// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <memory>

#include "fovea/backend/backend.h"
#include "kernels/table.h"

namespace fovea {

// One function per backend, defined in its folder; what the factory chooses from.
std::shared_ptr<const Backend> make_reference_backend();
// `isa` is one that this processor can run.
std::shared_ptr<const Backend> make_native_backend(kernels::Isa isa);
std::shared_ptr<const Backend> make_eigen_backend();
std::shared_ptr<const Backend> make_onednn_backend();

}  // namespace fovea
