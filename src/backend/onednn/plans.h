// SPDX-License-Identifier: Apache-2.0
// oneDNN primitives made once per shape, and what differs between its versions 2 and 3.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <oneapi/dnnl/dnnl.hpp>
#include <string>
#include <unordered_map>
#include <vector>

#include "fovea/core/context.h"
#include "fovea/core/error.h"

#ifdef FOVEA_WITH_OPENMP
// Declared here because a compiler with another OpenMP runtime, or none, need not have GNU's omp.h.
extern "C" {
int omp_get_max_threads(void);
void omp_set_num_threads(int);
}
#endif

namespace fovea::onednn {

// oneDNN computes with OpenMP, on as many threads as the calling thread may start. That number,
// which OpenMP keeps per thread, is `threads` while this object lives, and then again what it was
// before.
class OpenMpThreads {
 public:
#ifdef FOVEA_WITH_OPENMP
  explicit OpenMpThreads(int threads) : before_(omp_get_max_threads()) {
    if (threads != before_) omp_set_num_threads(threads);
  }
  ~OpenMpThreads() { omp_set_num_threads(before_); }
#else
  explicit OpenMpThreads(int threads) : before_(threads) {}
#endif
  OpenMpThreads(const OpenMpThreads&) = delete;
  OpenMpThreads& operator=(const OpenMpThreads&) = delete;

 private:
  int before_;
};

// Version 2 describes an operation in an object of its own before an implementation is chosen.
#if DNNL_VERSION_MAJOR >= 3
template <class Primitive, class... Args>
typename Primitive::primitive_desc describe(const dnnl::engine& engine,
                                            const dnnl::primitive_attr& attr, const Args&... args) {
  return typename Primitive::primitive_desc(engine, args..., attr);
}
using Softmax = dnnl::softmax_forward;
inline auto describe_layer_norm(const dnnl::engine& engine, const dnnl::primitive_attr& attr,
                                const dnnl::memory::desc& data, float eps,
                                dnnl::normalization_flags flags) {
  return describe<dnnl::layer_normalization_forward>(
      engine, attr, dnnl::prop_kind::forward_inference, data, data, eps, flags);
}
inline void append_eltwise(dnnl::post_ops& ops, dnnl::algorithm algorithm, float alpha) {
  ops.append_eltwise(algorithm, alpha, 0.0f);
}
#else
template <class Primitive, class... Args>
typename Primitive::primitive_desc describe(const dnnl::engine& engine,
                                            const dnnl::primitive_attr& attr, const Args&... args) {
  return typename Primitive::primitive_desc(typename Primitive::desc(args...), attr, engine);
}
using Softmax = dnnl::softmax_v2_forward;
inline auto describe_layer_norm(const dnnl::engine& engine, const dnnl::primitive_attr& attr,
                                const dnnl::memory::desc& data, float eps,
                                dnnl::normalization_flags flags) {
  return describe<dnnl::layer_normalization_forward>(
      engine, attr, dnnl::prop_kind::forward_inference, data, eps, flags);
}
inline void append_eltwise(dnnl::post_ops& ops, dnnl::algorithm algorithm, float alpha) {
  ops.append_eltwise(1.0f, algorithm, alpha, 0.0f);
}
#endif

// Runs body() and says in the library's own terms what oneDNN refused.
template <class Body>
auto translated(const char* op, const Body& body) {
  try {
    return body();
  } catch (const dnnl::error& e) {
    throw Error(Error::Kind::failed, std::string("onednn backend: ") + op + ": " + e.what() + ".");
  }
}

// A primitive with the layouts that it wants.
struct Plan {
  dnnl::primitive primitive;
  dnnl::memory::desc src, weights, bias, dst, scratchpad;
  const dnnl::memory* packed = nullptr;  // the weights in that layout; kept by their owner
};

// Everything that a plan depends on, as numbers.
using PlanKey = std::array<std::int64_t, 8>;

// Plans by key, for any number of threads. They live as long as the cache.
class PlanCache {
 public:
  template <class Make>
  const Plan& find(const PlanKey& key, const Make& make) {
    const std::lock_guard lock(mutex_);
    std::unique_ptr<const Plan>& plan = plans_[key];
    if (plan == nullptr) plan = std::make_unique<const Plan>(make());
    return *plan;
  }

 private:
  std::mutex mutex_;
  std::map<PlanKey, std::unique_ptr<const Plan>> plans_;
};

}  // namespace fovea::onednn
