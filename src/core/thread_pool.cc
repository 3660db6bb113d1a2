// SPDX-License-Identifier: Apache-2.0
#include "fovea/core/thread_pool.h"

#include <pthreadpool.h>

#include <algorithm>
#include <mutex>
#include <string>

#include "fovea/core/error.h"
#include "src/core/threads.h"

// The order between caller and workers rests on two atomics of the pool, so that it can be seen
// (and checked by a thread sanitizer) without looking into pthreadpool: the caller's store to
// `region` releases the region to the workers, which acquire it from there; each releases its
// results in `finished`, where the caller acquires them. They are not in the region itself, which
// lives on the caller's stack: its construction would have nothing to be ordered by.

namespace fovea {

struct ThreadPool::Impl {
  explicit Impl(int threads) : pool(threads > 1 ? pthreadpool_create(threads) : nullptr) {
    if (threads > 1 && pool == nullptr) {
      throw Error(Error::Kind::failed,
                  "a pool of " + std::to_string(threads) + " threads could not be created");
    }
  }
  ~Impl() {
    if (pool != nullptr) pthreadpool_destroy(pool);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  std::atomic<Region*> region{nullptr};
  std::atomic<std::size_t> finished{0};
  std::mutex one_region;  // callers take turns, so that a slot has one holder
  pthreadpool_t pool;     // null: the caller alone; last, for its threads see the members above
};

ThreadPool::ThreadPool(int threads) : threads_(threads > 0 ? threads : default_threads()) {
  if (threads_ > kMaxThreads) {
    throw Error(Error::Kind::argument, "threads: wanted at most " + std::to_string(kMaxThreads) +
                                           ", found " + std::to_string(threads_));
  }
  impl_ = std::make_unique<Impl>(threads_);
}

ThreadPool::~ThreadPool() = default;

void ThreadPool::work(Region* region, std::size_t slot) {
  for (;;) {
    const std::ptrdiff_t i = region->next.fetch_add(1, std::memory_order_relaxed);
    if (i >= region->count) return;
    region->call(region->body, i, static_cast<int>(slot));
  }
}

void ThreadPool::run(Region& region) const {
  const std::lock_guard<std::mutex> turn(impl_->one_region);
  const auto workers =
      static_cast<std::size_t>(std::min(region.count, static_cast<std::ptrdiff_t>(threads_)));
  impl_->region.store(&region, std::memory_order_release);
  // One task a slot. Without a pool, or with a single task, this runs on the caller; the denormal
  // mode is set and restored either way.
  pthreadpool_parallelize_1d(
      impl_->pool,
      [](void* shared, std::size_t slot) {
        Impl& impl = *static_cast<Impl*>(shared);
        work(impl.region.load(std::memory_order_acquire), slot);
        impl.finished.fetch_add(1, std::memory_order_release);
      },
      impl_.get(), workers, PTHREADPOOL_FLAG_DISABLE_DENORMALS);
  impl_->finished.load(std::memory_order_acquire);
}

}  // namespace fovea
