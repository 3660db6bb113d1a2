// SPDX-License-Identifier: Apache-2.0
#include "src/io/pickle_rebuild.h"

#include <algorithm>
#include <optional>

#include "fovea/core/error.h"
#include "fovea/core/shape.h"
#include "src/io/json.h"

namespace fovea {
namespace {

constexpr std::size_t kMaxRank = 16;  // as in safetensors

[[noreturn]] void fail(const std::string& what) { throw Error(Error::Kind::file, what); }

// The arguments of one call, taken by their place.
class Arguments {
 public:
  Arguments(const PickleDocument& document, PickleId tuple, std::string_view callee,
            std::size_t least, std::size_t most)
      : document_(document), items_(document.items(tuple)), callee_(callee) {
    if (items_.size() < least || items_.size() > most) {
      fail(callee_ + " has " + std::to_string(items_.size()) + " arguments");
    }
  }

  std::size_t size() const { return items_.size(); }
  PickleId at(std::size_t place) const { return items_[place]; }

  PickleId at(std::size_t place, PickleKind kind, const char* wanted) const {
    const PickleId id = items_[place];
    if (!document_.is(id, kind)) {
      fail(callee_ + " wants " + wanted + ", found " + document_.describe(id));
    }
    return id;
  }

  std::int64_t natural(std::size_t place, const char* what) const {
    const std::int64_t value = document_.integer(at(place, PickleKind::integer, what));
    if (value < 0) fail(callee_ + " wants " + what + ", found " + std::to_string(value));
    return value;
  }

 private:
  const PickleDocument& document_;
  std::span<const PickleId> items_;
  std::string callee_;
};

// Sizes or strides.
Shape naturals(const PickleDocument& document, PickleId tuple, const char* what) {
  const std::span<const PickleId> items = document.items(tuple);
  if (items.size() > kMaxRank) {
    fail(std::string("a tensor has more than ") + std::to_string(kMaxRank) + " " + what);
  }
  Shape values;
  for (const PickleId item : items) {
    if (!document.is(item, PickleKind::integer) || document.integer(item) < 0) {
      fail(std::string("the ") + what + " of a tensor want integers from 0, found " +
           document.describe(item));
    }
    values.push_back(document.integer(item));
  }
  return values;
}

// The number behind the last element, counted from the first of the storage; nothing when it leaves
// 63 bits.
std::optional<std::int64_t> end_of(std::int64_t offset, const Shape& sizes, const Shape& strides) {
  std::int64_t last = offset;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0) return offset;
    std::int64_t reach = 0;
    if (__builtin_mul_overflow(sizes[i] - 1, strides[i], &reach) ||
        __builtin_add_overflow(last, reach, &last)) {
      return std::nullopt;
    }
  }
  std::int64_t end = 0;
  if (__builtin_add_overflow(last, 1, &end)) return std::nullopt;
  return end;
}

void check_bounds(const PickleDocument& document, const PickleTensor& tensor) {
  const Shape sizes = naturals(document, tensor.sizes, "sizes");
  const Shape strides = naturals(document, tensor.strides, "strides");
  if (sizes.size() != strides.size()) {
    fail("a tensor has " + std::to_string(sizes.size()) + " sizes but " +
         std::to_string(strides.size()) + " strides");
  }
  const auto count = checked_numel(sizes);
  std::int64_t bytes = 0;
  const auto element = static_cast<std::int64_t>(tensor.element->size);
  if (!count || __builtin_mul_overflow(*count, element, &bytes)) {
    fail("a tensor of shape " + to_string(sizes) + " is too large");
  }
  const std::int64_t available =
      document.storage(tensor.storage).view_count /
      (document.storage(tensor.storage).element->name.empty() ? element : 1);
  const auto end = end_of(tensor.offset, sizes, strides);
  if (!end || *end > available) {
    fail("a tensor of shape " + to_string(sizes) + ", strides " + to_string(strides) +
         " and offset " + std::to_string(tensor.offset) +
         " reaches beyond its storage, which has " + std::to_string(available) + " elements");
  }
}

PickleId make_tensor(PickleDocument& document, const PickleGlobal& callee, PickleId arguments) {
  const bool typed = callee.role == PickleRole::typed_tensor;
  const Arguments given(document, arguments, callee.name, typed ? 7 : 4, 8);
  PickleTensor tensor;
  tensor.storage = given.at(0, PickleKind::storage, "a storage");
  tensor.offset = given.natural(1, "an offset from 0");
  tensor.sizes = given.at(2, PickleKind::tuple, "a tuple of sizes");
  tensor.strides = given.at(3, PickleKind::tuple, "a tuple of strides");
  tensor.element = document.storage(tensor.storage).element;
  if (typed) {
    const PickleGlobal& dtype = document.global(given.at(6, PickleKind::global, "a dtype"));
    if (dtype.role != PickleRole::dtype) {
      fail(std::string(callee.name) + " wants a dtype, found " + std::string(dtype.name));
    }
    if (!tensor.element->name.empty()) {
      fail(std::string(callee.name) + " wants an untyped storage, found one of " +
           std::string(tensor.element->name));
    }
    tensor.element = &dtype.element;
  } else if (tensor.element->name.empty()) {
    fail(std::string(callee.name) + " wants a typed storage, found an untyped one");
  }
  check_bounds(document, tensor);
  return document.add_tensor(tensor);
}

// (function, class, arguments of the function, attributes).
PickleId tensor_of_class(PickleDocument& document, const PickleGlobal& callee, PickleId arguments) {
  const Arguments given(document, arguments, callee.name, 4, 4);
  const PickleId function = given.at(0, PickleKind::global, "a function");
  if (document.global(function).role == PickleRole::tensor_of_class) {
    fail(std::string(callee.name) + " is called for itself");
  }
  given.at(1, PickleKind::global, "a class");
  return rebuild_tensor(document, function, given.at(2, PickleKind::tuple, "a tuple"));
}

}  // namespace

PickleId rebuild_storage(PickleDocument& document, PickleId persistent_id) {
  const bool is_tuple = document.is(persistent_id, PickleKind::tuple);
  const std::span<const PickleId> items =
      is_tuple ? document.items(persistent_id) : std::span<const PickleId>();
  if (items.empty() || !document.is(items[0], PickleKind::text)) {
    fail("wanted a persistent id (\"storage\", class, key, location, count), found " +
         document.describe(persistent_id));
  }
  if (document.text(items[0]) == "module") {
    fail(
        "the file holds a whole module with its source text; load it in PyTorch, where it can be "
        "trusted, and save its state_dict as safetensors");
  }
  if (document.text(items[0]) != "storage") {
    fail("wanted the persistent id of a storage, found one of " +
         in_quotes(document.text(items[0])));
  }
  const Arguments given(document, persistent_id, "the persistent id", 5, 6);
  const PickleGlobal& type = document.global(given.at(1, PickleKind::global, "a storage class"));
  if (type.role != PickleRole::storage) {
    fail("the persistent id wants a storage class, found " + std::string(type.name));
  }
  PickleStorage storage;
  storage.element = &type.element;
  storage.key = given.at(2, PickleKind::text, "a key in a string");
  given.at(3, PickleKind::text, "a location in a string");
  storage.count = given.natural(4, "a number of elements from 0");
  storage.view_count = storage.count;
  std::int64_t bytes = 0;
  if (__builtin_mul_overflow(storage.count, static_cast<std::int64_t>(type.element.size), &bytes)) {
    fail("a storage of " + std::to_string(storage.count) + " elements is too large");
  }
  if (given.size() == 6 && !document.is(given.at(5), PickleKind::none)) {
    const PickleId view_id = given.at(5, PickleKind::tuple, "a view in a tuple");
    const Arguments view(document, view_id, "a view of a storage", 3, 3);
    storage.view_offset = view.natural(1, "an offset from 0");
    storage.view_count = view.natural(2, "a number of elements from 0");
    if (storage.view_offset > storage.count ||
        storage.view_count > storage.count - storage.view_offset) {
      fail("a view reaches beyond its storage");
    }
  }
  return document.add_storage(storage);
}

PickleId rebuild_tensor(PickleDocument& document, PickleId callee, PickleId arguments) {
  const PickleGlobal& global = document.global(callee);
  switch (global.role) {
    case PickleRole::tensor:
    case PickleRole::typed_tensor:
      return make_tensor(document, global, arguments);
    case PickleRole::tensor_of_class:
      return tensor_of_class(document, global, arguments);
    case PickleRole::parameter: {
      const Arguments given(document, arguments, global.name, 1, 4);
      const PickleId data = given.at(0);
      if (document.is(data, PickleKind::record)) return data;  // an unsupported tensor
      return given.at(0, PickleKind::tensor, "a tensor");
    }
    case PickleRole::size:
      return Arguments(document, arguments, global.name, 1, 1).at(0, PickleKind::tuple, "a tuple");
    case PickleRole::unsupported_tensor:
      return document.add_record(callee, arguments);
    default:
      fail(std::string(global.name) + " is nothing that can be called");
  }
}

}  // namespace fovea
