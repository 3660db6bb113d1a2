// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "fovea/core/dtype.h"

namespace fovea {

// What a name of Python, which a pickle refers to, stands for here. None of them is ever called.
enum class PickleRole : std::uint8_t {
  mapping,             // OrderedDict, Counter: a dict
  size,                // torch.Size: its tuple
  storage,             // a class of storages, of elements of one type
  dtype,               // an element type
  tensor,              // rebuilds a tensor: a storage, offset, sizes, strides
  typed_tensor,        // the same of an untyped storage, with the element type
  parameter,           // wraps a tensor: the tensor
  tensor_of_class,     // one of the functions above, and a class: the tensor
  unsupported_tensor,  // sparse, quantised, on no device: a record
  record,              // anything else that only holds data: a record
};

struct ElementType {
  std::string_view name;  // as torch has it
  std::size_t size;       // bytes
  std::optional<DType> dtype;
};

struct PickleGlobal {
  std::string_view name;
  PickleRole role;
  ElementType element = {};  // of a storage class, of a dtype; no name for untyped storages
};

// The entry of the allow-list, which is that of torch.load(weights_only=True) together with
// argparse.Namespace and NumPy's scalars; null when there is none.
const PickleGlobal* find_pickle_global(std::string_view module, std::string_view name);

}  // namespace fovea
