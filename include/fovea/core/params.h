// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "fovea/core/tensor.h"

namespace fovea {

class Backend;
class ThreadPool;
class WeightArena;

// What a checkpoint says of itself, beside its tensors. Texts are the file's own, shortened, and
// may contain any bytes.
struct CheckpointSummary {
  std::string format;  // "safetensors", "PyTorch zip", "PyTorch legacy"; "" when there is no file
  // Name and value of what else is in the file, in its order: epoch, arch, args.
  std::vector<std::pair<std::string, std::string>> metadata;
  std::string key;                      // where in the file the tensors lie; "" for at the top
  std::vector<std::string> other_keys;  // where others lie, which CheckpointOptions::key can name
};

// Where weights come from: a checkpoint, generated values, nothing at all.
class ParamSource {
 public:
  virtual ~ParamSource() = default;

  // The shape of a tensor, or null when there is none of that name.
  virtual const Shape* find(std::string_view name) const = 0;
  // The element type of a tensor that find() knows.
  virtual DType dtype(std::string_view) const { return DType::f32; }
  // A tensor that find() knows. Throws Error(file) when its bytes are unusable.
  virtual Tensor load(std::string_view name) const = 0;
  // Every name, for the check that nothing is left over.
  virtual std::vector<std::string> names() const = 0;
  // What to call it in a message: a path, "generated weights".
  virtual std::string description() const = 0;
  virtual CheckpointSummary summary() const { return {}; }
};

// A source under other names: how a foreign checkpoint becomes one in this library's names.
// `rename` maps a name of the file to the canonical one; an empty result means "ignore it"
// (buffers that are derived, heads that inference does not use). "attn.qkv.weight[2/3]" is the
// second of three tensors that are one under the canonical name, joined along their first axis
// (at most nine; queries, keys and values are kept apart by some).
using Rename = std::function<std::string(const std::string&)>;
std::unique_ptr<ParamSource> renamed(const ParamSource& source, const Rename& rename);

// How building one network goes: what was asked for, what was wrong. Kept by the function that
// builds the network (models/registry) and seen by modules through Params only.
class ParamLog {
 public:
  struct Entry {
    std::string name;
    Shape shape;
  };

  std::vector<Entry> requested;       // in the order of construction
  std::vector<std::string> problems;  // one line each: missing, or wanted and found shapes
  std::size_t packed_bytes = 0;       // of everything packed so far
  const ThreadPool* pool = nullptr;   // for packing; may be null
  WeightArena* arena = nullptr;       // where packed weights go; may be null
};

// A cursor in the tree of named tensors: `p / "layers" / 0 / "norm1"` is cheap. A module binds its
// weights in its constructor, so that a name appears once in the program and a module is complete
// when it exists.
class Params {
 public:
  // With source == nullptr every tensor is shape only: that lists a network's parameters. With
  // `check_only`, tensors are looked up and their shapes compared, but come without data.
  Params(const ParamSource* source, const Backend& backend, ParamLog& log, bool check_only = false)
      : source_(source), backend_(&backend), log_(&log), check_only_(check_only) {}

  Params operator/(std::string_view child) const;
  Params operator/(int index) const { return *this / std::string_view(std::to_string(index)); }

  // The tensor `name` below this cursor. A tensor that is missing or has another shape is noted in
  // the log (all of them are reported together) and comes back as shape only. Sizes of one may be
  // left out or added at either end: (c) for (c, 1, 1) or (1, 1, 1, c).
  Tensor get(std::string_view name, const Shape& shape) const;
  // get() as fp32 values: bias vectors, norm weights, tables.
  FloatBuffer floats(std::string_view name, const Shape& shape) const {
    return get(name, shape).to_floats();
  }
  // Whether the checkpoint has it. This, and nothing else, is what "optional" means.
  bool has(std::string_view name) const;
  // The shape it has there; nothing when there is none, or no checkpoint. For what is resized at
  // load: position embeddings, bias tables.
  std::optional<Shape> shape(std::string_view name) const;

  const Backend& backend() const { return *backend_; }
  ParamLog& log() const { return *log_; }
  const std::string& path() const { return path_; }  // "layers.0.norm1", "" at the root
  std::string path(std::string_view name) const;     // "layers.0.norm1.weight"

 private:
  const ParamSource* source_;
  const Backend* backend_;
  ParamLog* log_;
  bool check_only_;
  std::string path_;
};

}  // namespace fovea
