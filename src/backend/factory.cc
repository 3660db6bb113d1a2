// SPDX-License-Identifier: Apache-2.0
#include <cstdlib>

#include "fovea/backend/backend.h"
#include "fovea/core/error.h"
#include "kernels/table.h"
#include "src/backend/backends.h"

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

// `source` says who asked for it: an option or the environment.
kernels::Isa parse_isa(const std::string& name, std::string_view source) {
  std::vector<std::string_view> known;
  for (const kernels::Isa isa : kernels::kAllIsas) {
    const char* const isa_name = kernels::isa_name(isa);
    known.push_back(isa_name);
    if (name != isa_name) continue;
    if (kernels::isa_supported(isa)) return isa;
    throw Error(Error::Kind::failed, std::string(source) +
                                         ": this build and processor cannot run \"" + name +
                                         "\"; they can run " + joined(isa_names()) + ".");
  }
  throw Error(Error::Kind::argument, std::string(source) + ": unknown instruction set \"" + name +
                                         "\"; known are " + joined(known) + ".");
}

kernels::Isa choose_isa(const BackendOptions& options) {
  if (!options.isa.empty()) return parse_isa(options.isa, "instruction set of the native backend");
  const char* const forced = std::getenv("FOVEA_ISA");
  if (forced != nullptr && *forced != '\0') return parse_isa(forced, "FOVEA_ISA");
  return kernels::best_isa();
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
