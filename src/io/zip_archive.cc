// SPDX-License-Identifier: Apache-2.0
// The format is described in PKWARE's APPNOTE.TXT 6.3.10; section numbers below are of that text.
#include "src/io/zip_archive.h"

#include <algorithm>
#include <optional>
#include <utility>
#include <vector>

#include "fovea/core/error.h"
#include "src/io/byte_reader.h"
#include "src/io/json.h"

namespace fovea {
namespace {

using namespace std::string_view_literals;

constexpr std::size_t kLocalBytes = 30;    // 4.3.7
constexpr std::size_t kCentralBytes = 46;  // 4.3.12
constexpr std::size_t kEnd64Bytes = 56;    // 4.3.14
constexpr std::size_t kLocatorBytes = 20;  // 4.3.15
constexpr std::size_t kEndBytes = 22;      // 4.3.16
constexpr std::size_t kMaxComment = 0xFFFF;
constexpr std::size_t kMaxName = 4096;
constexpr std::uint32_t kIn64 = 0xFFFFFFFF;  // "see the zip64 extra field", 4.5.3
constexpr std::uint16_t kIn64Short = 0xFFFF;

// Bits of the flags, 4.4.4.
constexpr unsigned kEncrypted = 1U << 0 | 1U << 6 | 1U << 13;
constexpr unsigned kDescriptor = 1U << 3;  // sizes follow the data
constexpr unsigned kPatch = 1U << 5;

struct Directory {
  std::uint64_t entries = 0, size = 0, offset = 0;
};

struct Entry {
  std::string_view name;
  unsigned flags = 0, method = 0;
  std::uint64_t size = 0, header = 0;  // of the data, of the local header's first byte
};

std::string method_name(unsigned method) {
  switch (method) {
    case 8:
      return "deflate";
    case 9:
      return "deflate64";
    case 12:
      return "bzip2";
    case 14:
      return "LZMA";
    case 93:
      return "zstd";
    case 95:
      return "xz";
    default:
      return "method " + std::to_string(method);
  }
}

class ZipReader {
 public:
  ZipReader(std::string_view text, const std::string& file) : text_(text), file_(file) {}

  ZipArchive::Members read();

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Error::Kind::file, file_ + ": " + what);
  }
  [[noreturn]] void fail_entry(const Entry& entry, const std::string& what) const {
    fail("zip member " + in_quotes(entry.name) + ": " + what);
  }
  template <class T>
  T number(std::uint64_t offset) const {
    return little_endian<T>(text_, static_cast<std::size_t>(offset));
  }
  std::string_view part(std::uint64_t begin, std::uint64_t size) const {
    return text_.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(size));
  }
  bool has(std::uint64_t offset, std::string_view signature) const {
    return part(offset, signature.size()) == signature;
  }

  void find_end();
  void read_directory();
  void read_directory64(std::uint64_t locator);
  Entry read_entry(std::uint64_t& at) const;
  void read_extra(Entry& entry, std::string_view extra, std::uint32_t packed_size) const;
  void check_name(const Entry& entry) const;
  void check_storage(const Entry& entry, std::uint64_t packed_size) const;
  std::pair<std::string_view, std::uint64_t> locate(const Entry& entry) const;
  std::uint64_t end_of_descriptor(const Entry& entry, std::uint64_t at) const;

  std::string_view text_;
  const std::string& file_;
  std::uint64_t end_ = 0;  // of the members and their directory: where the end records begin
  Directory directory_;
};

// The record that closes an archive is in the last 22 bytes: torch.save writes no comment behind
// it. One that a comment may hide, or hide in, is refused, as readers differ in which they take.
void ZipReader::find_end() {
  constexpr std::string_view kSignature = "PK\5\6"sv;
  if (text_.size() < kEndBytes)
    fail("truncated: a zip archive of " + std::to_string(text_.size()) + " bytes");
  const std::size_t last = text_.size() - kEndBytes;
  const std::size_t first = last > kMaxComment ? last - kMaxComment : 0;
  const bool closed = has(last, kSignature) && number<std::uint16_t>(last + 20) == 0;
  for (std::size_t at = text_.find(kSignature, first); at < last;
       at = text_.find(kSignature, at + 1)) {
    if (number<std::uint16_t>(at + 20) != last - at) continue;
    fail(closed ? "the zip archive has two ends of its central directory"
                : "the zip archive ends in a comment, which torch.save does not write");
  }
  if (!closed) {
    fail(
        "truncated, or not a zip archive: there is no end of the central directory in its last "
        "bytes");
  }
  end_ = last;
}

void ZipReader::read_directory64(std::uint64_t locator) {
  const auto record = number<std::uint64_t>(locator + 8);
  if (number<std::uint32_t>(locator + 4) != 0 || number<std::uint32_t>(locator + 16) > 1) {
    fail("the zip archive has several disks");
  }
  if (locator < kEnd64Bytes || record != locator - kEnd64Bytes || !has(record, "PK\6\6"sv)) {
    fail("the zip64 end of the central directory is not where its locator says");
  }
  if (number<std::uint64_t>(record + 4) != kEnd64Bytes - 12) {
    fail("the zip64 end of the central directory has " +
         std::to_string(number<std::uint64_t>(record + 4)) + " bytes, wanted 44");
  }
  const Directory wide{number<std::uint64_t>(record + 32), number<std::uint64_t>(record + 40),
                       number<std::uint64_t>(record + 48)};
  if (number<std::uint32_t>(record + 16) != 0 || number<std::uint32_t>(record + 20) != 0) {
    fail("the zip archive has several disks");
  }
  const auto agree = [](std::uint64_t small, std::uint64_t in64, std::uint64_t value) {
    return small == value || small == in64;
  };
  if (number<std::uint64_t>(record + 24) != wide.entries ||
      !agree(directory_.entries, kIn64Short, wide.entries) ||
      !agree(directory_.size, kIn64, wide.size) || !agree(directory_.offset, kIn64, wide.offset)) {
    fail("the two ends of the central directory, zip and zip64, disagree");
  }
  directory_ = wide;
  end_ = record;
}

void ZipReader::read_directory() {
  find_end();
  const std::uint64_t end = end_;
  if (number<std::uint16_t>(end + 4) != 0 || number<std::uint16_t>(end + 6) != 0) {
    fail("the zip archive has several disks");
  }
  directory_ = {number<std::uint16_t>(end + 10), number<std::uint32_t>(end + 12),
                number<std::uint32_t>(end + 16)};
  if (number<std::uint16_t>(end + 8) != directory_.entries) {
    fail("the zip archive has several disks, or counts its members in two ways");
  }
  if (end >= kLocatorBytes && has(end - kLocatorBytes, "PK\6\7"sv)) {
    read_directory64(end - kLocatorBytes);
  } else if (directory_.entries == kIn64Short || directory_.size == kIn64 ||
             directory_.offset == kIn64) {
    fail("the zip archive refers to zip64 records that it does not have");
  }
  if (directory_.offset > end_ || directory_.size != end_ - directory_.offset) {
    fail("the central directory is not where the zip archive's end says: " +
         std::to_string(directory_.size) + " bytes at byte " + std::to_string(directory_.offset) +
         ", which end at byte " + std::to_string(end_));
  }
}

void ZipReader::check_name(const Entry& entry) const {
  const std::string_view name = entry.name;
  if (name.empty() || name.size() > kMaxName) {
    fail_entry(entry, "a name has from 1 to " + std::to_string(kMaxName) + " bytes");
  }
  if (name.find_first_of("\0\\:"sv) != std::string_view::npos) {
    fail_entry(entry, "the name contains NUL, \\ or :");
  }
  for (std::size_t begin = 0; begin <= name.size();) {
    const std::size_t end = std::min(name.find('/', begin), name.size());
    const std::string_view component = name.substr(begin, end - begin);
    const bool folder = component.empty() && begin == name.size() && begin > 0;
    if (component == "." || component == ".." || (component.empty() && !folder)) {
      fail_entry(entry, "wanted a relative name without . and ..");
    }
    begin = end + 1;
  }
}

void ZipReader::check_storage(const Entry& entry, std::uint64_t packed_size) const {
  if ((entry.flags & kEncrypted) != 0) fail_entry(entry, "it is encrypted");
  if ((entry.flags & kPatch) != 0) fail_entry(entry, "it is a patch");
  if (entry.method != 0) {
    fail_entry(entry, "it is compressed (" + method_name(entry.method) +
                          "), which torch.save does not do: unpack the archive and pack it again "
                          "without compression (zip -0), or save the state_dict anew");
  }
  if (packed_size != entry.size) {
    fail_entry(entry, "it is not compressed, but its sizes differ: " + std::to_string(packed_size) +
                          " and " + std::to_string(entry.size));
  }
  if (entry.name.ends_with('/') && entry.size != 0) fail_entry(entry, "a folder has no content");
}

// Sizes and offset that have no room in the directory itself are here, in this order (4.5.3).
void ZipReader::read_extra(Entry& entry, std::string_view extra, std::uint32_t packed) const {
  std::optional<std::string_view> wide;
  for (std::size_t at = 0; at < extra.size();) {
    if (extra.size() - at < 4) fail_entry(entry, "its extra field is cut");
    const auto id = little_endian<std::uint16_t>(extra, at);
    const std::size_t size = little_endian<std::uint16_t>(extra, at + 2);
    if (size > extra.size() - at - 4) fail_entry(entry, "its extra field is cut");
    if (id == 1 && wide) fail_entry(entry, "it has two zip64 fields");
    if (id == 1) wide = extra.substr(at + 4, size);
    at += 4 + size;
  }
  std::size_t used = 0;
  const auto widen = [&](std::uint64_t value) {
    if (value != kIn64) return value;
    if (!wide || wide->size() < used + 8) fail_entry(entry, "its zip64 field is missing or short");
    used += 8;
    return little_endian<std::uint64_t>(*wide, used - 8);
  };
  entry.size = widen(entry.size);
  const std::uint64_t packed_size = widen(packed);
  entry.header = widen(entry.header);
  if (wide && wide->size() != used) fail_entry(entry, "its zip64 field has values to spare");
  check_storage(entry, packed_size);
}

Entry ZipReader::read_entry(std::uint64_t& at) const {
  if (end_ - at < kCentralBytes || !has(at, "PK\1\2"sv)) {
    fail("the central directory has no entry at byte " + std::to_string(at));
  }
  const std::uint64_t name_size = number<std::uint16_t>(at + 28);
  const std::uint64_t extra_size = number<std::uint16_t>(at + 30);
  const std::uint64_t comment_size = number<std::uint16_t>(at + 32);
  const std::uint64_t size = kCentralBytes + name_size + extra_size + comment_size;
  if (size > end_ - at) fail("the central directory is cut at byte " + std::to_string(at));
  Entry entry;
  entry.name = part(at + kCentralBytes, name_size);
  entry.flags = number<std::uint16_t>(at + 8);
  entry.method = number<std::uint16_t>(at + 10);
  entry.size = number<std::uint32_t>(at + 24);
  entry.header = number<std::uint32_t>(at + 42);
  check_name(entry);
  if (number<std::uint16_t>(at + 34) != 0) fail_entry(entry, "it is on another disk");
  read_extra(entry, part(at + kCentralBytes + name_size, extra_size),
             number<std::uint32_t>(at + 20));
  at += size;
  return entry;
}

// Behind the data, with or without a signature, sizes of 4 or 8 bytes (4.3.9). torch.save writes
// the signature.
std::uint64_t ZipReader::end_of_descriptor(const Entry& entry, std::uint64_t at) const {
  const std::uint64_t room = directory_.offset - at;
  const std::uint64_t begin = room >= 4 && has(at, "PK\7\x08"sv) ? at + 4 : at;
  if (begin - at + 20 <= room && number<std::uint64_t>(begin + 4) == entry.size &&
      number<std::uint64_t>(begin + 12) == entry.size) {
    return begin + 20;
  }
  if (begin - at + 12 <= room && number<std::uint32_t>(begin + 4) == entry.size &&
      number<std::uint32_t>(begin + 8) == entry.size) {
    return begin + 12;
  }
  fail_entry(entry, "its sizes in the central directory and behind its data disagree");
}

// The data of a member, and where the next may begin.
std::pair<std::string_view, std::uint64_t> ZipReader::locate(const Entry& entry) const {
  const std::uint64_t at = entry.header;
  const std::uint64_t end = directory_.offset;
  if (at > end || end - at < kLocalBytes) fail_entry(entry, "it lies outside the archive");
  if (!has(at, "PK\3\4"sv)) {
    fail_entry(entry, "there is no header of a member at byte " + std::to_string(at));
  }
  const std::uint64_t name_size = number<std::uint16_t>(at + 26);
  const std::uint64_t header = kLocalBytes + name_size + number<std::uint16_t>(at + 28);
  if (header > end - at || entry.size > end - at - header) {
    fail_entry(entry, "it lies outside the archive");
  }
  const auto disagree = [&](const char* what) {
    fail_entry(entry, std::string("its ") + what + " in the central directory and at byte " +
                          std::to_string(at) + " disagree");
  };
  if (part(at + kLocalBytes, name_size) != entry.name) disagree("names");
  if (number<std::uint16_t>(at + 6) != entry.flags) disagree("flags");
  if (number<std::uint16_t>(at + 8) != entry.method) disagree("compression methods");
  const bool described = (entry.flags & kDescriptor) != 0;
  for (const std::uint64_t field : {at + 18, at + 22}) {
    const std::uint64_t size = number<std::uint32_t>(field);
    const bool later = described && size == 0;
    const bool wide = size == kIn64 && entry.size >= kIn64;
    if (size != entry.size && !later && !wide) disagree("sizes");
  }
  const std::uint64_t data_end = at + header + entry.size;
  return {part(at + header, entry.size), described ? end_of_descriptor(entry, data_end) : data_end};
}

ZipArchive::Members ZipReader::read() {
  read_directory();
  if (directory_.entries > directory_.size / kCentralBytes) {
    fail("the central directory has no room for " + std::to_string(directory_.entries) +
         " members");
  }
  struct Extent {
    std::uint64_t begin, end;
    std::string_view name;
  };
  ZipArchive::Members members;
  std::vector<Extent> extents;
  extents.reserve(static_cast<std::size_t>(directory_.entries));
  std::uint64_t at = directory_.offset;
  for (std::uint64_t i = 0; i < directory_.entries; ++i) {
    const Entry entry = read_entry(at);
    const auto [data, end] = locate(entry);
    if (!members.emplace(entry.name, data).second) fail_entry(entry, "it is there twice");
    extents.push_back({entry.header, end, entry.name});
  }
  if (at != end_) {
    fail(std::to_string(end_ - at) +
         " bytes of the central directory are no entries: it has more "
         "than the " +
         std::to_string(directory_.entries) + " announced");
  }
  std::sort(extents.begin(), extents.end(),
            [](const Extent& a, const Extent& b) { return a.begin < b.begin; });
  if (!extents.empty() && extents[0].begin != 0)
    fail("the zip archive does not begin with a member");
  for (std::size_t i = 1; i < extents.size(); ++i) {
    if (extents[i].begin < extents[i - 1].end) {
      fail("the zip members " + in_quotes(extents[i - 1].name) + " and " +
           in_quotes(extents[i].name) + " overlap");
    }
  }
  std::erase_if(members, [](const auto& member) { return member.first.ends_with('/'); });
  return members;
}

}  // namespace

ZipArchive::ZipArchive(FileBytes file) : file_(std::move(file)) {
  members_ = ZipReader(file_.text(), file_.name).read();
}

}  // namespace fovea
