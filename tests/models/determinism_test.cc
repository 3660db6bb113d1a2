// SPDX-License-Identifier: Apache-2.0
//
// The same picture gives the same bits, whatever the number of threads and the company it is in.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>

#include "tests/models/tiny_networks.h"

namespace fovea {
namespace {

bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return !a.empty() && a.size() == b.size() &&
         std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

class Determinism : public ::testing::TestWithParam<std::string> {
 protected:
  // Calls body(network) for a batch of three, with the native backend at every instruction set that
  // this processor has.
  template <class Body>
  void for_every_isa(const Body& body) const {
    for (const std::string_view isa : isa_names()) {
      SCOPED_TRACE(isa);
      const auto backend = make_backend("native", {std::string(isa)});
      body(TinyNetwork(GetParam(), *backend, 3));
    }
  }
};

TEST_P(Determinism, NumberOfThreadsDoesNotChangeABit) {
  for_every_isa([](const TinyNetwork& net) {
    Context one(1);
    const auto expected = net.forward(net.batch(), one);
    for (const int threads : {1, 2, 3}) {
      Context ctx(threads);
      for (int repetition = 0; repetition < 2; ++repetition) {
        const auto found = net.forward(net.batch(), ctx);
        for (std::size_t i = 0; i < expected.size(); ++i) {
          EXPECT_TRUE(same_bits(found[i], expected[i])) << threads << " threads, image " << i;
        }
      }
    }
  });
}

TEST_P(Determinism, PositionInTheBatchDoesNotChangeABit) {
  for_every_isa([](const TinyNetwork& net) {
    Context ctx(2);
    const CMapF batch = net.batch();
    const auto expected = net.forward(batch, ctx);
    // Alone, and at another place of a smaller batch.
    for (int i = 0; i < batch.n; ++i) {
      const auto alone = net.forward(batch.image(i), ctx);
      EXPECT_TRUE(same_bits(alone[0], expected[static_cast<std::size_t>(i)])) << "image " << i;
    }
    const auto last_two = net.forward(batch.images(1, 2), ctx);
    EXPECT_TRUE(same_bits(last_two[0], expected[1]));
    EXPECT_TRUE(same_bits(last_two[1], expected[2]));
  });
}

// Without anybody looking on, threads take whole images while there are enough of them.
TEST_P(Determinism, ImagesOneByOneGiveTheBitsOfTheWholeBatch) {
  for_every_isa([](const TinyNetwork& net) {
    const auto size = static_cast<std::size_t>(net.batch().n * net.num_outputs());
    std::vector<float> expected(size), found(size);
    Context one(1);
    net.logits(net.batch(), expected.data(), one, true);
    for (const int threads : {1, 2, 3, 4}) {
      Context ctx(threads);
      for (int repetition = 0; repetition < 2; ++repetition) {
        std::fill(found.begin(), found.end(), 0.0f);
        net.logits(net.batch(), found.data(), ctx, false);
        EXPECT_TRUE(same_bits(found, expected)) << threads << " threads";
      }
      EXPECT_EQ(ctx.macs(), 2 * one.macs()) << threads << " threads";
      ctx.set_dry_run(true);
      net.logits(net.batch(), found.data(), ctx, false);
      EXPECT_EQ(ctx.macs(), 3 * one.macs()) << threads << " threads, dry";
    }
  });
}

TEST_P(Determinism, DifferentImagesGiveDifferentOutputs) {
  // What the tests above compare must depend on the input at all.
  for_every_isa([](const TinyNetwork& net) {
    Context ctx(1);
    const auto outputs = net.forward(net.batch(), ctx);
    EXPECT_FALSE(same_bits(outputs[0], outputs[1]));
    EXPECT_FALSE(same_bits(outputs[1], outputs[2]));
  });
}

INSTANTIATE_TEST_SUITE_P(TinyNetworks, Determinism, ::testing::ValuesIn(tiny_cases()),
                         tiny_case_name);

}  // namespace
}  // namespace fovea
