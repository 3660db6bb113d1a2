// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "fovea/model.h"

namespace fovea::tool {

// How the names of folders became classes.
enum class ClassesBy { label, synset, order };
std::string to_string(ClassesBy by);

// Pictures in one folder for each class: torchvision's ImageFolder.
struct ImageFolder {
  std::vector<std::string> files;
  std::vector<int> classes;  // of each file
  std::vector<std::string> class_names;
  ClassesBy by = ClassesBy::order;
};

// Lists root/<class>/**/<picture>, by the extensions that torchvision takes, sorted. A folder's
// name is a label of the model; or all are ImageNet synset ids; or else, as in torchvision, the
// folders stand for the classes in sorted order. Throws Error(file) for a folder that is missing or
// empty, Error(argument) for more folders than classes.
ImageFolder list_image_folder(const std::filesystem::path& root, const Model& model);

}  // namespace fovea::tool
