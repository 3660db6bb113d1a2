// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "fovea/core/generator.h"
#include "fovea/io/image.h"
#include "src/io/decoders.h"
#include "tests/expect_error.h"

namespace fovea::test {

inline std::vector<std::byte> read_bytes(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw std::runtime_error("cannot open " + path);
  const std::vector<char> chars{std::istreambuf_iterator<char>(stream), {}};
  const auto bytes = std::as_bytes(std::span(chars));
  return {bytes.begin(), bytes.end()};
}

inline nlohmann::json read_json(const std::string& path) {
  std::ifstream stream(path);
  if (!stream) throw std::runtime_error("cannot open " + path);
  return nlohmann::json::parse(stream);
}

inline std::uint32_t crc32_of(const Image& image) {
  return detail::crc32(std::as_bytes(std::span(image.pixels)));
}

// The picture that the oracle file's field "image" describes: ramps in x, y and x + y, with noise.
inline Image make_picture(const std::string& name, int width, int height) {
  Image image = make_image(width, height);
  const std::uint64_t state = fnv1a(name);
  std::size_t i = 0;
  for (int y = 0; y < height; ++y) {
    for (int x = 0; x < width; ++x) {
      const int ramps[3] = {x * 255 / std::max(1, width - 1), y * 255 / std::max(1, height - 1),
                            (x + y) * 255 / std::max(1, width + height - 2)};
      for (const int ramp : ramps) {
        const int noise = static_cast<int>(generated_value(state, i, 0, 256));
        image.pixels[i++] = static_cast<std::uint8_t>((3 * ramp + noise) / 4);
      }
    }
  }
  return image;
}

inline Image make_picture(const nlohmann::json& image) {
  return make_picture(image.at("name"), image.at("width"), image.at("height"));
}

// The cases of one kind from the oracle of Pillow and timm.
inline std::vector<nlohmann::json> pillow_cases(const std::string& op) {
  std::vector<nlohmann::json> cases;
  const nlohmann::json oracle = read_json(FOVEA_TEST_DATA "/preprocess/pillow.json");
  for (const auto& item : oracle.at("cases")) {
    if (item.at("op") == op) cases.push_back(item);
  }
  return cases;
}

// Expect an Error whose message contains all the parts.
template <class Body>
void expect_file_error(const Body& body, std::initializer_list<std::string> parts) {
  for (const std::string& part : parts) expect_error(body, Error::Kind::file, part);
}

template <class Body>
void expect_argument_error(const Body& body, std::initializer_list<std::string> parts) {
  for (const std::string& part : parts) expect_error(body, Error::Kind::argument, part);
}

// The pictures of tests/data/images with what Pillow makes of them.
struct Picture {
  std::string file;
  std::vector<std::byte> bytes;
  nlohmann::json expected;
};

inline const std::string kImages = FOVEA_TEST_DATA "/images/";

inline std::vector<std::byte> picture_bytes(const std::string& file) {
  return read_bytes(kImages + file);
}

inline const std::vector<Picture>& pictures() {
  static const std::vector<Picture> all = [] {
    std::vector<Picture> list;
    const nlohmann::json json = read_json(kImages + "expected.json");
    for (const auto& expected : json.at("pictures")) {
      const std::string file = expected.at("file");
      list.push_back({file, picture_bytes(file), expected});
    }
    return list;
  }();
  return all;
}

// Overwrites `size` bytes with a big-endian number.
inline void write_uint(std::vector<std::byte>& bytes, std::size_t offset, std::size_t size,
                       std::uint32_t value) {
  for (std::size_t i = 0; i < size; ++i) {
    bytes.at(offset + i) = static_cast<std::byte>(value >> (8 * (size - 1 - i)));
  }
}

}  // namespace fovea::test
