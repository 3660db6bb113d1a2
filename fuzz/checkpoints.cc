// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <numeric>

#include "fovea/core/params.h"
#include "fuzz/guard.h"
#include "fuzz/targets.h"
#include "src/io/file_bytes.h"
#include "src/io/safetensors.h"
#include "src/io/torch_checkpoint.h"
#include "tests/io/pickle_writer.h"

namespace fovea::fuzz {
namespace {

FileBytes in_memory(Bytes input) { return {"input", nullptr, input}; }

Bytes bytes_of(const std::string& text) { return std::as_bytes(std::span(text)); }

// Everything in a checkpoint is listed and loaded: every byte of every tensor is read.
void read_everything(const ParamSource& source) {
  for (const std::string& name : source.names()) {
    const Shape* shape = source.find(name);
    require(shape != nullptr);
    const Tensor tensor = source.load(name);
    require(tensor.shape() == *shape && tensor.dtype() == source.dtype(name));
    const FloatBuffer values = tensor.to_floats();
    require(values.size() == static_cast<std::size_t>(numel(*shape)));
    // The sum keeps the compiler from leaving the reads out; NaN compares unequal to everything.
    const float sum = std::accumulate(values.begin(), values.end(), 0.0f);
    require(sum == sum || sum != sum);
  }
  const CheckpointSummary summary = source.summary();
  require(!summary.format.empty());
}

}  // namespace

void safetensors(Bytes input) {
  only_errors([&] { read_everything(*open_safetensors(in_memory(input))); });
}

void torch_zip(Bytes input) {
  only_errors([&] { read_everything(*open_torch_checkpoint(in_memory(input))); });
}

void torch_legacy(Bytes input) { torch_zip(input); }

// The pickle of an archive that is sound otherwise: mutations of it need not keep a directory
// right.
void torch_pickle(Bytes input) {
  const std::string pickle(reinterpret_cast<const char*>(input.data()), input.size());
  const std::string storage(64, '\x3F');
  const std::string archive = pickle::archive(pickle, {storage, storage}).write();
  torch_zip(bytes_of(archive));
}

}  // namespace fovea::fuzz
