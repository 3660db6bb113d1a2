// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "kernels/table.h"

namespace fovea {

// The level of that name. `source` says who asked for it: an option or the environment. Throws
// Error (argument) for an unknown name, Error (failed) for a level that this build or processor
// lacks.
kernels::Isa isa_from_name(std::string_view name, std::string_view source);

// The level that kernels run at unless the caller says otherwise: that of the environment variable
// FOVEA_ISA, else the best supported one. Throws as isa_from_name does.
kernels::Isa default_isa();

}  // namespace fovea
