// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>

namespace fovea {

// Threads to use when the caller does not say: the smallest of the affinity mask, the cgroup quota
// and the physical cores; OMP_NUM_THREADS, when set to a positive number, goes first.
int default_threads();

// A persistent pool, shareable between contexts: regions of several callers run one after the
// other. Denormals are flushed to zero inside a region and the mode is restored after it.
class ThreadPool {
 public:
  // threads <= 0: default_threads(). One thread means the caller itself, and no pool.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  // Calls body(i, slot) once for every i in [0, count), in any order, from at most threads()
  // threads. `slot` in [0, threads()) is held by one call at a time: the index of per-thread
  // scratch. The body must not throw and must not start another region. What it computes for i must
  // not depend on slot, so that results are the same for any number of threads.
  template <class Body>
  void parallel_for(std::ptrdiff_t count, const Body& body) const {
    if (count <= 0) return;
    Region region{
        [](const void* b, std::ptrdiff_t i, int slot) { (*static_cast<const Body*>(b))(i, slot); },
        &body,
        count,
        {0}};
    run(region);
  }

 private:
  struct Region {
    void (*call)(const void* body, std::ptrdiff_t i, int slot);
    const void* body;
    std::ptrdiff_t count;
    std::atomic<std::ptrdiff_t> next;
  };
  struct Impl;

  void run(Region& region) const;
  static void work(Region* region, std::size_t slot);

  int threads_ = 1;
  std::unique_ptr<Impl> impl_;
};

}  // namespace fovea
