// SPDX-License-Identifier: Apache-2.0
#include "fovea/io/checkpoint.h"

#include <map>
#include <utility>

#include "fovea/core/error.h"
#include "src/io/file_kind.h"
#include "src/io/json.h"
#include "src/io/safetensors.h"
#include "src/io/torch_checkpoint.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMaxIndexBytes = 100'000'000;  // as for a header

// People hand over what they have; what it is says more than that it is no checkpoint.
std::unique_ptr<ParamSource> open_one_file(const fs::path& path, const CheckpointOptions& options) {
  FileBytes file = open_file(path, options.map ? FileAccess::map : FileAccess::read);
  switch (kind_of_checkpoint(file.text())) {
    case FileKind::zip:
    case FileKind::torch_legacy:
      return open_torch_checkpoint(std::move(file), options.key);
    case FileKind::safetensors:
      return open_safetensors(std::move(file));
    case FileKind::other:
      break;
  }
  throw Error(Error::Kind::file, file.name + ": this is " + describe_foreign_file(file.text()));
}

// Several files, and an index that says which tensor is in which.
class ShardedSource final : public ParamSource {
 public:
  ShardedSource(const fs::path& index, const CheckpointOptions& options)
      : path_(index.string()), options_(options) {
    read_weight_map(index);
    check_shards();
  }

  const Shape* find(std::string_view name) const override {
    const auto found = shard_of_.find(name);
    return found == shard_of_.end() ? nullptr : found->second->second->find(name);
  }

  Tensor load(std::string_view name) const override {
    const auto found = shard_of_.find(name);
    if (found == shard_of_.end()) {
      throw Error(Error::Kind::argument, path_ + ": there is no tensor " + in_quotes(name));
    }
    return found->second->second->load(name);
  }

  DType dtype(std::string_view name) const override {
    return shard_of_.find(name)->second->second->dtype(name);
  }

  std::vector<std::string> names() const override {
    std::vector<std::string> names;
    names.reserve(shard_of_.size());
    for (const auto& [name, shard] : shard_of_) names.push_back(name);
    return names;
  }

  std::string description() const override { return path_; }

  // The shards are alike: the first speaks for all.
  CheckpointSummary summary() const override {
    return shards_.empty() ? CheckpointSummary() : shards_.begin()->second->summary();
  }

 private:
  using Shards = std::map<std::string, std::unique_ptr<ParamSource>>;  // by file name

  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Error::Kind::file, path_ + ": " + what);
  }

  void read_weight_map(const fs::path& index) {
    const Json json = read_json(index, kMaxIndexBytes);
    if (!json.is_object() || !json.contains("weight_map")) fail("weight_map is missing");
    const Json& weight_map = json["weight_map"];
    if (!weight_map.is_object()) fail("weight_map wants an object, found " + describe(weight_map));
    for (const auto& [tensor, file] : weight_map.items()) {
      if (!file.is_string()) {
        fail("weight_map: " + in_quotes(tensor) + " wants a file name, found " + describe(file));
      }
      const auto& name = file.get_ref<const std::string&>();
      auto shard = shards_.find(name);
      if (shard == shards_.end()) {
        shard = shards_.emplace(name, open_shard(index.parent_path(), name)).first;
      }
      if (shard->second->find(tensor) == nullptr) {
        fail("the tensor " + in_quotes(tensor) + " is not in " + name);
      }
      shard_of_.emplace(tensor, shard);
    }
  }

  // A shard lies beside its index: the name leads nowhere else.
  std::unique_ptr<ParamSource> open_shard(const fs::path& folder, const std::string& name) const {
    const bool plain = !name.empty() && name != "." && name != ".." &&
                       name.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos;
    if (!plain) fail("wanted the name of a file beside the index, found " + in_quotes(name));
    const fs::path path = folder / name;
    if (!fs::exists(fs::status(path))) fail("the shard " + in_quotes(name) + " is missing");
    return open_one_file(path, options_);
  }

  void check_shards() const {
    for (auto shard = shards_.begin(); shard != shards_.end(); ++shard) {
      for (const std::string& tensor : shard->second->names()) {
        const auto listed = shard_of_.find(tensor);
        if (listed == shard_of_.end()) {
          fail("the tensor " + in_quotes(tensor) + " of " + shard->first + " is not listed");
        }
        if (listed->second->first != shard->first) {
          fail("the tensor " + in_quotes(tensor) + " is in two shards, " + listed->second->first +
               " and " + shard->first);
        }
      }
    }
  }

  std::string path_;
  CheckpointOptions options_;
  Shards shards_;
  std::map<std::string, Shards::const_iterator, std::less<>> shard_of_;  // by tensor
};

}  // namespace

std::unique_ptr<ParamSource> open_checkpoint(const fs::path& path,
                                             const CheckpointOptions& options) {
  if (path.extension() == ".json") return std::make_unique<ShardedSource>(path, options);
  return open_one_file(path, options);
}

}  // namespace fovea
