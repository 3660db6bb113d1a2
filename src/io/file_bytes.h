// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstddef>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace fovea {

// The content of a file in memory, and what keeps it there. Copies share it.
struct FileBytes {
  std::string name;  // what to call it in messages: a path, "in memory"
  std::shared_ptr<const void> owner;
  std::span<const std::byte> bytes;

  bool mapped = false;

  // Keeps bytes [begin, begin + size) alive. When the last copy goes, what the system read for them
  // is given back to it: a mapped file needs memory only while a part of it is in use.
  std::shared_ptr<const void> part(std::size_t begin, std::size_t size) const;

  std::string_view text() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
};

enum class FileAccess {
  map,   // paged in as it is touched; the file must not change or shrink while it is in use
  read,  // read to the end at once, into memory of its own
};

// Throws Error (file) when `path` cannot be read, is no regular file or has more than `max_bytes`.
FileBytes open_file(const std::filesystem::path& path, FileAccess access = FileAccess::map,
                    std::size_t max_bytes = std::numeric_limits<std::size_t>::max());

}  // namespace fovea
