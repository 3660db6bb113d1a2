// SPDX-License-Identifier: Apache-2.0
//
// preprocessor_config.json of transformers: its image processors, as PreprocessConfig says it.
#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "src/io/hub_config.h"
#include "src/io/json_section.h"

namespace fovea {
namespace {

constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

// What a processor does with a picture's shape.
enum class Rule {
  resize,           // to one size
  resize_and_crop,  // to one size, or its shorter edge; then a centre crop
  convnext,         // by the size: below 384 a crop of crop_pct, else to a square
  crop_pct,         // the shorter edge to size / crop_pct, then a centre crop
};

using Triple = std::array<float, 3>;
constexpr Triple kHalf = {0.5f, 0.5f, 0.5f};
constexpr Triple kImageNetMean = {0.485f, 0.456f, 0.406f}, kImageNetStd = {0.229f, 0.224f, 0.225f};
constexpr Triple kClipMean = {0.48145466f, 0.4578275f, 0.40821073f},
                 kClipStd = {0.26862954f, 0.26130258f, 0.27577711f};

// An image processor and what it does when its file is silent.
struct Processor {
  std::string_view name;
  Rule rule;
  int size;
  bool square;  // whether one number stands for both edges, or for the shorter one
  Filter filter;
  Triple mean, std;
};

constexpr Processor kProcessors[] = {
    {"ViTImageProcessor", Rule::resize, 224, true, Filter::bilinear, kHalf, kHalf},
    {"DeiTImageProcessor", Rule::resize_and_crop, 256, true, Filter::bicubic, kHalf, kHalf},
    {"BitImageProcessor", Rule::resize_and_crop, 224, false, Filter::bicubic, kClipMean, kClipStd},
    {"CLIPImageProcessor", Rule::resize_and_crop, 224, false, Filter::bicubic, kClipMean, kClipStd},
    {"ConvNextImageProcessor", Rule::convnext, 384, false, Filter::bilinear, kHalf, kHalf},
    {"PoolFormerImageProcessor", Rule::crop_pct, 224, false, Filter::bicubic, kImageNetMean,
     kImageNetStd},
};

// Who prepares the pictures of a network when the file does not say.
std::string_view usual_processor(std::string_view model_type) {
  if (model_type.starts_with("convnext")) return "ConvNextImageProcessor";
  if (model_type.starts_with("dinov2")) return "BitImageProcessor";
  if (model_type == "deit") return "DeiTImageProcessor";
  if (model_type == "poolformer") return "PoolFormerImageProcessor";
  return "ViTImageProcessor";
}

const Processor& find_processor(const Section& config, const std::string& model_type) {
  std::string name(usual_processor(model_type));
  const char* key = "image_processor_type";
  if (!config.read(key, name)) {
    key = "feature_extractor_type";  // of older files
    config.read(key, name);
  }
  const auto replace_end = [](std::string text, std::string_view end, std::string_view by) {
    if (text.ends_with(end)) text.replace(text.size() - end.size(), end.size(), by);
    return text;
  };
  const std::string plain =
      replace_end(replace_end(name, "Fast", ""), "FeatureExtractor", "ImageProcessor");
  std::string known;
  for (const Processor& processor : kProcessors) {
    if (processor.name == plain) return processor;
    known += (known.empty() ? "" : ", ") + std::string(processor.name);
  }
  throw Error(Error::Kind::file, config.where(key) + ": " + in_quotes(name) +
                                     " is not known; the known ones are " + known);
}

// What `size` and `crop_size` say: both edges, or the shorter one.
struct Size {
  int h = 0, w = 0;
  int shortest = 0;  // not 0: h and w are not meant
};

Size read_size(const Section& config, const std::string& key, int otherwise, bool square) {
  const std::string wanted =
      "a size, [height, width], {\"height\", \"width\"} or {\"shortest_edge\"}, each from 1 to "
      "16384";
  const auto edge = [&](const Json& value) {
    return config.count(key, wanted, value, 1, kMaxInputSize);
  };
  const auto one = [square](int n) { return square ? Size{n, n, 0} : Size{0, 0, n}; };
  const Json* value = config.find(key);
  if (value == nullptr) return one(otherwise);
  if (value->is_array() && value->size() == 2) return {edge((*value)[0]), edge((*value)[1]), 0};
  if (!value->is_object()) return one(edge(*value));
  if (value->contains("height") && value->contains("width")) {
    return {edge((*value)["height"]), edge((*value)["width"]), 0};
  }
  if (value->contains("shortest_edge") && value->size() == 1) {
    return {0, 0, edge((*value)["shortest_edge"])};
  }
  config.fail(key, wanted, *value);
}

[[noreturn]] void refuse(const Section& config, const std::string& key, const std::string& why) {
  throw Error(Error::Kind::file, config.where(key) + ": " + why);
}

void set_input(PreprocessConfig& out, int h, int w) {
  out.height = h;
  out.width = w;
}

// A centre crop of h x w out of a picture resized to `size`.
void set_crop(const Section& config, const Size& size, int h, int w, PreprocessConfig& out) {
  set_input(out, h, w);
  out.crop_rounds_down = true;
  if (size.shortest > 0) {
    if (h != w) {
      refuse(config, "crop_size",
             "wanted a square with shortest_edge, found " + std::to_string(h) + " x " +
                 std::to_string(w));
    }
    out.crop_pct = crop_pct_for(h, size.shortest);
    return;
  }
  out.crop_mode = CropMode::squash;
  out.crop_pct = crop_pct_for(h, size.h);
  if (static_cast<int>(std::floor(w / out.crop_pct)) != size.w) {
    refuse(config, "crop_size",
           "wanted the same share of both edges, found " + std::to_string(h) + " x " +
               std::to_string(w) + " of " + std::to_string(size.h) + " x " +
               std::to_string(size.w));
  }
}

void read_resize_and_crop(const Section& config, const Processor& processor, const Size& size,
                          PreprocessConfig& out) {
  bool crop = processor.rule != Rule::resize;
  if (crop) config.read("do_center_crop", crop);
  if (crop) {
    const Size cut = read_size(config, "crop_size", 224, true);
    if (cut.shortest > 0) refuse(config, "crop_size", "wanted height and width");
    return set_crop(config, size, cut.h, cut.w, out);
  }
  if (size.shortest > 0) {
    refuse(config, "size", "shortest_edge without a centre crop gives pictures of any shape");
  }
  set_crop(config, size, size.h, size.w, out);
}

double read_crop_pct(const Section& config, double otherwise) {
  config.read("crop_pct", otherwise);
  if (!(std::isfinite(otherwise) && otherwise > 1e-3)) {
    refuse(config, "crop_pct",
           "wanted a finite number above 0.001, found " + std::to_string(otherwise));
  }
  return otherwise;
}

void read_geometry(const Section& config, const Processor& processor, const Json& json,
                   PreprocessConfig& out) {
  Size size = read_size(config, "size", processor.size, processor.square);
  if (processor.rule == Rule::convnext) {
    if (size.shortest == 0) refuse(config, "size", "wanted shortest_edge");
    set_input(out, size.shortest, size.shortest);
    out.crop_pct = read_crop_pct(config, 224.0 / 256.0);
    out.crop_rounds_down = true;
    if (size.shortest >= 384) {
      out.crop_pct = 1.0;
      out.crop_mode = CropMode::squash;
    }
    return;
  }
  // An explicit null turns crop_pct off.
  const bool has_crop_pct = !json.contains("crop_pct") || !json["crop_pct"].is_null();
  if (processor.rule == Rule::crop_pct && has_crop_pct) {
    if (size.shortest == 0 && size.h != size.w) {
      refuse(config, "size", "wanted a square or shortest_edge with crop_pct");
    }
    const int edge = size.shortest > 0 ? size.shortest : size.h;
    size = {0, 0, static_cast<int>(edge / read_crop_pct(config, 0.9))};
    if (size.shortest < 1) refuse(config, "crop_pct", "leaves a picture of no pixels");
  }
  read_resize_and_crop(config, processor, size, out);
}

Filter read_filter(const Section& config, Filter otherwise) {
  constexpr std::array kByNumber = {Filter::nearest, Filter::lanczos, Filter::bilinear,
                                    Filter::bicubic, Filter::box,     Filter::hamming};
  const Json* number = config.find("resample");
  if (number == nullptr) return otherwise;
  return kByNumber[static_cast<std::size_t>(
      config.count("resample", "Pillow's number of a filter, 0 to 5", *number, 0, 5))];
}

Triple read_triple(const Section& config, const std::string& key, Triple otherwise) {
  const Json* value = config.find(key);
  if (value != nullptr && value->is_number()) {
    otherwise.fill(static_cast<float>(value->get<double>()));
  } else {
    config.read(key, otherwise);
  }
  return otherwise;
}

// (pixel * factor - mean) / std, said as (pixel / 255 - mean) / std.
void read_values(const Section& config, const Processor& processor, PreprocessConfig& out) {
  bool rescale = true, normalize = true;
  config.read("do_rescale", rescale);
  config.read("do_normalize", normalize);
  double factor = 1.0 / 255.0;
  config.read("rescale_factor", factor);
  if (!rescale) factor = 1.0;
  if (!(std::isfinite(factor) && factor > 0)) {
    refuse(config, "rescale_factor", "wanted a finite number above 0");
  }
  out.mean = normalize ? read_triple(config, "image_mean", processor.mean) : Triple{};
  out.std = normalize ? read_triple(config, "image_std", processor.std) : Triple{1, 1, 1};
  const double range = factor * 255.0;
  if (std::abs(range - 1.0) < 1e-9) return;
  for (std::size_t c = 0; c < 3; ++c) {
    out.mean[c] = static_cast<float>(out.mean[c] / range);
    out.std[c] = static_cast<float>(out.std[c] / range);
  }
}

}  // namespace

void read_transformers_preprocess(const std::filesystem::path& path, const std::string& model_type,
                                  HubFolder& folder) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return;
  const std::string file = path.string();
  const Json json = read_json(path, kMaxBytes);
  const Section config(json, file);
  const Processor& processor = find_processor(config, model_type);
  bool resize = true;
  config.read("do_resize", resize);
  if (!resize) refuse(config, "do_resize", "false gives pictures of any shape, wanted true");
  PreprocessConfig& out = folder.preprocess;
  out.interpolation = read_filter(config, processor.filter);
  read_geometry(config, processor, json, out);
  read_values(config, processor, out);
  of_file(file, [&] { validate(out); });
  folder.has_preprocess = true;
}

}  // namespace fovea
