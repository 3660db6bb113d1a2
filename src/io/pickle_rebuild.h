// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "src/io/pickle_document.h"

namespace fovea {

// What PyTorch's functions in a pickle would have made of their arguments, as values. Both throw
// Error (file) that tells what is wrong, without saying where.

// Of a persistent id: ("storage", class, key, location, count), in files before 1.6 followed by
// None or the (key, offset, count) of a view.
PickleId rebuild_storage(PickleDocument& document, PickleId persistent_id);

// Of a tuple of arguments: a tensor, the tensor within a parameter, the tuple of a torch.Size, or a
// record that stands for a tensor of an unsupported kind.
PickleId rebuild_tensor(PickleDocument& document, PickleId callee, PickleId arguments);

}  // namespace fovea
