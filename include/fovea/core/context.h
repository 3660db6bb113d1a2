// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <string_view>
#include <utility>
#include <vector>

#include "fovea/core/map.h"
#include "fovea/core/thread_pool.h"
#include "fovea/core/workspace.h"

namespace fovea {

// Receives the outputs of inner modules, by module path ("stages.0.blocks.1"). For finding where
// two implementations part; null in production.
class Tap {
 public:
  virtual ~Tap() = default;
  virtual void record(std::string_view path, CMapF value) = 0;
};

// Sees every operator that a backend runs, from its checks to its end: begin, output, end. For
// profiles; null in production.
class OperatorObserver {
 public:
  virtual ~OperatorObserver() = default;
  virtual void begin(std::string_view op) = 0;  // the name lives as long as the program
  virtual void output(CMapF y) = 0;             // where the operator is about to write
  virtual void end(std::int64_t macs) = 0;      // multiply-accumulates of this operator
};

// What one forward needs: memory, threads, and where to look. A model is immutable and serves any
// number of contexts at once; a context serves one forward at a time.
class Context {
 public:
  explicit Context(int threads = 0) : pool_(std::make_shared<ThreadPool>(threads)) {}
  explicit Context(std::shared_ptr<const ThreadPool> pool) : pool_(std::move(pool)) {}

  Workspace& workspace() { return workspace_; }
  const ThreadPool& pool() const { return *pool_; }
  int threads() const { return pool_->threads(); }

  void set_tap(Tap* tap) { tap_ = tap; }
  void tap(std::string_view path, CMapF value) {
    if (tap_ != nullptr && !dry_run_) tap_->record(path, value);
  }

  void set_observer(OperatorObserver* observer) { observer_ = observer; }
  OperatorObserver* observer() const { return dry_run_ ? nullptr : observer_; }

  // Whether a tap or an observer looks on.
  bool watched() const { return !dry_run_ && (tap_ != nullptr || observer_ != nullptr); }

  // body(i, part) for i in [0, count), in any order, on all threads: work that itself calls
  // operators. Each runs on one thread in the context `part`, which is this one when it has only
  // one thread or runs dry; taps and the observer see nothing of others. Rethrows what a body
  // throws.
  template <class Body>
  void for_parts(std::ptrdiff_t count, const Body& body) {
    if (threads() == 1 || dry_run_) {
      for (std::ptrdiff_t i = 0; i < count; ++i) body(i, *this);
      return;
    }
    prepare_parts();
    std::mutex one_error;
    std::exception_ptr error;
    pool_->parallel_for(count, [&](std::ptrdiff_t i, int slot) {
      try {
        body(i, *parts_[static_cast<std::size_t>(slot)]);
      } catch (...) {
        const std::lock_guard<std::mutex> lock(one_error);
        error = std::current_exception();
      }
    });
    finish_parts();
    if (error != nullptr) std::rethrow_exception(error);
  }

  // Says that these rows, which are in no cache, will be read soon after the next linear layer:
  // while that computes, a backend may ask memory for them. Of no effect on any result. At most
  // kExpected maps; more are ignored.
  static constexpr std::size_t kExpected = 2;
  void expect(CMapF rows) {
    if (rows.rows() > 0 && expected_count_ < kExpected) expected_[expected_count_++] = rows;
  }
  // For that layer: what has been announced, the rest empty; and it is forgotten.
  std::array<CMapF, kExpected> take_expected() {
    expected_count_ = 0;
    return std::exchange(expected_, {});
  }

  // A dry run walks a forward, checks every shape, counts the multiply-accumulates and measures the
  // workspace, but computes nothing and reads no input.
  void set_dry_run(bool dry_run) { dry_run_ = dry_run; }
  bool dry_run() const { return dry_run_; }
  void count_macs(std::int64_t macs) { macs_ += macs; }
  // Of every forward so far, dry or not.
  std::int64_t macs() const { return macs_; }

 private:
  Workspace workspace_;
  std::shared_ptr<const ThreadPool> pool_;
  Tap* tap_ = nullptr;
  OperatorObserver* observer_ = nullptr;
  bool dry_run_ = false;
  std::int64_t macs_ = 0;
  std::array<CMapF, kExpected> expected_;
  std::size_t expected_count_ = 0;
  std::vector<std::unique_ptr<Context>> parts_;  // one for every thread, or none yet

  void prepare_parts();
  void finish_parts();
};

}  // namespace fovea
