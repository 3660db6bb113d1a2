// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace fovea {

// Little-endian numbers, as zip archives and pickles have them.
template <class T>
std::string bytes_of(T value) {
  std::string bytes(sizeof(T), '\0');
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    bytes[i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i) & 0xFF);
  }
  return bytes;
}
inline std::string u16(std::uint64_t value) { return bytes_of(static_cast<std::uint16_t>(value)); }
inline std::string u32(std::uint64_t value) { return bytes_of(static_cast<std::uint32_t>(value)); }
inline std::string u64(std::uint64_t value) { return bytes_of(value); }

// Zip archives, right and wrong ones: each field can be set to what a test wants it to be.
struct ZipMember {
  // Stored, and right, but for what is changed afterwards.
  ZipMember(std::string its_name, std::string its_data)
      : name(std::move(its_name)), data(std::move(its_data)) {
    size = packed_size = local_size = data.size();
    local_name = name;
  }

  std::string name, data;
  std::string local_name;
  std::uint64_t flags = 0, method = 0, disk = 0;
  std::uint64_t size = 0, packed_size = 0;  // in the directory
  std::uint64_t local_size = 0;             // before the data, both of them
  std::uint64_t local_flags = 0, local_method = 0;
  std::int64_t moved = 0;  // added to the offset in the directory
  std::string extra, local_extra;
  std::string behind;  // a data descriptor
};

struct ZipWriter {
  std::vector<ZipMember> members;
  std::string before, before_directory, behind_directory;
  // Added to what the end of the directory says.
  std::int64_t more_entries = 0, more_entries_on_disk = 0, more_size = 0, more_offset = 0;
  std::uint64_t disk = 0;
  std::uint64_t comment_size = 0;
  std::string comment;
  bool zip64 = false;
  std::int64_t more_entries64 = 0, more_size64 = 0, more_record64 = 0, more_locator64 = 0;
  std::uint64_t disks64 = 1;

  std::string write() const {
    std::string out = before;
    std::string directory;
    for (const ZipMember& member : members) {
      const std::uint64_t at = out.size() + static_cast<std::uint64_t>(member.moved);
      out += "PK\3\4" + u16(0) + u16(member.flags ^ member.local_flags) +
             u16(member.method ^ member.local_method) + u32(0) + u32(0) + u32(member.local_size) +
             u32(member.local_size) + u16(member.local_name.size()) +
             u16(member.local_extra.size()) + member.local_name + member.local_extra + member.data +
             member.behind;
      directory += "PK\1\2" + u16(0) + u16(0) + u16(member.flags) + u16(member.method) + u32(0) +
                   u32(0) + u32(member.packed_size) + u32(member.size) + u16(member.name.size()) +
                   u16(member.extra.size()) + u16(0) + u16(member.disk) + u16(0) + u32(0) +
                   u32(at) + member.name + member.extra;
    }
    out += before_directory;
    return out + directory + behind_directory + end(out.size(), directory.size());
  }

 private:
  static std::uint64_t sum(std::uint64_t value, std::int64_t more) {
    return value + static_cast<std::uint64_t>(more);
  }

  std::string end(std::uint64_t offset, std::uint64_t size) const {
    const std::uint64_t count = members.size();
    std::string out;
    if (zip64) {
      const std::uint64_t record = offset + size + behind_directory.size();
      out += "PK\6\6" + u64(sum(44, more_record64)) + u16(45) + u16(45) + u32(0) + u32(0) +
             u64(count) + u64(sum(count, more_entries64)) + u64(sum(size, more_size64)) +
             u64(offset);
      out += "PK\6\7" + u32(0) + u64(sum(record, more_locator64)) + u32(disks64);
    }
    return out + "PK\5\6" + u16(disk) + u16(disk) +
           u16(sum(count, more_entries + more_entries_on_disk)) + u16(sum(count, more_entries)) +
           u32(sum(size, more_size)) + u32(sum(offset, more_offset)) + u16(comment_size) + comment;
  }
};

}  // namespace fovea
