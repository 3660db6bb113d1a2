// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "src/io/pickle_globals.h"

namespace fovea {

// Values of a pickle, numbered. A number may stand in many places, also inside itself.
using PickleId = std::uint32_t;

enum class PickleKind : std::uint8_t {
  none,
  boolean,
  integer,
  big_integer,  // above 64 bits: text() is its two's complement, lowest byte first
  real,
  text,   // UTF-8
  bytes,  // of Python 2, which had no other strings
  tuple,
  list,
  dict,
  global,
  storage,
  tensor,
  record,  // a name of Python and what it would have been called with; nothing is known of it
};

// Where the elements of a tensor are: the entry `key` of the archive, of `count` elements, and of
// these the `view_count` from `view_offset` on.
struct PickleStorage {
  const ElementType* element = nullptr;
  PickleId key = 0;  // a text
  std::int64_t count = 0;
  std::int64_t view_offset = 0, view_count = 0;
};

// Its elements lie within the storage: that is checked.
struct PickleTensor {
  PickleId storage = 0;
  const ElementType* element = nullptr;
  std::int64_t offset = 0;          // elements, from the view's first
  PickleId sizes = 0, strides = 0;  // tuples of integers of equal length
};

// What a pickle contains, without recursion and in at most 64 bytes of memory for each of its own.
// Texts are parts of the pickle, which must outlive the document.
class PickleDocument {
 public:
  explicit PickleDocument(std::string_view source);

  PickleId root() const { return root_; }
  std::size_t size() const { return values_.size(); }

  PickleKind kind(PickleId id) const { return values_[id].kind; }
  bool is(PickleId id, PickleKind wanted) const { return kind(id) == wanted; }
  // Whether Python takes it for a key of a dict.
  bool hashable(PickleId id) const { return values_[id].hashable; }
  // Of the kinds that have it.
  bool boolean(PickleId id) const { return values_[id].bits != 0; }
  std::int64_t integer(PickleId id) const { return static_cast<std::int64_t>(values_[id].bits); }
  double real(PickleId id) const;
  std::string_view text(PickleId id) const;
  const PickleGlobal& global(PickleId id) const;  // of a record too
  const PickleStorage& storage(PickleId id) const { return storages_[values_[id].bits]; }
  const PickleTensor& tensor(PickleId id) const { return tensors_[values_[id].bits]; }
  // All of them, also those that nothing refers to.
  const std::deque<PickleStorage>& storages() const { return storages_; }
  // Of a tuple or list; of a dict: key, value, key, value; of a record: its arguments, then what it
  // was built with.
  std::span<const PickleId> items(PickleId id) const;
  std::vector<std::int64_t> integers(PickleId tuple) const;

  // The value of a text key in a dict, the last one as in Python; null when there is none.
  const PickleId* find(PickleId dict, std::string_view key) const;
  // A short text for people: "3", "Namespace(lr=0.1, ...)", "a tensor".
  std::string describe(PickleId id) const;

  // For the unpickler.
  PickleId add(PickleKind kind, std::uint64_t bits, std::uint32_t size = 0);
  PickleId add_text(PickleKind kind, std::string_view part);
  PickleId add_global(const PickleGlobal* global);
  PickleId add_tuple(std::span<const PickleId> items);
  PickleId add_container(PickleKind kind);  // an empty list or dict
  PickleId add_record(PickleId global, PickleId arguments);
  PickleId add_storage(const PickleStorage& storage);
  PickleId add_tensor(const PickleTensor& tensor);
  void append(PickleId container, std::span<const PickleId> items);
  void set_root(PickleId id) { root_ = id; }

  // The values that have no content of their own.
  static constexpr PickleId kNone = 0, kFalse = 1, kTrue = 2, kEmptyTuple = 3;

 private:
  struct Value {
    PickleKind kind;
    bool hashable;
    std::uint32_t size;
    std::uint64_t bits;
  };

  void describe(PickleId id, int depth, std::string& out) const;

  std::string_view source_;
  std::deque<Value> values_;
  std::vector<PickleId> tuples_;                  // the items of all tuples
  std::deque<std::vector<PickleId>> containers_;  // of lists, dicts, records
  std::vector<const PickleGlobal*> globals_;      // of globals and records
  std::deque<PickleStorage> storages_;
  std::deque<PickleTensor> tensors_;
  PickleId root_ = kNone;
};

}  // namespace fovea
