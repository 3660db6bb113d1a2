// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "fuzz/targets.h"
#include "src/io/zip_archive.h"
#include "tests/io/malformed_pth.h"
#include "tests/io/malformed_safetensors.h"
#include "tests/io/pickle_writer.h"

namespace fovea::fuzz {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kLargestSeed = 16'384;  // bombs belong into tests

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

class Seeds {
 public:
  void add(std::string name, std::string content) {
    if (content.size() <= kLargestSeed) seeds_.push_back({std::move(name), std::move(content)});
  }
  void add(const std::vector<MalformedPth>& table) {
    for (const auto& row : table) add(row.what, row.file);
  }
  void add(const std::vector<test::Malformed>& table) {
    for (const auto& row : table) add(row.name, row.content);
  }
  // The files below a folder of the source tree that have this extension.
  void add_files(const fs::path& folder, std::string_view extension) {
    std::vector<fs::path> files;
    for (const auto& entry : fs::recursive_directory_iterator(FOVEA_SOURCE_DIR / folder)) {
      if (entry.path().extension() == extension) files.push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
    for (const fs::path& file : files) add(file.filename().string(), read_file(file));
  }

  const std::vector<Seed>& all() const { return seeds_; }
  std::vector<Seed> take() { return std::move(seeds_); }

 private:
  std::vector<Seed> seeds_;
};

void add_safetensors(Seeds& seeds) {
  seeds.add(test::malformed_safetensors());
  seeds.add("sound", test::safetensors_file(
                         "{\"__metadata__\":{\"format\":\"pt\"},"
                         "\"a\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]},"
                         "\"b\":{\"dtype\":\"BF16\",\"shape\":[],\"data_offsets\":[8,10]},"
                         "\"c\":{\"dtype\":\"F64\",\"shape\":[0,7],\"data_offsets\":[10,10]}}  ",
                         "0123456789"));
  for (const char* type : {"F64", "F16", "I64", "I32", "I16", "I8", "U8", "BOOL"}) {
    seeds.add(type,
              test::safetensors_file(test::tensor_a("\"dtype\":\"" + std::string(type) +
                                                    "\",\"shape\":[8],\"data_offsets\":[0,8]"),
                                     "01234567"));
  }
}

void add_model_args(Seeds& seeds) {
  seeds.add("numbers", R"({"depths": [2, 2, 6, 2], "embed_dim": 96, "drop_rate": 0.1})");
  seeds.add("others", R"({"norm": "layernorm2d", "qkv_bias": true, "ls": null, "a": [[1], []]})");
  seeds.add("object inside", R"({"a": {"b": 1}})");
  seeds.add("key twice", R"({"a": 1, "\u0061": 2})");
  seeds.add("out of range", R"({"a": 1e999, "b": 18446744073709551615, "c": -1})");
  seeds.add("nested", test::repeated("[", 70) + test::repeated("]", 70));
  seeds.add("surrogates", R"({"\ud83d\ude00": "\ud800"})");
}

void add_torch_legacy(Seeds& seeds) {
  seeds.add_files("tests/data/checkpoints", ".pth");
  seeds.add("sound", pickle::legacy(pickle::good_pickle(), pickle::unicode("0"),
                                    u64(2) + std::string(8, '\x3F')));
  seeds.add("no storages", pickle::legacy(pickle::whole(pickle::kEmptyDict), "", ""));
}

void add_torch_zip(Seeds& seeds) {
  seeds.add_files("tests/data/checkpoints", ".pth");
  seeds.add(malformed_archives());
  ZipWriter zip = pickle::good_archive();
  seeds.add("sound", zip.write());
  zip.zip64 = true;
  seeds.add("zip64", zip.write());
  zip.comment = "PK\5\6";
  zip.comment_size = zip.comment.size();
  seeds.add("comment", zip.write());
}

// Pickles of the files that PyTorch wrote, and small ones.
void add_torch_pickle(Seeds& seeds) {
  using namespace pickle;
  Seeds archives;
  archives.add_files("tests/data/checkpoints", ".pth");
  archives.add(malformed_pickles());
  archives.add(malformed_tensors());
  for (const Seed& archive : archives.all()) {
    if (!archive.content.starts_with("PK")) continue;
    const ZipArchive zip({archive.name, nullptr, std::as_bytes(std::span(archive.content))});
    for (const auto& [name, content] : zip.members()) {
      if (name.ends_with("data.pkl")) seeds.add(archive.name, std::string(content));
    }
  }
  const std::string matrix =
      tensor(storage(16), 0, tuple(integer(4) + integer(4)), tuple(integer(1) + integer(4)));
  const std::string expanded = tensor(storage(16), 3, tuple(integer(8)), tuple(integer(0)));
  seeds.add("sound", good_pickle());
  seeds.add("transposed", whole(dict(unicode("a") + matrix)));
  seeds.add("expanded", whole(dict(unicode("a") + expanded)));
  seeds.add("memo", whole(dict(unicode("a") + vector(2) + put(300) + unicode("b") + get(300))));
  seeds.add("wrapped", whole(dict(unicode("state_dict") + dict(unicode("module.a") + vector(2)) +
                                  unicode("epoch") + integer(3))));
  seeds.add("namespace", whole(dict(unicode("args") + global("argparse", "Namespace") +
                                    kEmptyTuple + kNewObj + dict(unicode("lr") + kNone) + kBuild)));
  seeds.add("refused", whole(call(global("os", "system"), unicode("true"))));
  seeds.add("list of itself", whole(kEmptyList + put(0) + get(0) + kAppend));
  for (const char* type :
       {"DoubleStorage", "HalfStorage", "BFloat16Storage", "LongStorage", "IntStorage",
        "ShortStorage", "CharStorage", "ByteStorage", "BoolStorage", "ComplexFloatStorage"}) {
    seeds.add(type, whole(dict(unicode("a") + tensor(storage(8, "1", type), 0, tuple(integer(8)),
                                                     tuple(integer(1))))));
  }
}

void add_index(Seeds& seeds) {
  seeds.add("sound", R"({"metadata": {"total_size": 1},
      "weight_map": {"a": "one.safetensors", "b": "two.safetensors"}})");
  for (const char* map :
       {R"([])", R"({"a": 1})", R"({"a": "/etc/passwd", "b": "two.safetensors"})",
        R"({"a": "../one.safetensors"})", R"({"a": "."})", R"({"a": ""})",
        R"({"a": "x\\one.safetensors"})", R"({"a": "three.safetensors"})",
        R"({"a": "one.safetensors", "c": "one.safetensors"})", R"({"a": "one.safetensors"})",
        R"({"b": "one.safetensors", "a": "two.safetensors"})",
        R"({"a": "model.safetensors.index.json"})"}) {
    seeds.add(map, "{\"weight_map\": " + std::string(map) + "}");
  }
}

// Folders of timm, new and old, and of transformers.
void add_config(Seeds& seeds) {
  seeds.add_files("examples/models", ".json");
  seeds.add("timm", R"({"architecture": "swin_tiny_patch4_window7_224", "num_classes": 2,
      "global_pool": "avg", "model_args": {"depths": [1, 1, 1, 1], "img_size": [64, 32]},
      "pretrained_cfg": {"input_size": [3, 64, 32], "fixed_input_size": true, "crop_pct": 0.9,
      "crop_mode": "border", "interpolation": "lanczos", "mean": [0.1, 0.2, 0.3],
      "std": [1, 1, 1], "label_names": ["a", "b"], "label_descriptions": {"a": "b"}}})");
  seeds.add("old timm", R"({"architecture": "vit_base_patch16_224", "num_classes": 1,
      "input_size": [3, 224, 224], "labels": ["a"], "first_conv": "patch_embed.proj"})");
  const std::string next(1, kNextFile);
  const std::string processor = next + R"({"image_processor_type": "ViTImageProcessor",
      "do_resize": true, "size": {"height": 224, "width": 224}, "resample": 2,
      "do_rescale": true, "rescale_factor": 0.00392156862745098, "do_normalize": true,
      "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]})";
  const std::string crops = next + R"({"feature_extractor_type": "ConvNextFeatureExtractor",
      "size": {"shortest_edge": 224}, "crop_pct": 0.875, "do_center_crop": true,
      "crop_size": {"height": 224, "width": 224}, "resample": 3})";
  for (const char* type : {"swin", "swinv2", "vit", "deit", "dinov2", "dinov2_with_registers"}) {
    seeds.add(type, R"({"model_type": ")" + std::string(type) + R"(", "architectures": [")" + type +
                        R"(ForImageClassification"], "id2label": {"0": "LABEL_0", "1": "b"},
        "image_size": 224, "patch_size": 16, "hidden_size": 64, "num_hidden_layers": 2,
        "num_attention_heads": 2, "hidden_act": "gelu", "layer_norm_eps": 1e-12})" +
                        processor);
  }
  for (const char* type : {"convnext", "convnextv2", "poolformer"}) {
    seeds.add(type, R"({"model_type": ")" + std::string(type) + R"(", "num_labels": 3,
        "depths": [1, 1, 1, 1], "hidden_sizes": [8, 16, 32, 64], "hidden_act": "gelu",
        "num_channels": 3, "image_size": 224})" +
                        crops);
  }
}

void add_exif(Seeds& seeds) {
  using namespace std::string_literals;
  const std::string entry = "\x12\x01\x03\0\x01\0\0\0\x06\0\0\0"s;
  seeds.add("little endian", "II*\0\x08\0\0\0\x01\0"s + entry + "\0\0\0\0"s);
  seeds.add("big endian", "MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"s);
  seeds.add("directory behind the end", "II*\0\xFF\xFF\xFF\xFF\x01\0"s + entry);
  seeds.add("directory is the header", "II*\0\0\0\0\0\x01\0"s + entry);
  seeds.add("more entries than bytes", "II*\0\x08\0\0\0\xFF\xFF"s + entry);
  seeds.add("truncated", "MM\0*\0"s);
}

}  // namespace

std::span<const NamedTarget> targets() {
  static constexpr NamedTarget kTargets[] = {
#define FOVEA_FUZZ_TARGET(name) {#name, name},
#include "fuzz/targets.inc"
#undef FOVEA_FUZZ_TARGET
  };
  return kTargets;
}

std::vector<Seed> seeds_of(std::string_view target) {
  Seeds seeds;
  if (target == "safetensors") add_safetensors(seeds);
  if (target == "torch_zip") add_torch_zip(seeds);
  if (target == "torch_pickle") add_torch_pickle(seeds);
  if (target == "torch_legacy") add_torch_legacy(seeds);
  if (target == "index") add_index(seeds);
  if (target == "config") add_config(seeds);
  if (target == "model_args") add_model_args(seeds);
  if (target.starts_with("jpeg")) seeds.add_files("tests/data", ".jpg");
  if (target.starts_with("png")) seeds.add_files("tests/data", ".png");
  if (target == "webp") seeds.add_files("tests/data", ".webp");
  if (target == "bmp") seeds.add_files("tests/data", ".bmp");
  if (target == "pnm") {
    for (const char* kind : {".pbm", ".pgm", ".ppm"}) seeds.add_files("tests/data", kind);
  }
  if (target == "exif") add_exif(seeds);
  return seeds.take();
}

}  // namespace fovea::fuzz
