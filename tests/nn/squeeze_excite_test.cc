// SPDX-License-Identifier: Apache-2.0
#include "fovea/nn/squeeze_excite.h"

#include <cmath>

#include "tests/nn/blocks.h"

namespace fovea::nn {
namespace {

using test::block_bound;
using test::ListedSource;
using test::TestMap;

TEST(SqueezeExcite, ScalesChannelsByTheGateOfTheirMeans) {
  constexpr int kChannels = 6, kHidden = 2;
  const auto build = [](const Params& p) { return SqueezeExcite(p, kChannels, kHidden); };
  const ListedSource source = test::weights_for(build);
  const FloatBuffer reduce = source.load("fc.0.weight").to_floats();  // (hidden, channels)
  const FloatBuffer expand = source.load("fc.2.weight").to_floats();  // (channels, hidden)
  const TestMap x(2, 3, 4, kChannels, 1, 3);
  const auto at = [](const FloatBuffer& w, int row, int columns, int column) {
    return static_cast<double>(w[static_cast<std::size_t>(row * columns + column)]);
  };
  const TestMap wanted(2, 3, 4, kChannels, 0);
  for (int n = 0; n < 2; ++n) {
    double mean[kChannels] = {}, hidden[kHidden] = {};
    const CMapF image = x.map().image(n);
    for (int c = 0; c < kChannels; ++c) {
      for (int r = 0; r < 12; ++r) mean[c] += image.row(r)[c] / 12.0;
    }
    for (int j = 0; j < kHidden; ++j) {
      for (int c = 0; c < kChannels; ++c) hidden[j] += at(reduce, j, kChannels, c) * mean[c];
      hidden[j] = std::max(hidden[j], 0.0);
    }
    for (int c = 0; c < kChannels; ++c) {
      double gate = 0;
      for (int j = 0; j < kHidden; ++j) gate += at(expand, c, kHidden, j) * hidden[j];
      gate = 1.0 / (1.0 + std::exp(-gate));
      for (int r = 0; r < 12; ++r) {
        wanted.map().image(n).row(r)[c] = static_cast<float>(gate * image.row(r)[c]);
      }
    }
  }
  for (const std::string_view name : backend_names()) {
    const auto backend = make_backend(name);
    const TestMap y = x;  // in place
    Context ctx(2);
    test::build_with(build, source, *backend).forward(y, y, ctx);
    expect_close(y, wanted, block_bound(4, 12), std::string(name));
    EXPECT_TRUE(y.gaps_intact());
  }
}

}  // namespace
}  // namespace fovea::nn
