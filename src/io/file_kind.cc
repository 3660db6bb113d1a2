// SPDX-License-Identifier: Apache-2.0
#include "src/io/file_kind.h"

#include <algorithm>
#include <array>
#include <cctype>

namespace fovea {
namespace {

using namespace std::string_view_literals;

struct Magic {
  std::size_t at;
  std::string_view bytes;
  std::string_view what;
};

constexpr std::string_view kSave = "; save the state_dict as safetensors instead"sv;

constexpr std::array kMagics = {
    Magic{0, "version https://git-lfs"sv,
          "a Git LFS pointer and not the checkpoint itself; run git lfs pull"sv},
    Magic{257, "ustar"sv,
          "a tar archive, as torch.save wrote before 0.1.10 (or an archive around "
          "the checkpoint: unpack it); load it with an old PyTorch and save the "
          "state_dict as safetensors"sv},
    Magic{0, "\x1F\x8B"sv, "compressed with gzip; unpack it first"sv},
    Magic{0, "BZh"sv, "compressed with bzip2; unpack it first"sv},
    Magic{0,
          "\xFD"
          "7zXZ\0"sv,
          "compressed with xz; unpack it first"sv},
    Magic{0, "\x28\xB5\x2F\xFD"sv, "compressed with zstd; unpack it first"sv},
    Magic{0, "7z\xBC\xAF\x27\x1C"sv, "a 7-Zip archive; unpack it first"sv},
    Magic{0, "Rar!"sv, "a RAR archive; unpack it first"sv},
    Magic{0, "\x89HDF\r\n\x1A\n"sv, "an HDF5 file (Keras); PyTorch checkpoints are wanted"sv},
    Magic{0, "GGUF"sv, "a GGUF file; PyTorch checkpoints are wanted"sv},
    Magic{4, "TFL3"sv, "a TensorFlow Lite model; PyTorch checkpoints are wanted"sv},
    Magic{0, "\x93NUMPY"sv, "a NumPy array; PyTorch checkpoints are wanted"sv},
    Magic{0, "\x89PNG"sv, "a picture"sv},
    Magic{0, "\xFF\xD8\xFF"sv, "a picture"sv},
};

bool at(std::string_view content, std::size_t offset, std::string_view bytes) {
  return content.size() >= offset && content.substr(offset).starts_with(bytes);
}

// An ONNX model is a protocol buffer: the version of the format, then the producer's name.
bool looks_like_onnx(std::string_view content) {
  return content.size() >= 5 && content[0] == '\x08' && content[1] >= 1 && content[1] <= 32 &&
         content[2] == '\x12' && std::isalpha(static_cast<unsigned char>(content[4])) != 0;
}

// HTML and XML, as servers send in place of a file.
bool looks_like_markup(std::string_view content) {
  const std::size_t first = content.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return false;
  std::string begin(content.substr(first, 9));
  std::transform(begin.begin(), begin.end(), begin.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return begin.starts_with("<!doctype") || begin.starts_with("<html") || begin.starts_with("<?xml");
}

// The length of a header, then the header.
bool looks_like_safetensors(std::string_view content) {
  return content.size() > 8 && content.substr(4, 4) == "\0\0\0\0"sv && content[8] == '{';
}

bool looks_like_pickle(std::string_view content) {
  return content.size() >= 2 && content[0] == '\x80' && content[1] >= 1 && content[1] <= 5;
}

}  // namespace

FileKind kind_of_checkpoint(std::string_view content) {
  // First: a header's length can begin like a pickle.
  if (looks_like_safetensors(content)) return FileKind::safetensors;
  if (content.starts_with("PK\3\4"sv) || content.starts_with("PK\5\6"sv)) return FileKind::zip;
  // A pickle of the number that torch.save began its files with.
  if (looks_like_pickle(content) && at(content, 2, "\x8A\x0A\x6C\xFC\x9C\x46\xF9"sv)) {
    return FileKind::torch_legacy;
  }
  return describe_foreign_file(content).empty() ? FileKind::safetensors : FileKind::other;
}

std::string describe_foreign_file(std::string_view content) {
  if (looks_like_safetensors(content)) return "";
  for (const Magic& magic : kMagics) {
    if (at(content, magic.at, magic.bytes)) return std::string(magic.what);
  }
  if (looks_like_markup(content)) {
    return "a web page and not the checkpoint itself; download it again";
  }
  if (looks_like_onnx(content)) return "an ONNX model; PyTorch checkpoints are wanted";
  if (looks_like_pickle(content)) {
    return "a Python pickle that torch.save did not write" + std::string(kSave);
  }
  return "";
}

}  // namespace fovea
