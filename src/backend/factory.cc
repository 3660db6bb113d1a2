// SPDX-License-Identifier: Apache-2.0
#include "fovea/backend/backend.h"
#include "fovea/core/error.h"
#include "kernels/table.h"
#include "src/backend/backends.h"
#include "src/isa.h"

namespace fovea {
namespace {

std::string joined(const std::vector<std::string_view>& names) {
  std::string list;
  for (const std::string_view name : names) {
    if (!list.empty()) list += ", ";
    list += name;
  }
  return list;
}

kernels::Isa choose_isa(const BackendOptions& options) {
  if (options.isa.empty()) return default_isa();
  return isa_from_name(options.isa, "instruction set of the native backend");
}

}  // namespace

std::vector<std::string_view> backend_names() {
  std::vector<std::string_view> names{"native", "reference"};
#ifdef FOVEA_WITH_EIGEN
  names.push_back("eigen");
#endif
#ifdef FOVEA_WITH_ONEDNN
  names.push_back("onednn");
#endif
  return names;
}

std::vector<std::string_view> isa_names() {
  std::vector<std::string_view> names;
  for (const kernels::Isa isa : kernels::kAllIsas) {
    if (kernels::isa_supported(isa)) names.push_back(kernels::isa_name(isa));
  }
  return names;
}

std::shared_ptr<const Backend> make_backend(std::string_view name, const BackendOptions& options) {
  if (name == "native") return make_native_backend(choose_isa(options));
  if (!options.isa.empty()) {
    throw Error(Error::Kind::argument, "backend \"" + std::string(name) +
                                           "\": wanted no instruction set, which only \"native\" "
                                           "takes, found \"" +
                                           options.isa + "\".");
  }
  if (name == "reference") return make_reference_backend();
#ifdef FOVEA_WITH_EIGEN
  if (name == "eigen") return make_eigen_backend();
#endif
#ifdef FOVEA_WITH_ONEDNN
  if (name == "onednn") return make_onednn_backend();
#endif
  throw Error(Error::Kind::argument, "unknown backend \"" + std::string(name) +
                                         "\"; this build has " + joined(backend_names()) + ".");
}

}  // namespace fovea
