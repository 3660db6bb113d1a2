// SPDX-License-Identifier: Apache-2.0
#include <iostream>
#include <memory>
#include <span>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "commands.h"
#include "common.h"
#include "fovea/io/save.h"
#include "pictures.h"

namespace fovea::tool {
namespace {

struct EmbedOptions {
  ModelOptions model;
  PictureOptions pictures;
  std::string output;
};

// Rows of pooled features and what is printed beside them.
struct Embeddings {
  std::vector<float> rows;  // (count, channels), good pictures only, in order
  int count = 0;
  Json report = Json::array();
  int code = kOk;
};

void save(const EmbedOptions& options, const Embeddings& found, int channels) {
  const Tensor all = Tensor::from_floats({found.count, channels}, found.rows);
  if (output_format(options.output) == OutputFormat::npy) {
    save_npy(options.output, all);
  } else {
    save_safetensors(options.output, {{"embeddings", all}});
  }
  if (!options.model.json) {
    std::cout << options.output << ": embeddings " << to_string(all.shape()) << '\n';
  }
}

void print_text(const std::string& file, std::span<const float> row) {
  std::ostringstream line;
  line.precision(9);
  line << file;
  for (const float v : row) line << '\t' << v;
  std::cout << line.str() << '\n';
}

void embed_batch(const EmbedOptions& options, const Model& model, const PictureBatch& batch,
                 Embeddings& found, Context& ctx) {
  const Workspace::Scope scope(ctx.workspace());
  const int channels = model.backbone().pooled_features();
  MapF pooled;
  if (batch.images.n > 0) {
    pooled = ctx.workspace().map(batch.images.n, 1, 1, channels);
    model.backbone().embed(batch.images, pooled, ctx);
  }
  for (const Picture& picture : batch.pictures) {
    if (!picture.error.empty()) {
      report(picture.error);
      found.code = kBadFile;
      found.report.push_back({{"file", picture.file}, {"error", picture.error}});
      continue;
    }
    const std::span<const float> row(pooled.row(picture.row), static_cast<std::size_t>(channels));
    if (!options.output.empty()) {
      found.rows.insert(found.rows.end(), row.begin(), row.end());
      found.report.push_back({{"file", picture.file}, {"row", found.count}});
    } else if (options.model.json) {
      Json embedding = Json::array();
      for (const float v : row) embedding.push_back(shortest(v));
      found.report.push_back({{"file", picture.file}, {"embedding", std::move(embedding)}});
    } else {
      print_text(picture.file, row);
    }
    ++found.count;
  }
}

int embed(const EmbedOptions& options) {
  if (!options.output.empty()) output_format(options.output);
  const Model model = load_model(options.model);
  Context ctx(options.model.threads);
  PictureReader reader(model, options.pictures.files, options.pictures, ctx.threads());
  reserve_workspace(model, reader.batch(), ctx);
  Embeddings found;
  for (PictureBatch batch; reader.next(batch);) {
    embed_batch(options, model, batch, found, ctx);
  }
  if (!options.output.empty() && found.count > 0) {
    save(options, found, model.backbone().pooled_features());
  }
  if (options.model.json) print(found.report, -1);
  return found.code;
}

}  // namespace

Command add_embed(CLI::App& app) {
  CLI::App* sub = app.add_subcommand("embed", "Pooled features of pictures");
  const auto options = std::make_shared<EmbedOptions>();
  options->pictures.batch = 8;
  add_picture_options(*sub, options->pictures);
  add_model_and_options(*sub, options->model);
  sub->add_option("-o,--output", options->output,
                  "File for all rows, .npy or .safetensors (tensor \"embeddings\"); pictures that "
                  "cannot be read have no row")
      ->type_name("FILE");
  sub->footer(
      "Without --output, one line for each picture: its name and the numbers, between tabs.\n\n"
      "Examples:\n"
      "  fovea embed --model examples/models/swin -o rows.npy examples/images/*\n"
      "  fovea embed --model examples/models/swin --json cat.jpg");
  return {sub, [options] { return embed(*options); }};
}

}  // namespace fovea::tool
