// SPDX-License-Identifier: Apache-2.0
#include "src/io/torch_checkpoint.h"

#include <cstring>
#include <map>
#include <utility>
#include <vector>

#include "fovea/core/error.h"
#include "src/io/file_kind.h"
#include "src/io/json.h"
#include "src/io/torch_content.h"
#include "src/io/torch_state_dict.h"

namespace fovea {
namespace {

constexpr std::size_t kMaxName = 4096;  // bytes, as in safetensors

// A tensor may repeat elements (strides of zero), and several may share a storage: few bytes can
// announce any amount. Shared and tied weights stay far below this.
constexpr std::uint64_t kMaxSharing = 16;
constexpr std::uint64_t kSmallTensors = 1U << 20;

struct TorchEntry {
  Shape shape;
  Shape strides;  // empty: contiguous
  DType dtype = DType::f32;
  const std::byte* data = nullptr;
};

// Prefixes of wrappers around a module, which timm strips: each once, in this order.
std::string_view without_wrappers(std::string_view name) {
  for (const std::string_view wrapper : {"module.", "_orig_mod."}) {
    if (name.starts_with(wrapper)) name.remove_prefix(wrapper.size());
  }
  return name;
}

bool is_contiguous(const Shape& shape, const Shape& strides) {
  std::int64_t expected = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && strides[i] != expected) return false;
    expected *= shape[i];
  }
  return true;
}

// Copies the elements in the order of the indices: counts up like an odometer, and keeps the
// address up to date.
void gather(const TorchEntry& entry, std::byte* out) {
  const std::size_t size = size_of(entry.dtype);
  const std::size_t rank = entry.shape.size();
  Shape index(rank, 0);
  std::int64_t at = 0;
  for (std::int64_t left = numel(entry.shape); left > 0; --left) {
    std::memcpy(out, entry.data + static_cast<std::size_t>(at) * size, size);
    out += size;
    for (std::size_t i = rank; i-- > 0;) {
      at += entry.strides[i];
      if (++index[i] < entry.shape[i]) break;
      at -= entry.strides[i] * entry.shape[i];
      index[i] = 0;
    }
  }
}

class TorchSource final : public ParamSource {
 public:
  TorchSource(FileBytes file, const std::string& key) : file_(std::move(file)) {
    const TorchContent content = kind_of_checkpoint(file_.text()) == FileKind::torch_legacy
                                     ? read_torch_legacy(file_)
                                     : read_torch_zip(file_);
    StateDict state = find_state_dict(content.document, key, file_.name);
    summary_ = std::move(state.summary);
    summary_.format = content.format;
    add_entries(content, state.dict);
  }

  const Shape* find(std::string_view name) const override {
    const auto found = entries_.find(name);
    return found == entries_.end() ? nullptr : &found->second.shape;
  }

  DType dtype(std::string_view name) const override { return entries_.find(name)->second.dtype; }

  Tensor load(std::string_view name) const override {
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
      throw Error(Error::Kind::argument, file_.name + ": there is no tensor " + in_quotes(name));
    }
    const TorchEntry& entry = found->second;
    if (entry.strides.empty()) return {entry.shape, entry.dtype, file_.owner, entry.data};
    const auto bytes = static_cast<std::size_t>(numel(entry.shape)) * size_of(entry.dtype);
    const std::shared_ptr<std::byte[]> copy(new std::byte[bytes]);
    gather(entry, copy.get());
    return {entry.shape, entry.dtype, copy, copy.get()};
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    names.reserve(entries_.size());
    for (const auto& [name, entry] : entries_) names.push_back(name);
    return names;
  }

  std::string description() const override { return file_.name; }

  CheckpointSummary summary() const override { return summary_; }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Error::Kind::file, file_.name + ": " + what);
  }
  [[noreturn]] void fail_tensor(std::string_view name, const std::string& what) const {
    fail("tensor " + in_quotes(name) + ": " + what);
  }

  void add_entries(const TorchContent& content, PickleId dict);
  TorchEntry make_entry(const TorchContent& content, std::string_view name, PickleId id) const;

  FileBytes file_;
  std::map<std::string, TorchEntry, std::less<>> entries_;
  CheckpointSummary summary_;
};

TorchEntry TorchSource::make_entry(const TorchContent& content, std::string_view name,
                                   PickleId id) const {
  const PickleDocument& document = content.document;
  const PickleTensor& tensor = document.tensor(id);
  const PickleStorage& storage = document.storage(tensor.storage);
  if (!tensor.element->dtype) {
    fail_tensor(name, "the dtype " + std::string(tensor.element->name) + " is not supported");
  }
  if (name.empty() || name.size() > kMaxName || name.find('\0') != std::string_view::npos) {
    fail_tensor(name, "a name has from 1 to " + std::to_string(kMaxName) + " bytes and no NUL");
  }
  TorchEntry entry;
  entry.shape = document.integers(tensor.sizes);
  entry.strides = document.integers(tensor.strides);
  entry.dtype = *tensor.element->dtype;
  // No further than the end of the storage, which is checked; products stay below its size.
  const std::span<const std::byte> bytes =
      content.storages.find(document.text(storage.key))->second;
  const auto view = static_cast<std::size_t>(storage.view_offset) * storage.element->size;
  const auto offset = static_cast<std::size_t>(tensor.offset) * tensor.element->size;
  entry.data = bytes.data() + view + offset;
  if (is_contiguous(entry.shape, entry.strides)) entry.strides.clear();
  // Where there is one index only, the stride is not used, and may be anything.
  for (std::size_t i = 0; i < entry.strides.size(); ++i) {
    if (entry.shape[i] == 1) entry.strides[i] = 0;
  }
  return entry;
}

void TorchSource::add_entries(const TorchContent& content, PickleId dict) {
  const PickleDocument& document = content.document;
  const std::uint64_t limit = kMaxSharing * file_.bytes.size() + kSmallTensors;
  std::uint64_t total = 0;
  const std::span<const PickleId> items = document.items(dict);
  for (std::size_t i = 0; i < items.size(); i += 2) {
    if (!document.is(items[i], PickleKind::text)) continue;
    const std::string_view name = document.text(items[i]);
    const PickleId value = items[i + 1];
    if (document.is(value, PickleKind::record) &&
        document.global(value).role == PickleRole::unsupported_tensor) {
      fail_tensor(name,
                  "tensors of " + std::string(document.global(value).name) + " are not supported");
    }
    if (!document.is(value, PickleKind::tensor)) continue;
    TorchEntry entry = make_entry(content, name, value);
    total += static_cast<std::uint64_t>(numel(entry.shape)) * size_of(entry.dtype);
    if (total > limit) {
      fail_tensor(name,
                  "the tensors up to here repeat elements of their storages so often that "
                  "they take more than " +
                      std::to_string(limit) + " bytes, in a file of " +
                      std::to_string(file_.bytes.size()));
    }
    const auto [known, fresh] = entries_.emplace(without_wrappers(name), std::move(entry));
    if (!fresh) fail("the checkpoint has the tensor " + in_quotes(known->first) + " twice");
  }
}

}  // namespace

std::unique_ptr<ParamSource> open_torch_checkpoint(FileBytes file, const std::string& key) {
  return std::make_unique<TorchSource>(std::move(file), key);
}

}  // namespace fovea
