// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/oracle/oracle_case.h"

namespace fovea {

// The oracles' tiny cases of every family, as "swin/swin_test_a": networks that build and run in
// milliseconds.
inline std::vector<std::string> tiny_cases() {
  const std::filesystem::path root = FOVEA_TEST_ORACLES;
  std::vector<std::string> cases;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root)) {
    std::filesystem::path path = std::filesystem::relative(entry.path(), root);
    if (path.extension() == ".json" && path.stem().string().find("_test_") != std::string::npos) {
      cases.push_back(path.replace_extension().string());
    }
  }
  std::sort(cases.begin(), cases.end());
  return cases;
}

inline std::string tiny_case_name(const ::testing::TestParamInfo<std::string>& info) {
  return std::filesystem::path(info.param).filename().string();
}

// A tiny network with generated weights, and a batch of images that differ from each other.
class TinyNetwork {
 public:
  TinyNetwork(const std::string& name, const Backend& backend, int images)
      : case_(oracle::read_case(std::filesystem::path(FOVEA_TEST_ORACLES) / (name + ".json"))),
        built_(build_model(oracle::find_spec(case_), case_.weights, backend, case_.buffers)) {
    for (const oracle::TensorRecord& r : case_.outputs) has_logits_ |= r.name == "logits";
    batch_ = CMapF(nullptr, images, static_cast<int>(case_.input_shape.at(2)),
                   static_cast<int>(case_.input_shape.at(3)), 3);
    pixels_ = FloatBuffer(static_cast<std::size_t>(batch_.rows() * 3));
    for (std::size_t i = 0; i < pixels_.size(); ++i) {
      pixels_[i] = generated_value(fnv1a("pixels"), i, case_.input_lo, case_.input_hi);
    }
    batch_.data = pixels_.data();
  }

  CMapF batch() const { return batch_; }  // (images, h, w, 3)

  // Everything that one forward gives: the levels of the pyramid, then the logits (trunks without a
  // head have none), as one vector of numbers for each image.
  std::vector<std::vector<float>> forward(CMapF images, Context& ctx) const {
    std::vector<std::vector<float>> outputs(static_cast<std::size_t>(images.n));
    const auto append = [&](CMapF value) {
      for (int i = 0; i < value.n; ++i) {
        std::vector<float>& output = outputs[static_cast<std::size_t>(i)];
        const CMapF image = value.image(i);
        for (std::ptrdiff_t r = 0; r < image.rows(); ++r) {
          output.insert(output.end(), image.row(r), image.row(r) + image.c);
        }
      }
    };
    run(
        images, [&](int, CMapF level) { append(level); }, append, ctx);
    return outputs;
  }

  // The logits of all images one after the other (pooled features where there is no classifier),
  // with somebody looking on or nobody. `values`: num_outputs() for each image.
  void logits(CMapF images, float* values, Context& ctx, bool watched) const {
    const Backbone& net = *built_.backbone;
    const FeatureSink sink = [](int, CMapF) {};
    net.logits(images, MapF(values, images.n, 1, 1, num_outputs()), ctx, watched ? &sink : nullptr);
  }
  int num_outputs() const { return built_.backbone->num_outputs(); }

  // As forward(), calling `sink` and `use_logits` instead of copying.
  template <class UseLogits>
  void run(CMapF images, const FeatureSink& sink, const UseLogits& use_logits, Context& ctx) const {
    const Backbone& net = *built_.backbone;
    if (!has_logits_) {
      net.features(images, sink, ctx);
      return;
    }
    const Workspace::Scope scope(ctx.workspace());
    const MapF logits = ctx.workspace().map(images.n, 1, 1, net.num_outputs());
    net.logits(images, logits, ctx, &sink);
    use_logits(logits);
  }

 private:
  oracle::Case case_;
  BuiltModel built_;
  bool has_logits_ = false;
  CMapF batch_;
  FloatBuffer pixels_;
};

}  // namespace fovea
