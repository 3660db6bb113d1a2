// SPDX-License-Identifier: Apache-2.0
#include "src/io/safetensors.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "fovea/core/error.h"
#include "src/io/json.h"
#include "src/io/safetensors_header.h"

namespace fovea {
namespace {

constexpr std::uint64_t kMaxHeader = 100'000'000;
constexpr std::size_t kLengthBytes = 8;

[[noreturn]] void fail(const std::string& file, const std::string& what) {
  throw Error(Error::Kind::file, file + ": " + what);
}

// The header's text: behind its length, 8 bytes, little endian.
std::string_view header_of(std::string_view content, const std::string& file) {
  if (content.size() < kLengthBytes) {
    fail(file, "not a safetensors file: wanted at least 8 bytes, found " +
                   std::to_string(content.size()));
  }
  std::uint64_t length = 0;
  for (std::size_t i = kLengthBytes; i-- > 0;) {
    length = length << 8 | static_cast<unsigned char>(content[i]);
  }
  if (length == 0) fail(file, "not a safetensors file: the header is empty");
  if (length > kMaxHeader) {
    fail(file, "not a safetensors file: a header of " + std::to_string(length) +
                   " bytes is announced, more than " + std::to_string(kMaxHeader));
  }
  if (length > content.size() - kLengthBytes) {
    fail(file, "truncated: a header of " + std::to_string(length) + " bytes is announced, but " +
                   std::to_string(content.size() - kLengthBytes) + " follow");
  }
  return content.substr(kLengthBytes, static_cast<std::size_t>(length));
}

// Bytes that the shape asks for must be the bytes that the offsets give.
void check_size(const std::string& name, const SafetensorsEntry& entry, const std::string& file) {
  const std::string tensor = "tensor " + in_quotes(name) + ": ";
  if (entry.end < entry.begin) {
    fail(file, tensor + "data_offsets are reversed: " + std::to_string(entry.begin) + ", " +
                   std::to_string(entry.end));
  }
  const auto count = checked_numel(entry.shape);
  std::uint64_t bytes = 0;
  if (!count ||
      __builtin_mul_overflow(static_cast<std::uint64_t>(*count), size_of(entry.dtype), &bytes)) {
    fail(file, tensor + "shape " + to_string(entry.shape) + " is too large");
  }
  if (bytes != entry.end - entry.begin) {
    fail(file, tensor + "shape " + to_string(entry.shape) + " of " +
                   std::string(to_string(entry.dtype)) + " wants " + std::to_string(bytes) +
                   " bytes, data_offsets give " + std::to_string(entry.end - entry.begin));
  }
}

// Together the tensors must cover the data from its first to its last byte, once.
void check_layout(const SafetensorsEntries& entries, std::uint64_t data_size,
                  const std::string& file) {
  std::vector<const SafetensorsEntries::value_type*> order;
  order.reserve(entries.size());
  for (const auto& item : entries) {
    check_size(item.first, item.second, file);
    order.push_back(&item);
  }
  std::sort(order.begin(), order.end(), [](const auto* a, const auto* b) {
    return std::pair(a->second.begin, a->second.end) < std::pair(b->second.begin, b->second.end);
  });
  std::uint64_t covered = 0;
  for (const auto* item : order) {
    const auto& [name, entry] = *item;
    const std::string tensor = "tensor " + in_quotes(name);
    if (entry.end > data_size) {
      fail(file, "truncated: " + tensor + " ends at byte " + std::to_string(entry.end) +
                     " of the data, which have " + std::to_string(data_size));
    }
    if (entry.begin < covered) {
      fail(file, tensor + " overlaps another one at byte " + std::to_string(entry.begin));
    }
    if (entry.begin > covered) {
      fail(file, std::to_string(entry.begin - covered) + " bytes before " + tensor +
                     " belong to no tensor");
    }
    covered = entry.end;
  }
  if (covered != data_size) {
    fail(file, std::to_string(data_size - covered) + " bytes after the last tensor");
  }
}

class SafetensorsSource final : public ParamSource {
 public:
  explicit SafetensorsSource(FileBytes file) : file_(std::move(file)) {
    const std::string_view content = file_.text();
    const std::string_view header = header_of(content, file_.name);
    header_ = parse_safetensors_header(header, file_.name);
    data_ = file_.bytes.subspan(kLengthBytes + header.size());
    check_layout(header_.entries, data_.size(), file_.name);
  }

  const Shape* find(std::string_view name) const override {
    const auto found = header_.entries.find(name);
    return found == header_.entries.end() ? nullptr : &found->second.shape;
  }

  Tensor load(std::string_view name) const override {
    const auto found = header_.entries.find(name);
    if (found == header_.entries.end()) {
      throw Error(Error::Kind::argument, file_.name + ": there is no tensor " + in_quotes(name));
    }
    const SafetensorsEntry& entry = found->second;
    const auto begin = static_cast<std::size_t>(data_.data() - file_.bytes.data()) + entry.begin;
    return {entry.shape, entry.dtype, file_.part(begin, entry.end - entry.begin),
            data_.data() + entry.begin};
  }

  DType dtype(std::string_view name) const override {
    return header_.entries.find(name)->second.dtype;
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    names.reserve(header_.entries.size());
    for (const auto& [name, entry] : header_.entries) names.push_back(name);
    return names;
  }

  std::string description() const override { return file_.name; }

  CheckpointSummary summary() const override {
    CheckpointSummary summary;
    summary.format = "safetensors";
    for (const auto& [name, text] : header_.metadata) {
      summary.metadata.emplace_back(name, shortened(text));
    }
    return summary;
  }

 private:
  FileBytes file_;
  SafetensorsHeader header_;
  std::span<const std::byte> data_;
};

}  // namespace

std::unique_ptr<ParamSource> open_safetensors(FileBytes file) {
  return std::make_unique<SafetensorsSource>(std::move(file));
}

}  // namespace fovea
