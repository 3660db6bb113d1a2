// SPDX-License-Identifier: Apache-2.0
// What published checkpoints carry beside their parameters (counters, index tables, frequencies) is
// ignored by every family, without being told.
#include <gtest/gtest.h>

#include "tests/models/tiny_networks.h"

namespace fovea {
namespace {

class Buffers : public testing::TestWithParam<std::string> {};

INSTANTIATE_TEST_SUITE_P(TinyNetworks, Buffers, testing::ValuesIn(tiny_cases()), tiny_case_name);

TEST_P(Buffers, OfCheckpointsAreIgnored) {
  oracle::Case c =
      oracle::read_case(std::filesystem::path(FOVEA_TEST_ORACLES) / (GetParam() + ".json"));
  for (const std::string& name : c.buffers) c.weights.add(name, {1}, 0, 1);
  EXPECT_NO_THROW(build_model(oracle::find_spec(c), c.weights, *make_backend("native")));
}

}  // namespace
}  // namespace fovea
