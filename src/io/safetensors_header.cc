// SPDX-License-Identifier: Apache-2.0
#include "src/io/safetensors_header.h"

#include <algorithm>
#include <array>
#include <limits>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "fovea/core/error.h"
#include "src/io/json.h"

namespace fovea {
namespace {

constexpr std::size_t kMaxEntries = 100000;  // of tensors, and of metadata
constexpr std::size_t kMaxName = 4096;       // bytes
constexpr std::size_t kMaxRank = 16;

constexpr std::array<std::pair<std::string_view, DType>, 10> kDTypes = {{{"F64", DType::f64},
                                                                         {"F32", DType::f32},
                                                                         {"F16", DType::f16},
                                                                         {"BF16", DType::bf16},
                                                                         {"I64", DType::i64},
                                                                         {"I32", DType::i32},
                                                                         {"I16", DType::i16},
                                                                         {"I8", DType::i8},
                                                                         {"U8", DType::u8},
                                                                         {"BOOL", DType::boolean}}};

// Legal in the format, but nothing that a vision backbone's weights come in.
constexpr std::array<std::string_view, 12> kForeignDTypes = {
    "U16",     "U32",         "U64",     "C64",     "F4",      "F6_E2M3",
    "F6_E3M2", "F8_E4M3FNUZ", "F8_E4M3", "F8_E5M2", "F8_E8M0", "F8_E5M2FNUZ"};

// Receives the header's JSON value by value. Building no tree, it holds nothing but entries it has
// accepted: a bomb of nested arrays or repeated keys ends at its first byte out of place.
class HeaderReader final : public nlohmann::json_sax<Json> {
 public:
  HeaderReader(const std::string& file, SafetensorsHeader& header)
      : file_(file), entries_(header.entries), metadata_(header.metadata) {}

  bool null() override { unexpected("null"); }
  bool boolean(bool value) override { unexpected(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { unexpected(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { unexpected(text); }
  bool binary(binary_t&) override { unexpected("binary data"); }
  bool number_unsigned(number_unsigned_t value) override;
  bool string(string_t& value) override;
  bool start_object(std::size_t) override;
  bool key(string_t& value) override;
  bool end_object() override;
  bool start_array(std::size_t) override;
  bool end_array() override;
  bool parse_error(std::size_t position, const std::string&, const Json::exception&) override {
    fail("the header is not JSON: an error at its byte " + std::to_string(position));
  }

 private:
  enum class Place { outside, root, entry, shape, offsets, metadata };
  enum class Field { none, dtype, shape, offsets };

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Error::Kind::file, file_ + ": " + what);
  }
  [[noreturn]] void fail_entry(const std::string& what) const {
    fail("tensor " + in_quotes(name_) + ": " + what);
  }
  [[noreturn]] void unexpected(const std::string& found) const;
  void set_dtype(const std::string& text);
  void begin_field(const std::string& name);

  const std::string& file_;
  SafetensorsEntries& entries_;
  std::vector<std::pair<std::string, std::string>>& metadata_;
  Place place_ = Place::outside;
  std::string name_;  // the last key of the root: a tensor or __metadata__
  bool has_metadata_ = false;
  std::set<std::string> metadata_names_;

  // Of the tensor being read.
  Field field_ = Field::none;
  std::optional<DType> dtype_;
  std::optional<Shape> shape_;
  std::optional<std::vector<std::uint64_t>> offsets_;
};

void HeaderReader::unexpected(const std::string& found) const {
  const std::string text = found.size() > 40 ? found.substr(0, 40) + "..." : found;
  switch (place_) {
    case Place::outside:
      fail("the header wants an object, found " + text);
    case Place::root:
      fail(name_ == "__metadata__"
               ? "__metadata__ wants an object, found " + text
               : "tensor " + in_quotes(name_) + " wants an object, found " + text);
    case Place::metadata:
      fail("__metadata__ wants strings only, found " + text);
    case Place::shape:
      fail_entry("shape wants integers from 0 to 2^63 - 1, found " + text);
    case Place::offsets:
      fail_entry("data_offsets wants two integers from 0 to 2^64 - 1, found " + text);
    case Place::entry:
      break;
  }
  fail_entry((field_ == Field::dtype   ? "dtype wants a string, found "
              : field_ == Field::shape ? "shape wants an array, found "
                                       : "data_offsets wants an array, found ") +
             text);
}

bool HeaderReader::number_unsigned(number_unsigned_t value) {
  if (place_ == Place::shape) {
    if (value > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
      unexpected(std::to_string(value));
    }
    if (shape_->size() == kMaxRank) {
      fail_entry("shape has more than " + std::to_string(kMaxRank) + " sizes");
    }
    shape_->push_back(static_cast<std::int64_t>(value));
  } else if (place_ == Place::offsets) {
    if (offsets_->size() == 2) fail_entry("data_offsets wants two integers, found more");
    offsets_->push_back(value);
  } else {
    unexpected(std::to_string(value));
  }
  return true;
}

void HeaderReader::set_dtype(const std::string& text) {
  for (const auto& [name, dtype] : kDTypes) {
    if (name == text) dtype_ = dtype;
  }
  if (dtype_) return;
  const bool foreign =
      std::find(kForeignDTypes.begin(), kForeignDTypes.end(), text) != kForeignDTypes.end();
  fail_entry(foreign ? "the dtype " + text + " is not supported"
                     : "unknown dtype " + in_quotes(text));
}

bool HeaderReader::string(string_t& value) {
  if (place_ == Place::metadata) {
    metadata_.back().second = std::move(value);
    return true;
  }
  if (place_ != Place::entry || field_ != Field::dtype) unexpected(in_quotes(value));
  set_dtype(value);
  return true;
}

bool HeaderReader::start_object(std::size_t) {
  if (place_ == Place::outside) {
    place_ = Place::root;
  } else if (place_ == Place::root) {
    place_ = name_ == "__metadata__" ? Place::metadata : Place::entry;
    field_ = Field::none;
    dtype_.reset();
    shape_.reset();
    offsets_.reset();
  } else {
    unexpected("an object");
  }
  return true;
}

void HeaderReader::begin_field(const std::string& name) {
  bool seen = false;
  if (name == "dtype") {
    field_ = Field::dtype;
    seen = dtype_.has_value();
  } else if (name == "shape") {
    field_ = Field::shape;
    seen = shape_.has_value();
  } else if (name == "data_offsets") {
    field_ = Field::offsets;
    seen = offsets_.has_value();
  } else {
    fail_entry("unknown key " + in_quotes(name));
  }
  if (seen) fail_entry(name + " appears twice");
}

bool HeaderReader::key(string_t& value) {
  if (place_ == Place::entry) {
    begin_field(value);
    return true;
  }
  if (value.size() > kMaxName) {
    fail("the name " + in_quotes(value) + " is longer than " + std::to_string(kMaxName) + " bytes");
  }
  if (place_ == Place::metadata) {
    if (metadata_.size() == kMaxEntries) fail("__metadata__ has too many entries");
    if (!metadata_names_.insert(value).second) {
      fail("__metadata__ has " + in_quotes(value) + " twice");
    }
    metadata_.emplace_back(std::move(value), std::string());
    return true;
  }
  if (value.find('\0') != std::string::npos) fail("the name " + in_quotes(value) + " contains NUL");
  const bool twice = value == "__metadata__" ? std::exchange(has_metadata_, true)
                                             : entries_.find(value) != entries_.end();
  if (twice) fail(in_quotes(value) + " appears twice in the header");
  if (entries_.size() == kMaxEntries) {
    fail("the header has more than " + std::to_string(kMaxEntries) + " tensors");
  }
  name_ = std::move(value);
  return true;
}

bool HeaderReader::end_object() {
  if (place_ == Place::root) {
    place_ = Place::outside;
    return true;
  }
  if (place_ == Place::entry) {
    if (!dtype_) fail_entry("dtype is missing");
    if (!shape_) fail_entry("shape is missing");
    if (!offsets_) fail_entry("data_offsets is missing");
    entries_.try_emplace(
        name_, SafetensorsEntry{*dtype_, std::move(*shape_), offsets_->at(0), offsets_->at(1)});
  }
  place_ = Place::root;
  return true;
}

bool HeaderReader::start_array(std::size_t) {
  if (place_ == Place::entry && field_ == Field::shape) {
    place_ = Place::shape;
    shape_.emplace();
  } else if (place_ == Place::entry && field_ == Field::offsets) {
    place_ = Place::offsets;
    offsets_.emplace();
  } else {
    unexpected("an array");
  }
  return true;
}

bool HeaderReader::end_array() {
  if (place_ == Place::offsets && offsets_->size() != 2) {
    fail_entry("data_offsets wants two integers, found " + std::to_string(offsets_->size()));
  }
  place_ = Place::entry;
  return true;
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view header, const std::string& file) {
  // Before the parser: it skips a byte order mark and takes a NUL for the end.
  if (header.empty() || header.front() != '{') {
    throw Error(Error::Kind::file, file + ": the header does not begin with {");
  }
  if (header.find('\0') != std::string_view::npos) {
    throw Error(Error::Kind::file, file + ": the header contains a NUL byte");
  }
  SafetensorsHeader read;
  HeaderReader reader(file, read);
  Json::sax_parse(header, &reader);
  return read;
}

}  // namespace fovea
