// SPDX-License-Identifier: Apache-2.0
#include "fovea/core/thread_pool.h"

#include <algorithm>
#include <cstdint>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

#include "fovea/core/error.h"
#include "src/core/denormals.h"
#include "src/core/threads.h"

// A pool of our own because a forward is some hundred regions of a tenth of a millisecond: a caller
// must not wait for threads that have not come. Tasks are taken one by one from a counter, so a
// worker that the system wakes late finds the region closed and nobody has missed it; pools whose
// join counts every worker in (pthreadpool was measured) lose a time slice per region as soon as
// another program wants a processor.
//
// `gate` is one word: the number of the region (high half), whether it is open, how many workers
// are inside. A worker enters by a compare-and-swap that fails once the region is closed, and
// leaves by a decrement; the caller closes the gate and waits until nobody is inside. Entering
// acquires what opening released (the region itself); waiting acquires what leaving released (the
// results).

namespace fovea {
namespace {

constexpr std::uint32_t kInside = 0x7FFF;
constexpr std::uint32_t kOpen = 0x8000;
constexpr std::uint32_t kRegion = 0x10000;  // one more region

// Some tens of microseconds: longer than the gaps between regions of a forward, shorter than it
// takes the system to put a thread to sleep and wake it.
constexpr int kSpins = 2000;

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Returns when `word` is no longer `old`; looks for a while, then sleeps.
void wait_while(const std::atomic<std::uint32_t>& word, std::uint32_t old) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (word.load(std::memory_order_acquire) != old) return;
    pause();
  }
  word.wait(old, std::memory_order_acquire);
}

}  // namespace

struct ThreadPool::Impl {
  explicit Impl(int threads) {
    try {
      workers.reserve(static_cast<std::size_t>(threads) - 1);
      for (int slot = 1; slot < threads; ++slot)
        workers.emplace_back([this, slot] { serve(slot); });
    } catch (const std::system_error& e) {
      stop();
      throw Error(Error::Kind::failed, "a pool of " + std::to_string(threads) +
                                           " threads could not be created: " + e.what());
    } catch (...) {
      stop();
      throw;
    }
  }
  ~Impl() { stop(); }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void stop() {
    stopping.store(true, std::memory_order_relaxed);
    turn.fetch_add(1, std::memory_order_release);
    turn.notify_all();
    for (std::thread& worker : workers) worker.join();
  }

  void open(Region& next, std::ptrdiff_t helpers) {
    region = &next;
    const std::uint32_t closed = gate.load(std::memory_order_relaxed);
    gate.store((closed & ~(kOpen | kInside)) + kRegion + kOpen, std::memory_order_release);
    turn.fetch_add(1, std::memory_order_release);
    if (helpers >= static_cast<std::ptrdiff_t>(workers.size())) {
      turn.notify_all();
    } else {
      for (; helpers > 0; --helpers) turn.notify_one();
    }
  }

  void close() {
    std::uint32_t now = gate.fetch_and(~kOpen, std::memory_order_acquire) & ~kOpen;
    while ((now & kInside) != 0) {
      wait_while(gate, now);
      now = gate.load(std::memory_order_acquire);
    }
  }

  void serve(int slot) {
    const FlushDenormals flush;
    std::uint32_t seen = 0;
    for (;;) {
      wait_while(turn, seen);
      seen = turn.load(std::memory_order_acquire);
      if (stopping.load(std::memory_order_relaxed)) return;
      std::uint32_t now = gate.load(std::memory_order_relaxed);
      bool entered = false;
      while ((now & kOpen) != 0 && !entered) {
        entered = gate.compare_exchange_weak(now, now + 1, std::memory_order_acquire,
                                             std::memory_order_relaxed);
      }
      if (!entered) continue;
      work(region, static_cast<std::size_t>(slot));
      const std::uint32_t before = gate.fetch_sub(1, std::memory_order_release);
      if ((before & (kOpen | kInside)) == 1) gate.notify_one();
    }
  }

  std::mutex one_region;  // callers take turns, so that a slot has one holder
  std::atomic<std::uint32_t> gate{0};
  std::atomic<std::uint32_t> turn{0};  // changes when there is something to do
  std::atomic<bool> stopping{false};
  Region* region = nullptr;  // written while the gate is closed and nobody is inside
  std::vector<std::thread> workers;
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
  const FlushDenormals flush;
  const std::ptrdiff_t helpers = std::min<std::ptrdiff_t>(region.count, threads_) - 1;
  if (helpers == 0) return work(&region, 0);
  impl_->open(region, helpers);
  work(&region, 0);
  impl_->close();
}

}  // namespace fovea
