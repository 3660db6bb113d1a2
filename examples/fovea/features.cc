// SPDX-License-Identifier: Apache-2.0
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "commands.h"
#include "common.h"
#include "fovea/io/save.h"
#include "pictures.h"

namespace fovea::tool {
namespace {

struct FeaturesOptions {
  ModelOptions model;
  PictureOptions pictures;
  std::string output;
};

// One level of the pyramid over all pictures, grown batch by batch.
struct Level {
  Shape shape;                // (n, c, h, w)
  std::vector<float> values;  // in that order

  void append(CMapF x) {
    if (shape.empty()) shape = {0, x.c, x.h, x.w};
    shape[0] += x.n;
    for (int n = 0; n < x.n; ++n) {
      const CMapF image = x.image(n);
      for (int c = 0; c < x.c; ++c) {
        for (std::ptrdiff_t r = 0; r < image.rows(); ++r) values.push_back(image.row(r)[c]);
      }
    }
  }
};

std::string level_name(std::size_t level) { return "features." + std::to_string(level); }

// "out.npy" -> "out.0.npy"
std::filesystem::path level_path(const std::filesystem::path& path, std::size_t level) {
  std::filesystem::path name = path;
  return name.replace_extension("." + std::to_string(level) + path.extension().string());
}

// Writes the levels; what was written, as {"file", "name", "shape"}.
Json save(const std::filesystem::path& path, const std::vector<Level>& pyramid) {
  NamedTensors tensors;
  for (const Level& level : pyramid) {
    tensors.emplace_back(level_name(tensors.size()),
                         Tensor::from_floats(level.shape, level.values));
  }
  const bool npy = output_format(path) == OutputFormat::npy;
  if (!npy) save_safetensors(path, tensors);
  Json written = Json::array();
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto& [name, tensor] = tensors[i];
    const std::filesystem::path file = npy ? level_path(path, i) : path;
    if (npy) save_npy(file, tensor);
    written.push_back({{"file", file.string()}, {"name", name}, {"shape", tensor.shape()}});
  }
  return written;
}

int features(const FeaturesOptions& options) {
  output_format(options.output);
  const Model model = load_model(options.model);
  Context ctx(options.model.threads);
  PictureReader reader(model, options.pictures.files, options.pictures, ctx.threads());
  reserve_workspace(model, reader.batch(), ctx);

  std::vector<Level> pyramid(model.backbone().feature_info().size());
  Json pictures = Json::array();
  int code = kOk;
  int row = 0;
  for (PictureBatch batch; reader.next(batch);) {
    if (batch.images.n > 0) {
      model.backbone().features(
          batch.images,
          [&](int level, CMapF x) { pyramid[static_cast<std::size_t>(level)].append(x); }, ctx);
    }
    for (const Picture& picture : batch.pictures) {
      if (picture.error.empty()) {
        pictures.push_back({{"file", picture.file}, {"row", row++}});
      } else {
        report(picture.error);
        code = kBadFile;
        pictures.push_back({{"file", picture.file}, {"error", picture.error}});
      }
    }
  }
  const Json written = row > 0 ? save(options.output, pyramid) : Json::array();
  if (options.model.json) {
    print({{"pictures", pictures}, {"levels", written}});
  } else {
    for (const Json& level : written) {
      std::cout << level["file"].get<std::string>() << ": " << level["name"].get<std::string>()
                << ' ' << level["shape"].dump() << '\n';
    }
  }
  return code;
}

}  // namespace

Command add_features(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("features", "The feature pyramid of pictures, into files");
  const auto options = std::make_shared<FeaturesOptions>();
  add_picture_options(*sub, options->pictures);
  add_model_and_options(*sub, options->model);
  sub->add_option("-o,--output", options->output,
                  "FILE.safetensors for tensors features.0, features.1, ..., or FILE.npy for "
                  "FILE.0.npy, FILE.1.npy, ...; each (pictures, channels, height, width)")
      ->required()
      ->type_name("FILE");
  sub->footer(
      "Pictures that cannot be read have no row.\n\nExamples:\n"
      "  fovea features --model examples/models/convnext -o pyramid.safetensors cat.jpg\n"
      "  fovea features --model examples/models/convnext -o pyramid.npy --json *.jpg");
  return {sub, [options] { return features(*options); }};
}

}  // namespace fovea::tool
