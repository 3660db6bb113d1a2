// SPDX-License-Identifier: Apache-2.0
// From the bytes of a JPEG to the input of a network, each step and the whole, on one thread:
// width / height of the picture. As timm's swin_tiny wants it: 224 x 224 pixels, bicubic, 0.9.
#include <benchmark/benchmark.h>

#include <vector>

#include "bench/pictures/photo.h"
#include "fovea/io/image.h"
#include "fovea/io/preprocess.h"
#include "fovea/io/resize.h"
#include "tests/io/encode_jpeg.h"

namespace fovea::bench {
namespace {

constexpr double kCropPct = 0.9;

PreprocessConfig config() {
  PreprocessConfig result;
  result.crop_pct = kCropPct;
  return result;
}

std::vector<float> input() {
  return std::vector<float>(static_cast<std::size_t>(config().height) * config().width * 3);
}

Image photo(const benchmark::State& state) {
  return make_photo(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
}

void decode(benchmark::State& state) {
  const auto file = test::encode_jpeg(photo(state));
  for (auto _ : state) benchmark::DoNotOptimize(decode_image(file));
}

// Only the window that becomes the input, as preprocess does it.
void resize_to_crop(benchmark::State& state) {
  const Image image = photo(state);
  const int height = static_cast<int>(config().height / kCropPct);
  const int width = image.width * height / image.height;
  const Window window{(width - config().width) / 2, (height - config().height) / 2, config().width,
                      config().height};
  for (auto _ : state) {
    benchmark::DoNotOptimize(resize_window(image, width, height, config().interpolation, window));
  }
}

void resize_and_normalise(benchmark::State& state) {
  const Image image = photo(state);
  std::vector<float> out = input();
  for (auto _ : state) {
    preprocess(image, config(), out.data());
    benchmark::ClobberMemory();
  }
}

void whole(benchmark::State& state) {
  const auto file = test::encode_jpeg(photo(state));
  std::vector<float> out = input();
  for (auto _ : state) {
    decode_and_preprocess(file, config(), out.data());
    benchmark::ClobberMemory();
  }
}

// The same with pixels that differ a little.
void whole_with_fast_decode(benchmark::State& state) {
  const auto file = test::encode_jpeg(photo(state));
  std::vector<float> out = input();
  ImageOptions options;
  options.fast_decode = true;
  for (auto _ : state) {
    decode_and_preprocess(file, config(), out.data(), options);
    benchmark::ClobberMemory();
  }
}

void sizes(benchmark::internal::Benchmark* b) {
  b->Args({500, 375})->Args({4000, 3000})->Unit(benchmark::kMillisecond);
}
BENCHMARK(decode)->Apply(sizes);
BENCHMARK(resize_to_crop)->Apply(sizes);
BENCHMARK(resize_and_normalise)->Apply(sizes);
BENCHMARK(whole)->Apply(sizes);
BENCHMARK(whole_with_fast_decode)->Apply(sizes);

}  // namespace
}  // namespace fovea::bench

BENCHMARK_MAIN();
