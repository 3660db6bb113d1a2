// SPDX-License-Identifier: Apache-2.0
#include "src/io/torch_state_dict.h"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "fovea/core/error.h"
#include "src/io/json.h"

namespace fovea {
namespace {

constexpr std::array<std::string_view, 5> kWrappers = {"state_dict_ema", "model_ema", "ema",
                                                       "state_dict", "model"};
constexpr std::size_t kMaxDepth = 4;       // of dicts within dicts
constexpr std::size_t kMaxKey = 200;       // bytes of a key that is shown
constexpr std::size_t kMaxPlaces = 100;    // dicts of tensors that are told of
constexpr std::size_t kMaxMetadata = 256;  // entries that are told of

struct Place {
  PickleId dict;
  std::string key;
  std::size_t depth;
};

std::string join(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : path + "." + std::string(key);
}

class StateDictFinder {
 public:
  StateDictFinder(const PickleDocument& document, const std::string& file)
      : document_(document), file_(file) {}

  StateDict find(const std::string& key);

 private:
  bool has_tensors(PickleId dict) const;
  std::optional<Place> customary(const Place& place);
  std::optional<Place> named(PickleId dict, std::string_view key) const;
  std::vector<Place> places() const;
  Place choose(const std::string& key, const std::vector<Place>& places);
  void add_metadata(const Place& chosen, CheckpointSummary& summary) const;

  const PickleDocument& document_;
  const std::string& file_;
  std::set<PickleId> seen_;  // dicts that customary() knows: the dicts of a file may be a circle
};

bool StateDictFinder::has_tensors(PickleId dict) const {
  const std::span<const PickleId> items = document_.items(dict);
  for (std::size_t i = 0; i < items.size(); i += 2) {
    if (document_.is(items[i], PickleKind::text) &&
        document_.is(items[i + 1], PickleKind::tensor)) {
      return true;
    }
  }
  return false;
}

std::optional<Place> StateDictFinder::customary(const Place& place) {
  if (place.depth == kMaxDepth || !seen_.insert(place.dict).second) return std::nullopt;
  for (const std::string_view wrapper : kWrappers) {
    const PickleId* inner = document_.find(place.dict, wrapper);
    if (inner == nullptr || !document_.is(*inner, PickleKind::dict)) continue;
    auto found = customary({*inner, join(place.key, wrapper), place.depth + 1});
    if (found) return found;
  }
  if (has_tensors(place.dict)) return place;
  return std::nullopt;
}

// A key may contain dots itself: the whole of what is left is tried first, then what is before each
// of its dots.
std::optional<Place> StateDictFinder::named(PickleId dict, std::string_view key) const {
  const std::string_view whole = key;
  for (;;) {
    const PickleId* inner = document_.find(dict, key);
    if (inner != nullptr && document_.is(*inner, PickleKind::dict) && has_tensors(*inner)) {
      return Place{*inner, std::string(whole), 0};
    }
    std::size_t dot = key.find('.');
    for (; dot != std::string_view::npos; dot = key.find('.', dot + 1)) {
      inner = document_.find(dict, key.substr(0, dot));
      if (inner != nullptr && document_.is(*inner, PickleKind::dict)) break;
    }
    if (dot == std::string_view::npos) return std::nullopt;
    dict = *inner;
    key.remove_prefix(dot + 1);
  }
}

// Every dict that has tensors, outer ones first. Their keys are put together only for these: a path
// for each dict of the file could take far more than the file.
std::vector<Place> StateDictFinder::places() const {
  struct Node {
    PickleId dict, key;
    std::size_t parent, depth;
  };
  std::vector<Node> nodes = {{document_.root(), 0, 0, 0}};
  const auto path = [&](std::size_t node) {
    std::string key;
    for (; nodes[node].depth > 0; node = nodes[node].parent) {
      const std::string_view own = document_.text(nodes[node].key);
      key = key.empty() ? std::string(own) : join(std::string(own), key);
    }
    return key;
  };
  std::vector<Place> found;
  std::vector<bool> seen(document_.size());
  seen[document_.root()] = true;
  for (std::size_t next = 0; next < nodes.size() && found.size() < kMaxPlaces; ++next) {
    const Node node = nodes[next];
    if (has_tensors(node.dict)) found.push_back({node.dict, path(next), node.depth});
    if (node.depth == kMaxDepth) continue;
    const std::span<const PickleId> items = document_.items(node.dict);
    for (std::size_t i = 0; i < items.size(); i += 2) {
      const PickleId key = items[i];
      const PickleId inner = items[i + 1];
      if (!document_.is(key, PickleKind::text) || !document_.is(inner, PickleKind::dict)) continue;
      const std::size_t size = document_.text(key).size();
      if (size == 0 || size > kMaxKey || seen[inner]) continue;
      seen[inner] = true;
      nodes.push_back({inner, key, next, node.depth + 1});
    }
  }
  return found;
}

std::string list_keys(const std::vector<Place>& places) {
  std::string list;
  for (const Place& place : places) {
    list += (list.empty() ? "" : ", ") + (place.key.empty() ? "the top" : in_quotes(place.key));
  }
  return list;
}

Place StateDictFinder::choose(const std::string& key, const std::vector<Place>& places) {
  const PickleId root = document_.root();
  if (places.empty()) {
    throw Error(Error::Kind::file, file_ + ": there are no named tensors in this checkpoint");
  }
  if (!key.empty()) {
    auto place = named(root, key);
    if (place) return *place;
    throw Error(Error::Kind::argument, file_ + ": there is no dict of tensors at the key " +
                                           in_quotes(key) + "; there is one at " +
                                           list_keys(places));
  }
  auto place = customary({root, "", 0});
  if (place) return *place;
  if (places.size() == 1) return places.front();
  throw Error(Error::Kind::file, file_ + ": the checkpoint has several dicts of tensors, at " +
                                     list_keys(places) + "; say which is meant (--checkpoint-key)");
}

// What is at the top beside the tensors.
void StateDictFinder::add_metadata(const Place& chosen, CheckpointSummary& summary) const {
  const std::span<const PickleId> items = document_.items(document_.root());
  for (std::size_t i = 0; i < items.size() && summary.metadata.size() < kMaxMetadata; i += 2) {
    const PickleId value = items[i + 1];
    if (!document_.is(items[i], PickleKind::text) || document_.is(value, PickleKind::tensor)) {
      continue;
    }
    const std::string_view key = document_.text(items[i]);
    const bool is_chosen = value == chosen.dict || chosen.key.starts_with(std::string(key) + ".");
    if (!is_chosen) summary.metadata.emplace_back(shortened(key), document_.describe(value));
  }
}

StateDict StateDictFinder::find(const std::string& key) {
  if (!document_.is(document_.root(), PickleKind::dict)) {
    throw Error(Error::Kind::file, file_ + ": wanted a dict of tensors, found " +
                                       document_.describe(document_.root()));
  }
  const std::vector<Place> all = places();
  const Place chosen = choose(key, all);
  StateDict found;
  found.dict = chosen.dict;
  found.summary.key = chosen.key;
  for (const Place& place : all) {
    const bool can_be_named = !place.key.empty() && place.dict != chosen.dict;
    if (can_be_named) found.summary.other_keys.push_back(place.key);
  }
  add_metadata(chosen, found.summary);
  return found;
}

}  // namespace

StateDict find_state_dict(const PickleDocument& document, const std::string& key,
                          const std::string& file) {
  return StateDictFinder(document, file).find(key);
}

}  // namespace fovea
