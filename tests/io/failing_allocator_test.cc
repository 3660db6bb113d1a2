// SPDX-License-Identifier: Apache-2.0
// What readers of checkpoints do when memory runs out, and how much they take. This program's
// operator new counts and can be told to fail.
#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <cstdlib>
#include <functional>
#include <limits>
#include <new>

#include "fovea/io/checkpoint.h"
#include "fovea/io/hub_folder.h"
#include "fovea/model.h"
#include "src/io/torch_checkpoint.h"
#include "src/io/unpickler.h"
#include "tests/io/pickle_writer.h"

namespace {

constexpr long kNever = std::numeric_limits<long>::max();

struct Counts {
  long until_failure = kNever;  // calls of operator new that succeed
  long live = 0;                // blocks
  std::size_t bytes = 0, peak = 0;
};
// Of the thread that runs the test: pools of threads have their own.
thread_local Counts counts;

void* allocate(std::size_t size, std::size_t alignment) noexcept {
  if (counts.until_failure == 0) return nullptr;
  if (counts.until_failure != kNever) --counts.until_failure;
  const std::size_t rounded =
      (std::max<std::size_t>(size, 1) + alignment - 1) / alignment * alignment;
  void* block = std::aligned_alloc(alignment, rounded);
  if (block == nullptr) return nullptr;
  ++counts.live;
  counts.bytes += ::malloc_usable_size(block);
  counts.peak = std::max(counts.peak, counts.bytes);
  return block;
}

void release(void* block) noexcept {
  if (block == nullptr) return;
  --counts.live;
  counts.bytes -= ::malloc_usable_size(block);
  std::free(block);
}

void* allocate_or_throw(std::size_t size, std::size_t alignment) {
  void* block = allocate(size, alignment);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}

constexpr std::size_t kAlignment = alignof(std::max_align_t);

}  // namespace

void* operator new(std::size_t size) { return allocate_or_throw(size, kAlignment); }
void* operator new[](std::size_t size) { return allocate_or_throw(size, kAlignment); }
void* operator new(std::size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new[](std::size_t size, std::align_val_t alignment) {
  return allocate_or_throw(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return allocate(size, kAlignment);
}
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return allocate(size, kAlignment);
}
void operator delete(void* block) noexcept { release(block); }
void operator delete[](void* block) noexcept { release(block); }
void operator delete(void* block, std::size_t) noexcept { release(block); }
void operator delete[](void* block, std::size_t) noexcept { release(block); }
void operator delete(void* block, std::align_val_t) noexcept { release(block); }
void operator delete[](void* block, std::align_val_t) noexcept { release(block); }
void operator delete(void* block, std::size_t, std::align_val_t) noexcept { release(block); }
void operator delete[](void* block, std::size_t, std::align_val_t) noexcept { release(block); }
void operator delete(void* block, const std::nothrow_t&) noexcept { release(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { release(block); }

namespace fovea {
namespace {

namespace fs = std::filesystem;

// Runs `body` with the n-th allocation failing, for n from 0 in steps until it runs through. An
// exception comes out each time, and every block is given back.
void expect_no_leak(const std::function<void()>& body, long step) {
  body();  // what is made once for the whole program exists from here on
  for (long n = 0;; n += step) {
    const long live = counts.live;
    bool finished = false;
    counts.until_failure = n;
    try {
      body();
      finished = true;
    } catch (const std::bad_alloc&) {
    } catch (const Error&) {
    }
    const bool failed = counts.until_failure == 0;
    counts.until_failure = kNever;
    ASSERT_EQ(counts.live, live) << "with allocation " << n << " failing";
    if (!failed) {
      EXPECT_TRUE(finished);
      EXPECT_GT(n, 0);
      return;
    }
  }
}

void load_everything(const fs::path& path, bool map) {
  CheckpointOptions options;
  options.map = map;
  const auto source = open_checkpoint(path, options);
  for (const std::string& name : source->names()) source->load(name);
}

const fs::path kCheckpoints = fs::path(FOVEA_TEST_DATA) / "checkpoints";

TEST(FailingAllocator, LeaksNothingWhenACheckpointIsRead) {
  for (const char* file : {"model_key.pth", "views.pth", "legacy.pth", "parameters.pth"}) {
    SCOPED_TRACE(file);
    for (const bool map : {true, false}) {
      expect_no_leak([&] { load_everything(kCheckpoints / file, map); }, 1);
    }
  }
}

TEST(FailingAllocator, LeaksNothingWhenSafetensorsAreRead) {
  const fs::path file = fs::path(FOVEA_TEST_EXAMPLES) / "models/poolformer/model.safetensors";
  expect_no_leak([&] { load_everything(file, true); }, 7);
}

// All but config.json: the JSON library's values allocate in their destructors and end the program
// when that fails.
TEST(FailingAllocator, LeaksNothingWhenTheWeightsOfAHubFolderAreLoaded) {
  const HubFolder hub = read_hub_folder(fs::path(FOVEA_TEST_EXAMPLES) / "models/poolformer");
  LoadOptions options;
  options.threads = 1;  // a thread frees what its creator allocated
  options.backend = make_backend("native");
  options.args = hub.args;
  expect_no_leak([&] { Model::load(hub.architecture, hub.weights, options); }, 1);
}

// A pickle takes at most 64 bytes for each of its own, and a fixed amount: the patterns that make
// most of few bytes.
TEST(FailingAllocator, PicklesTakeMemoryInProportion) {
  using namespace pickle;
  const auto many = [](const std::string& text, std::size_t bytes) {
    std::string out;
    while (out.size() < bytes) out += text;
    return out;
  };
  constexpr std::size_t kBytes = 1U << 20;
  const std::string id = tuple(unicode("storage") + global("torch", "FloatStorage") + unicode("0") +
                               unicode("cpu") + integer(2));
  const std::string arguments =
      tuple(storage(2) + integer(0) + tuple(integer(2)) + tuple(integer(1)) + kFalse + kNone);
  const std::string rebuild = global("torch._utils", "_rebuild_tensor_v2");
  const std::string name_space = global("argparse", "Namespace");
  const std::vector<std::pair<const char*, std::string>> bombs = {
      {"lists", whole("]" + kMark + many("]", kBytes) + kAppends)},
      {"lists of one", whole("]" + kMark + many("]Na", kBytes) + kAppends)},
      {"dicts of one", whole("]" + kMark + many("}NNs", kBytes) + kAppends)},
      {"sets", whole("]" + kMark + many("\x8F", kBytes) + kAppends)},
      {"nested tuples", whole("N" + many("\x85", kBytes))},
      {"integers", whole("]" + kMark + many("K\1", kBytes) + kAppends)},
      {"memo", whole("N" + many("q\1", kBytes) + put(1U << 20))},
      {"marks", whole("]" + many("(", kBytes) + many("t", kBytes) + "a")},
      {"storages", whole(id + "q\1]" + kMark + many("h\1Q", kBytes) + kAppends + "\x86")},
      {"tensors", whole(rebuild + "q\1" + arguments + "q\2]" + kMark + many("h\1h\2R", kBytes) +
                        kAppends + "\x87")},
      {"records", whole(name_space + "q\1]" + kMark + many("h\1)R", kBytes) + kAppends + "\x86")},
      {"mappings", whole(global("collections", "OrderedDict") + "q\1]" + kMark +
                         many("h\1)R", kBytes) + kAppends + "\x86")},
      {"globals", whole("]" + kMark + many("ctorch\nbool\n", kBytes) + kAppends)},
  };
  for (const auto& [name, bomb] : bombs) {
    SCOPED_TRACE(name);
    const std::size_t before = counts.bytes;
    counts.peak = before;
    try {
      unpickle(bomb, "", PickleEnd::of_text);
    } catch (const Error& error) {
      ADD_FAILURE() << error.what();
    }
    EXPECT_LT(counts.peak - before, 64 * bomb.size() + 4096);
    RecordProperty(name, static_cast<int>((counts.peak - before) / bomb.size()));
  }
}

}  // namespace
}  // namespace fovea
