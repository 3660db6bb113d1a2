// SPDX-License-Identifier: Apache-2.0
#include <benchmark/benchmark.h>
#include <png.h>

#include <vector>

#include "bench/pictures/photo.h"
#include "tests/io/encode_jpeg.h"

// From the bytes of a file to pixels, on one thread. Items are pixels.

namespace fovea::bench {
namespace {

std::vector<std::byte> encode_png(const Image& image) {
  png_image description{};
  description.version = PNG_IMAGE_VERSION;
  description.width = static_cast<png_uint_32>(image.width);
  description.height = static_cast<png_uint_32>(image.height);
  description.format = PNG_FORMAT_RGB;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(description);
  std::vector<std::byte> file(size);
  png_image_write_to_memory(&description, file.data(), &size, 0, image.pixels.data(), 0, nullptr);
  file.resize(size);
  return file;
}

void decode(benchmark::State& state, const std::vector<std::byte>& file, const Image& photo,
            const ImageOptions& options = {}) {
  for (auto _ : state) benchmark::DoNotOptimize(decode_image(file, options).pixels.data());
  const std::int64_t pixels = std::int64_t{photo.width} * photo.height;
  state.SetItemsProcessed(state.iterations() * pixels);
  state.counters["file_bytes"] = static_cast<double>(file.size());
}

void BM_DecodeJpeg(benchmark::State& state) {
  const Image photo =
      make_photo(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  decode(state, test::encode_jpeg(photo), photo);
}

// What --fast-decode does for a network of 224 x 224 pixels.
void BM_DecodeJpegScaled(benchmark::State& state) {
  const Image photo =
      make_photo(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  ImageOptions options;
  options.fast_decode = true;
  options.least_width = options.least_height = 256;
  decode(state, test::encode_jpeg(photo), photo, options);
}

// A phone held upright: orientation 6.
void BM_DecodeJpegTurned(benchmark::State& state) {
  const Image photo =
      make_photo(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  std::vector<std::byte> file = test::encode_jpeg(photo);
  constexpr unsigned char kSegment[] = {0xFF, 0xE1, 0, 34, 'E', 'x', 'i', 'f', 0,    0, 'I', 'I',
                                        42,   0,    8, 0,  0,   0,   1,   0,   0x12, 1, 3,   0,
                                        1,    0,    0, 0,  6,   0,   0,   0,   0,    0, 0,   0};
  const auto segment = std::as_bytes(std::span(kSegment));
  file.insert(file.begin() + 2, segment.begin(), segment.end());
  decode(state, file, photo);
}

void BM_DecodePng(benchmark::State& state) {
  const Image photo =
      make_photo(static_cast<int>(state.range(0)), static_cast<int>(state.range(1)));
  decode(state, encode_png(photo), photo);
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->Args({500, 375})->Args({4000, 3000})->Unit(benchmark::kMillisecond);
}

BENCHMARK(BM_DecodeJpeg)->Apply(sizes);
BENCHMARK(BM_DecodeJpegTurned)->Apply(sizes);
BENCHMARK(BM_DecodeJpegScaled)->Apply(sizes);
BENCHMARK(BM_DecodePng)->Apply(sizes);

}  // namespace
}  // namespace fovea::bench

BENCHMARK_MAIN();
