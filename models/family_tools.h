// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "fovea/models/registry.h"

// What the files of several families need to read their arguments, tables and names.
namespace fovea::models {

// A line of a family's table of checkpoint names. '#' stands for a number and '*', at the end only,
// for anything; in `to` they repeat, in order, what they stood for in `from`. An empty `to` drops
// the tensor.
struct RenameRule {
  std::string_view from, to;
};

namespace detail {

inline bool is_digit(char c) { return c >= '0' && c <= '9'; }

// Matches `name` against `rule.from`, appending to `out` what `rule.to` makes of it.
inline bool apply_rule(const RenameRule& rule, std::string_view name, std::string& out) {
  std::array<std::string_view, 8> found;
  std::size_t count = 0, at = 0;
  for (const char c : rule.from) {
    if (c == '*') {
      found[count++] = name.substr(at);
      at = name.size();
    } else if (c == '#') {
      std::size_t end = at;
      while (end < name.size() && is_digit(name[end])) ++end;
      if (end == at) return false;
      found[count++] = name.substr(at, end - at);
      at = end;
    } else {
      if (at == name.size() || name[at] != c) return false;
      ++at;
    }
  }
  if (at != name.size()) return false;
  std::size_t next = 0;
  for (const char c : rule.to) {
    if ((c == '#' || c == '*') && next < count) {
      out += found[next++];
    } else {
      out += c;
    }
  }
  return true;
}

}  // namespace detail

// The name by the first line that matches; unchanged when none does.
inline std::string rename_by_table(std::span<const RenameRule> table, const std::string& name) {
  std::string out;
  for (const RenameRule& rule : table) {
    if (detail::apply_rule(rule, name, out)) return out;
  }
  return name;
}

// The name without the first of these prefixes that it has.
inline std::string without_prefix(const std::string& name,
                                  std::initializer_list<std::string_view> prefixes) {
  for (const std::string_view prefix : prefixes) {
    if (name.starts_with(prefix)) return name.substr(prefix.size());
  }
  return name;
}

// The public part of a family's table of variants, whose lines have a `name` and a `preprocess`.
template <class Variant, std::size_t N>
constexpr std::array<ModelInfo, N> model_table(const Variant (&variants)[N]) {
  std::array<ModelInfo, N> models{};
  for (std::size_t i = 0; i < N; ++i) {
    models[i].name = variants[i].name;
    models[i].variant = static_cast<int>(i);
    models[i].preprocess = variants[i].preprocess;
    models[i].num_classes = variants[i].config.num_classes;
  }
  return models;
}

// A value per stage, where one value stands for all stages.
template <class T>
constexpr T per_stage(const List<T>& list, int stage) {
  return list[list.size() == 1 ? 0 : stage];
}

[[noreturn]] inline void wrong_argument(std::string_view name, const std::string& wanted,
                                        const std::string& found) {
  throw Error(Error::Kind::argument,
              "argument " + std::string(name) + ": wanted " + wanted + ", found " + found);
}

// Throws Error(argument) when a list has neither one value nor one for each stage. What it has for
// stages that there are not, as the defaults of a variant with more of them, is not used.
template <class T>
void require_per_stage(std::string_view name, const List<T>& list, int stages) {
  if (list.size() == 1 || list.size() >= stages) return;
  wrong_argument(name, "one value or one for each of " + std::to_string(stages) + " stages",
                 std::to_string(list.size()) + " values");
}

inline void require_odd(std::string_view name, int value) {
  if (value % 2 == 0) wrong_argument(name, "an odd number", std::to_string(value));
}

// Reads `depths` and `dims` (under the family's own names), which say how many stages there are.
inline void read_stages(const ModelArgs& args, std::string_view depths_name, List<int>& depths,
                        std::string_view dims_name, List<int>& dims) {
  args.read(depths_name, depths, 0, 1024);
  args.read(dims_name, dims, 1);
  if (depths.size() != dims.size()) {
    wrong_argument(
        dims_name,
        "as many values as " + std::string(depths_name) + " has, " + std::to_string(depths.size()),
        std::to_string(dims.size()));
  }
}

// Heads here average; other poolings of the reference are refused.
inline void read_global_pool(const ModelArgs& args) {
  std::string pool = "avg";
  args.read("global_pool", pool);
  if (pool != "avg") wrong_argument("global_pool", "avg", pool);
}

// `auto` or a number; 0 stands for `auto`.
inline void read_or_auto(const ModelArgs& args, std::string_view name, int& field) {
  for (const auto& [key, value] : args) {
    const auto* text = std::get_if<std::string>(&value.value);
    if (key != name || text == nullptr) continue;
    if (*text != "auto") wrong_argument(name, "auto or a number", "\"" + *text + "\"");
    args.ignore({name});
    field = 0;
    return;
  }
  args.read(name, field, 1, 1 << 12);
}

// The smallest edge of an input whose last map still has a pixel; last_size maps one to the other.
template <class LastSize>
int smallest_edge(const LastSize& last_size) {
  int edge = 1;
  while (edge < (1 << 16) && last_size(edge) < 1) ++edge;
  return edge;
}

inline void require_size(std::string_view family, Size2d smallest, Size2d size) {
  if (size.h >= smallest.h && size.w >= smallest.w) return;
  throw Error(Error::Kind::argument, std::string(family) + ": wanted an image of at least " +
                                         std::to_string(smallest.h) + " x " +
                                         std::to_string(smallest.w) + " pixels, found " +
                                         std::to_string(size.h) + " x " + std::to_string(size.w));
}

inline std::string size_string(Size2d size) {
  return std::to_string(size.h) + " x " + std::to_string(size.w);
}

// For networks whose weights or windows are made for one size of images.
inline void require_built_size(std::string_view family, Size2d built, Size2d size) {
  if (size == built) return;
  throw Error(Error::Kind::argument,
              std::string(family) + ": wanted an image of " + size_string(built) +
                  " pixels, for which the network was built, found " + size_string(size) +
                  "; build it for that size (argument img_size, on the command line --img-size)");
}

inline void require_multiple(std::string_view family, Size2d patch, Size2d size) {
  if (size.h >= patch.h && size.w >= patch.w && size.h % patch.h == 0 && size.w % patch.w == 0) {
    return;
  }
  throw Error(Error::Kind::argument, std::string(family) + ": wanted an image of a multiple of " +
                                         size_string(patch) + " pixels, found " +
                                         size_string(size));
}

}  // namespace fovea::models
