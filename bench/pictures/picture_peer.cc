// SPDX-License-Identifier: Apache-2.0
// What bench/peers/pictures.py calls, through ctypes.
#include <time.h>

#include <cstddef>
#include <exception>
#include <span>

#include "fovea/io/preprocess.h"

namespace {

// Of the calling thread, as Python's time.thread_time().
double cpu_milliseconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return 1e3 * static_cast<double>(now.tv_sec) + 1e-6 * static_cast<double>(now.tv_nsec);
}

}  // namespace

// The input of a network of size x size pixels (bicubic, ImageNet's mean and deviation) from the
// bytes of a picture: (size, size, 3) floats. milliseconds: what it took. Returns 0, or 1 for a
// picture that cannot be read.
extern "C" int fovea_prepare(const char* bytes, std::size_t count, int size, double crop_pct,
                             int fast_decode, float* out, double* milliseconds) {
  try {
    fovea::PreprocessConfig config;
    config.height = config.width = size;
    config.crop_pct = crop_pct;
    fovea::ImageOptions options;
    options.fast_decode = fast_decode != 0;
    const auto file = std::as_bytes(std::span<const char>(bytes, count));
    const double start = cpu_milliseconds();
    fovea::decode_and_preprocess(file, config, out, options);
    *milliseconds = cpu_milliseconds() - start;
    return 0;
  } catch (const std::exception&) {
    return 1;
  }
}
