// SPDX-License-Identifier: Apache-2.0
// What every backend promises about threads: several contexts may use it and its weights at once,
// and the number of threads of a context does not change a bit of the results.
#include <gtest/gtest.h>

#include <thread>

#include "fovea/backend/backend.h"
#include "tests/backend/maps.h"

namespace fovea {
namespace {

using test::random_tensor;
using test::TestMap;

// One of everything that packs, plans or divides its work, into one vector of results.
class Workload {
 public:
  explicit Workload(const Backend& backend)
      : backend_(backend),
        fc1_(backend.pack_linear(random_tensor({96, 24}, 1))),
        fc2_(backend.pack_linear(random_tensor({24, 96}, 2))),
        dense_(backend.pack_conv2d(random_tensor({24, 24, 3, 3}, 3), Conv2dSpec::square(1, 1))),
        depthwise_(
            backend.pack_conv2d(random_tensor({24, 1, 7, 7}, 4), Conv2dSpec::square(1, 3, 24))) {}

  std::vector<float> run(Context& ctx) const {
    const TestMap x(2, 13, 11, 24, 0, 5), qkv(2, 13, 11, 72, 0, 6), y(2, 13, 11, 24, 0);
    std::vector<float> results;
    const auto keep = [&](const CMapF& m) {
      const std::vector<float> values = test::dense(m);
      results.insert(results.end(), values.begin(), values.end());
    };
    Epilogue gelu;
    gelu.act = Activation::Kind::gelu;
    backend_.mlp(x, *fc1_, gelu, *fc2_, {}, y, ctx);
    keep(y);
    backend_.conv2d(x, *dense_, {}, y, ctx);
    keep(y);
    backend_.conv2d(x, *depthwise_, {}, y, ctx);
    keep(y);
    WindowSpec window;
    window.heads = 3;
    window.window_h = window.window_w = 4;
    window.shift_h = window.shift_w = 2;
    backend_.window_attention(qkv, window, y, ctx);
    keep(y);
    const MapF m = qkv;
    AttentionSpec attention;
    attention.heads = 2;
    backend_.attention(m.channels(0, 24), m.channels(24, 24), m.channels(48, 24), attention, y,
                       ctx);
    keep(y);
    backend_.layer_norm(x, {}, y, ctx);
    keep(y);
    backend_.group_norm(x, {}, y, ctx);
    keep(y);
    backend_.grn(x, {}, y, ctx);
    keep(y);
    backend_.softmax(x, y, ctx);
    keep(y);
    backend_.pooling(x, 3, {}, y, ctx);
    keep(y);
    const TestMap mean(2, 1, 1, 24, 0);
    backend_.global_average(x, mean, ctx);
    keep(mean);
    return results;
  }

 private:
  const Backend& backend_;
  PackedPtr fc1_, fc2_, dense_, depthwise_;
};

class Threads : public testing::TestWithParam<std::string_view> {
 protected:
  std::shared_ptr<const Backend> backend_ = make_backend(GetParam());
};

INSTANTIATE_TEST_SUITE_P(Backends, Threads, testing::ValuesIn(backend_names()),
                         [](const auto& instance) { return std::string(instance.param); });

TEST_P(Threads, TheirNumberDoesNotChangeTheResults) {
  // oneDNN chooses how to divide a product, its inner dimension included, by the number of threads.
  if (GetParam() == "onednn") GTEST_SKIP() << "not promised where another library divides the work";
  const Workload workload(*backend_);
  Context one(1);
  const std::vector<float> wanted = workload.run(one);
  for (const int threads : {2, 3}) {
    Context several(threads);
    const std::vector<float> found = workload.run(several);
    ASSERT_EQ(found.size(), wanted.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      ASSERT_EQ(found[i], wanted[i]) << threads << " threads, element " << i;
    }
  }
}

TEST_P(Threads, ContextsShareABackendAndItsWeights) {
  const Workload workload(*backend_);
  constexpr int kCallers = 3;
  std::vector<float> results[kCallers];
  std::vector<std::thread> callers;
  for (int i = 0; i < kCallers; ++i) {
    callers.emplace_back([&, i] {
      Context ctx(1);
      for (int repeat = 0; repeat < 3; ++repeat) results[i] = workload.run(ctx);
    });
  }
  for (std::thread& caller : callers) caller.join();
  Context ctx(1);
  const std::vector<float> wanted = workload.run(ctx);
  for (const std::vector<float>& result : results) EXPECT_EQ(result, wanted);
}

}  // namespace
}  // namespace fovea
