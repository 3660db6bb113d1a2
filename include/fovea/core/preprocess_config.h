// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <cmath>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

#include "fovea/core/error.h"

namespace fovea {

// The six filters of Pillow's Image.resize.
enum class Filter { nearest, box, bilinear, hamming, bicubic, lanczos };

// How a picture of any shape becomes one of the network's shape (timm's crop_mode):
//   center  resize the shorter edge, keep the aspect ratio, cut out the centre
//   squash  resize both edges, ignoring the aspect ratio, cut out the centre
//   border  resize the longer edge, keep the aspect ratio, fill the rest with the mean colour
enum class CropMode { center, squash, border };

// What a checkpoint's author did to a picture before the network saw it: timm's `pretrained_cfg`,
// in timm's words, with timm's defaults. A literal type, so that tables of models can hold it.
struct PreprocessConfig {
  int height = 224;  // of the network's input, in pixels
  int width = 224;
  Filter interpolation = Filter::bicubic;
  // Double, unlike mean and std: sizes are floor(height / crop_pct), and 256 / 0.8 is 320, whereas
  // 256 / 0.8f is 319.
  double crop_pct = 0.875;
  CropMode crop_mode = CropMode::center;
  // Where the centre lies when a line is left over: false: half of the odd number is rounded to an
  // even one, as torchvision does; true: down, as transformers does.
  bool crop_rounds_down = false;
  std::array<float, 3> mean = {0.485f, 0.456f, 0.406f};  // red, green, blue, of values in [0, 1]
  std::array<float, 3> std = {0.229f, 0.224f, 0.225f};
};

// The crop_pct with which edges of `size` pixels are cut out of ones of `resized`: floor(size /
// crop_pct) == resized, which the plain quotient misses for some. For what is given as two sizes,
// as torchvision and transformers do.
constexpr double crop_pct_for(int size, int resized) {
  double pct = static_cast<double>(size) / resized;
  while (static_cast<long long>(size / pct) < resized) pct -= pct * 2.3e-16;
  return pct;
}

namespace detail {

template <class Enum, std::size_t N>
using NameTable = std::array<std::pair<std::string_view, Enum>, N>;

inline constexpr NameTable<Filter, 6> kFilterNames = {{{"nearest", Filter::nearest},
                                                       {"box", Filter::box},
                                                       {"bilinear", Filter::bilinear},
                                                       {"hamming", Filter::hamming},
                                                       {"bicubic", Filter::bicubic},
                                                       {"lanczos", Filter::lanczos}}};

inline constexpr NameTable<CropMode, 3> kCropModeNames = {
    {{"center", CropMode::center}, {"squash", CropMode::squash}, {"border", CropMode::border}}};

template <class Enum, std::size_t N>
Enum value_of_name(const NameTable<Enum, N>& table, std::string_view what, std::string_view name) {
  std::string known;
  for (const auto& [entry, value] : table) {
    if (entry == name) return value;
    known += (known.empty() ? "" : ", ") + std::string(entry);
  }
  throw Error(Error::Kind::argument, "unknown " + std::string(what) + " \"" + std::string(name) +
                                         "\"; the known ones are " + known);
}

template <class Enum, std::size_t N>
constexpr std::string_view name_of_value(const NameTable<Enum, N>& table, Enum value) {
  for (const auto& [entry, candidate] : table) {
    if (candidate == value) return entry;
  }
  return "invalid";
}

}  // namespace detail

constexpr std::string_view name(Filter filter) {
  return detail::name_of_value(detail::kFilterNames, filter);
}

constexpr std::string_view name(CropMode mode) {
  return detail::name_of_value(detail::kCropModeNames, mode);
}

// Throw Error (argument), listing the known names, when there is no such filter or mode.
inline Filter filter_from_name(std::string_view name) {
  return detail::value_of_name(detail::kFilterNames, "interpolation", name);
}

inline CropMode crop_mode_from_name(std::string_view name) {
  return detail::value_of_name(detail::kCropModeNames, "crop_mode", name);
}

// Throws Error (argument) naming the field when the configuration cannot be applied to any picture.
inline void validate(const PreprocessConfig& config) {
  const auto require = [](bool holds, const std::string& wanted, double found) {
    if (!holds) {
      throw Error(Error::Kind::argument,
                  "preprocessing wants " + wanted + ", but found " + std::to_string(found));
    }
  };
  require(config.height >= 1, "height >= 1", config.height);
  require(config.width >= 1, "width >= 1", config.width);
  require(std::isfinite(config.crop_pct) && config.crop_pct > 0, "a finite crop_pct > 0",
          config.crop_pct);
  require(name(config.interpolation) != "invalid", "a known interpolation",
          static_cast<int>(config.interpolation));
  require(name(config.crop_mode) != "invalid", "a known crop_mode",
          static_cast<int>(config.crop_mode));
  for (std::size_t c = 0; c < 3; ++c) {
    const std::string index = "[" + std::to_string(c) + "]";
    require(std::isfinite(config.mean[c]), "a finite mean" + index, config.mean[c]);
    require(std::isfinite(config.std[c]) && config.std[c] != 0, "a finite std" + index + " != 0",
            config.std[c]);
  }
}

}  // namespace fovea
