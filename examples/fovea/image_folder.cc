// SPDX-License-Identifier: Apache-2.0
#include "image_folder.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <optional>
#include <string_view>

#include "fovea/core/error.h"
#include "fovea/io/labels.h"

namespace fovea::tool {
namespace {

namespace fs = std::filesystem;

bool is_picture(const fs::path& path) {
  constexpr std::array<std::string_view, 9> kExtensions = {".jpg", ".jpeg", ".png",  ".ppm", ".bmp",
                                                           ".pgm", ".tif",  ".tiff", ".webp"};
  std::string extension = path.extension().string();
  std::transform(extension.begin(), extension.end(), extension.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return std::find(kExtensions.begin(), kExtensions.end(), extension) != kExtensions.end();
}

std::vector<std::string> sorted_folders(const fs::path& root) {
  std::vector<std::string> names;
  for (const fs::directory_entry& entry : fs::directory_iterator(root)) {
    if (entry.is_directory()) names.push_back(entry.path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

// The class of each folder when every one of them is in `names`, and there only once.
template <class Names>
std::optional<std::vector<int>> by_name(const std::vector<std::string>& folders,
                                        const Names& names) {
  std::map<std::string_view, std::vector<int>> index;
  int next = 0;
  for (const std::string_view name : names) index[name].push_back(next++);
  std::vector<int> classes;
  for (const std::string& folder : folders) {
    const auto found = index.find(folder);
    if (found == index.end() || found->second.size() != 1) return std::nullopt;
    classes.push_back(found->second.front());
  }
  return classes;
}

std::vector<int> classes_of(const std::vector<std::string>& folders, const Model& model,
                            ClassesBy& by) {
  const int num_classes = model.backbone().num_classes();
  if (const auto classes = by_name(folders, model.labels())) {
    by = ClassesBy::label;
    return *classes;
  }
  if (num_classes == 1000) {
    if (const auto classes = by_name(folders, imagenet_1k_synsets())) {
      by = ClassesBy::synset;
      return *classes;
    }
  }
  by = ClassesBy::order;
  if (folders.size() > static_cast<std::size_t>(num_classes)) {
    throw Error(Error::Kind::argument,
                "--data has " + std::to_string(folders.size()) +
                    " class folders whose names are not labels of the model, which has " +
                    std::to_string(num_classes) + " classes");
  }
  std::vector<int> classes(folders.size());
  for (std::size_t i = 0; i < classes.size(); ++i) classes[i] = static_cast<int>(i);
  return classes;
}

}  // namespace

std::string to_string(ClassesBy by) {
  switch (by) {
    case ClassesBy::label:
      return "label";
    case ClassesBy::synset:
      return "synset";
    case ClassesBy::order:
      break;
  }
  return "order";
}

ImageFolder list_image_folder(const fs::path& root, const Model& model) {
  if (!fs::is_directory(root)) {
    throw Error(Error::Kind::file, "--data " + root.string() + " is not a folder");
  }
  ImageFolder folder;
  folder.class_names = sorted_folders(root);
  if (folder.class_names.empty()) {
    throw Error(Error::Kind::file, "--data " + root.string() +
                                       " wants one folder of pictures for each class, found none");
  }
  const std::vector<int> classes = classes_of(folder.class_names, model, folder.by);
  for (std::size_t i = 0; i < classes.size(); ++i) {
    std::vector<std::string> files;
    for (const fs::directory_entry& entry :
         fs::recursive_directory_iterator(root / folder.class_names[i])) {
      if (entry.is_regular_file() && is_picture(entry.path()))
        files.push_back(entry.path().string());
    }
    std::sort(files.begin(), files.end());
    folder.classes.insert(folder.classes.end(), files.size(), classes[i]);
    folder.files.insert(folder.files.end(), files.begin(), files.end());
  }
  if (folder.files.empty()) {
    throw Error(Error::Kind::file, "--data " + root.string() + " holds no pictures");
  }
  return folder;
}

}  // namespace fovea::tool
