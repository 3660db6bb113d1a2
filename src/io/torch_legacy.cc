// SPDX-License-Identifier: Apache-2.0
// What torch.save wrote before 1.6: pickles of a magic number, the format's version, facts about
// the machine, the checkpoint, and a list of keys; then for each key a count and the elements.
#include "fovea/core/error.h"
#include "src/io/byte_reader.h"
#include "src/io/json.h"
#include "src/io/torch_content.h"
#include "src/io/unpickler.h"

namespace fovea {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kMagic = "\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19"sv;
constexpr std::int64_t kVersion = 1001;
constexpr std::size_t kCountBytes = 8;

class TorchLegacyReader {
 public:
  explicit TorchLegacyReader(const FileBytes& file) : file_(file) {}

  TorchContent read();

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Error::Kind::file, file_.name + ": " + what);
  }
  std::string_view rest() const { return file_.text().substr(at_); }

  PickleDocument next(const char* what) {
    std::size_t used = 0;
    PickleDocument document =
        unpickle(rest(), file_.name + ": " + what, PickleEnd::of_pickle, &used);
    at_ += used;
    return document;
  }
  void check_preamble();
  TorchContent::Storages locate_storages(const PickleDocument& document,
                                         const PickleDocument& keys);
  std::span<const std::byte> next_storage(std::string_view key, const PickleStorage& storage);

  const FileBytes& file_;
  std::size_t at_ = 0;
};

void TorchLegacyReader::check_preamble() {
  const PickleDocument magic = next("the magic number");
  if (!magic.is(magic.root(), PickleKind::big_integer) || magic.text(magic.root()) != kMagic) {
    fail("a Python pickle, but not one that torch.save wrote: its magic number is " +
         magic.describe(magic.root()));
  }
  const PickleDocument version = next("the version");
  if (!version.is(version.root(), PickleKind::integer) ||
      version.integer(version.root()) != kVersion) {
    fail("the version of the format is " + version.describe(version.root()) + ", wanted " +
         std::to_string(kVersion));
  }
  const PickleDocument machine = next("the facts about the machine");
  if (!machine.is(machine.root(), PickleKind::dict)) {
    fail("the facts about the machine want a dict, found " + machine.describe(machine.root()));
  }
  const PickleId* little = machine.find(machine.root(), "little_endian");
  if (little != nullptr && *little != PickleDocument::kTrue) {
    fail(
        "the checkpoint was written on a big-endian machine, which is not supported; load it in "
        "PyTorch and save its state_dict as safetensors");
  }
}

std::span<const std::byte> TorchLegacyReader::next_storage(std::string_view key,
                                                           const PickleStorage& storage) {
  const std::string what = "the storage " + in_quotes(key);
  if (rest().size() < kCountBytes) fail("truncated before " + what);
  const auto count = little_endian<std::int64_t>(rest(), 0);
  if (count != storage.count) {
    fail(what + " has " + std::to_string(count) + " elements, wanted " +
         std::to_string(storage.count));
  }
  at_ += kCountBytes;
  const std::uint64_t bytes = static_cast<std::uint64_t>(count) * storage.element->size;
  if (bytes > rest().size()) {
    fail("truncated: " + what + " wants " + std::to_string(bytes) + " bytes, " +
         std::to_string(rest().size()) + " follow");
  }
  const auto data = file_.bytes.subspan(at_, static_cast<std::size_t>(bytes));
  at_ += data.size();
  return data;
}

TorchContent::Storages TorchLegacyReader::locate_storages(const PickleDocument& document,
                                                          const PickleDocument& keys) {
  if (!keys.is(keys.root(), PickleKind::list)) {
    fail("the keys of storages want a list, found " + keys.describe(keys.root()));
  }
  const auto described = described_storages(document, file_.name);
  TorchContent::Storages storages;
  for (const PickleId id : keys.items(keys.root())) {
    const auto storage =
        keys.is(id, PickleKind::text) ? described.find(keys.text(id)) : described.end();
    if (storage == described.end()) {
      fail("the list of storages has " + keys.describe(id) + ", which nothing refers to");
    }
    if (storages.contains(storage->first)) {
      fail("the list of storages has " + in_quotes(storage->first) + " twice");
    }
    storages.emplace(storage->first, next_storage(storage->first, storage->second));
  }
  for (const auto& [key, storage] : described) {
    if (!storages.contains(key)) fail("the storage " + in_quotes(key) + " is missing");
  }
  if (!rest().empty()) fail(std::to_string(rest().size()) + " bytes after the last storage");
  return storages;
}

TorchContent TorchLegacyReader::read() {
  check_preamble();
  PickleDocument document = next("the checkpoint");
  const PickleDocument keys = next("the keys of storages");
  TorchContent::Storages storages = locate_storages(document, keys);
  return {"PyTorch legacy", std::move(document), std::move(storages)};
}

}  // namespace

TorchContent read_torch_legacy(const FileBytes& file) { return TorchLegacyReader(file).read(); }

}  // namespace fovea
