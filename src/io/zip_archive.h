// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "src/io/file_bytes.h"

namespace fovea {

// The members of a zip archive whose members are stored, not compressed, as torch.save writes them:
// parts of the file, nothing is copied. An archive is accepted only when all that it says in
// several places agrees and no byte belongs to two members, so that it means the same to every
// reader. Checksums are not compared: torch.save can leave them out, and that would read the whole
// file.
class ZipArchive {
 public:
  // Throws Error (file), which begins with the file's name.
  explicit ZipArchive(FileBytes file);

  using Members = std::map<std::string_view, std::string_view, std::less<>>;

  // Name and content, without folders. They live as long as the bytes of file().
  const Members& members() const { return members_; }
  const FileBytes& file() const { return file_; }

 private:
  FileBytes file_;
  Members members_;
};

}  // namespace fovea
