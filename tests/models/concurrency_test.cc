// SPDX-License-Identifier: Apache-2.0
//
// One model serves several threads at once. Run under the thread sanitizer too: ./dev tsan.

#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "tests/models/tiny_networks.h"

namespace fovea {
namespace {

constexpr int kCallers = 3;

// Runs body(caller) on kCallers threads at the same time.
void run_together(const std::function<void(int)>& body) {
  std::vector<std::thread> threads;
  for (int caller = 0; caller < kCallers; ++caller) threads.emplace_back(body, caller);
  for (std::thread& t : threads) t.join();
}

class Concurrency : public ::testing::TestWithParam<std::string> {
 protected:
  using Outputs = std::vector<std::vector<float>>;

  // Every caller runs the network in a context made by `make_context` and must find what one caller
  // alone finds.
  void expect_same_everywhere(const std::function<Context()>& make_context) const {
    const auto backend = make_backend("native");
    const TinyNetwork net(GetParam(), *backend, 2);
    std::vector<Outputs> found(kCallers);
    run_together([&](int caller) {
      Context ctx = make_context();
      found[static_cast<std::size_t>(caller)] = net.forward(net.batch(), ctx);
    });
    Context alone(1);
    const Outputs expected = net.forward(net.batch(), alone);
    for (const Outputs& outputs : found) EXPECT_EQ(outputs, expected);
  }
};

TEST_P(Concurrency, CallersOfOneThreadEachAgree) {
  expect_same_everywhere([] { return Context(1); });
}

TEST_P(Concurrency, CallersWithTheirOwnPoolsAgree) {
  expect_same_everywhere([] { return Context(2); });
}

TEST_P(Concurrency, CallersThatShareAPoolAgree) {
  const auto pool = std::make_shared<const ThreadPool>(2);
  expect_same_everywhere([&] { return Context(pool); });
}

INSTANTIATE_TEST_SUITE_P(TinyNetworks, Concurrency, ::testing::ValuesIn(tiny_cases()),
                         tiny_case_name);

TEST(ConcurrentModel, OneLoadedModelClassifiesOnSeveralThreads) {
  const std::filesystem::path examples = FOVEA_TEST_EXAMPLES;
  const Model model = Model::load(examples / "models" / "swin");
  const auto pool = std::make_shared<const ThreadPool>(2);
  std::vector<std::vector<Prediction>> found(kCallers);
  run_together([&](int caller) {
    Context ctx(pool);
    const Image image = read_image(examples / "images" / "ship.jpg");
    found[static_cast<std::size_t>(caller)] = model.classify(image, ctx, 3);
  });
  for (const auto& predictions : found) {
    ASSERT_EQ(predictions.size(), 3u);
    EXPECT_EQ(predictions[0].label, "ship");
    for (std::size_t i = 0; i < 3; ++i) {
      EXPECT_EQ(predictions[i].index, found[0][i].index);
      EXPECT_EQ(predictions[i].probability, found[0][i].probability);
    }
  }
}

}  // namespace
}  // namespace fovea
