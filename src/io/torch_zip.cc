// SPDX-License-Identifier: Apache-2.0
#include <algorithm>

#include "fovea/core/error.h"
#include "src/io/json.h"
#include "src/io/printable.h"
#include "src/io/torch_content.h"
#include "src/io/unpickler.h"
#include "src/io/zip_archive.h"

namespace fovea {
namespace {

constexpr int kFirstVersion = 1, kLastVersion = 10;  // of the archive's layout

constexpr const char* kTorchScript =
    ": a TorchScript archive, which contains a program; load it with torch.jit.load and save its "
    "state_dict as safetensors";

// The program in a TorchScript archive is compressed, but that is not what is wrong with it.
ZipArchive open_archive(const FileBytes& file) {
  constexpr std::size_t kTail = 1U << 16;  // holds the names, unless there are very many
  try {
    return ZipArchive(file);
  } catch (const Error&) {
    const std::string_view text = file.text();
    const std::string_view tail = text.substr(text.size() - std::min(text.size(), kTail));
    if (tail.find("/constants.pkl") == std::string_view::npos) throw;
    throw Error(Error::Kind::file, file.name + kTorchScript);
  }
}

class TorchZipReader {
 public:
  explicit TorchZipReader(const FileBytes& file) : archive_(open_archive(file)), file_(file.name) {}

  TorchContent read();

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Error::Kind::file, file_ + ": " + what);
  }
  // The content of a member below the root; null when there is none.
  const std::string_view* find(std::string_view name) const {
    const auto found = archive_.members().find(root_ + std::string(name));
    return found == archive_.members().end() ? nullptr : &found->second;
  }
  void find_root();
  void refuse_other_archives() const;
  void check_version() const;
  TorchContent::Storages locate_storages(const PickleDocument& document) const;

  ZipArchive archive_;
  std::string file_;
  std::string root_;  // with the slash behind it
};

// Everything is in one folder, whose name means nothing.
void TorchZipReader::find_root() {
  if (archive_.members().empty()) fail("the zip archive is empty");
  const std::string_view first = archive_.members().begin()->first;
  const std::size_t slash = first.find('/');
  if (slash != std::string_view::npos) root_ = first.substr(0, slash + 1);
  for (const auto& [name, content] : archive_.members()) {
    if (name.find('/') == std::string_view::npos || !name.starts_with(root_)) {
      fail(
          "not a PyTorch checkpoint: the zip archive wants one folder with everything in it, "
          "found " +
          in_quotes(first) + " and " + in_quotes(name));
    }
  }
}

// Before anything is said about folders: these are zip archives too.
void TorchZipReader::refuse_other_archives() const {
  for (const auto& [name, content] : archive_.members()) {
    if (name.ends_with("/constants.pkl") || name.find("/code/") != std::string_view::npos) {
      throw Error(Error::Kind::file, file_ + kTorchScript);
    }
    if (name.ends_with(".npy")) fail("a NumPy archive (.npz); PyTorch checkpoints are wanted");
    if (name.ends_with(".pth") || name.ends_with(".pt") || name.ends_with(".bin") ||
        name.ends_with(".safetensors")) {
      fail("a zip archive around " + in_quotes(name) + "; unpack it first");
    }
  }
}

void TorchZipReader::check_version() const {
  const std::string_view* order = find("byteorder");
  if (order != nullptr && *order == "big") {
    fail(
        "the checkpoint was written on a big-endian machine, which is not supported; load it in "
        "PyTorch and save its state_dict as safetensors");
  }
  if (order != nullptr && *order != "little") fail("unknown byteorder " + in_quotes(*order));
  const std::string_view* version = find("version");
  if (version == nullptr) version = find(".data/version");
  if (version == nullptr)
    fail("not a PyTorch checkpoint: there is no " + printable(root_ + "version", 200));
  const std::string_view digits = version->substr(0, version->find('\n'));
  for (int known = kFirstVersion; known <= kLastVersion; ++known) {
    if (digits == std::to_string(known)) return;
  }
  fail("the layout's version " + in_quotes(*version) + " is not known; wanted one from " +
       std::to_string(kFirstVersion) + " to " + std::to_string(kLastVersion));
}

TorchContent::Storages TorchZipReader::locate_storages(const PickleDocument& document) const {
  TorchContent::Storages storages;
  for (const auto& [key, storage] : described_storages(document, file_)) {
    const std::string_view* data = find("data/" + std::string(key));
    if (data == nullptr) {
      fail("the storage " + in_quotes(key) + " is missing: there is no " +
           printable(root_ + "data/" + std::string(key), 200));
    }
    const std::uint64_t bytes = static_cast<std::uint64_t>(storage.count) * storage.element->size;
    if (bytes != data->size()) {
      fail("the storage " + in_quotes(key) + " has " + std::to_string(data->size()) +
           " bytes, wanted " + std::to_string(bytes) + " for " + std::to_string(storage.count) +
           " elements");
    }
    storages.emplace(key, std::as_bytes(std::span(*data)));
  }
  return storages;
}

TorchContent TorchZipReader::read() {
  refuse_other_archives();
  find_root();
  const std::string_view* pickle = find("data.pkl");
  if (pickle == nullptr)
    fail("not a PyTorch checkpoint: there is no " + printable(root_ + "data.pkl", 200));
  if (pickle->size() > kMaxPickle) {
    fail("data.pkl has " + std::to_string(pickle->size()) + " bytes, wanted at most " +
         std::to_string(kMaxPickle));
  }
  check_version();
  PickleDocument document = unpickle(*pickle, file_ + ": data.pkl", PickleEnd::of_text);
  TorchContent::Storages storages = locate_storages(document);
  return {"PyTorch zip", std::move(document), std::move(storages)};
}

}  // namespace

TorchContent read_torch_zip(const FileBytes& file) { return TorchZipReader(file).read(); }

}  // namespace fovea
