// SPDX-License-Identifier: Apache-2.0
#include "src/isa.h"

#include <cstdlib>

#include "fovea/core/error.h"

namespace fovea {
namespace {

std::string joined(bool (*wanted)(kernels::Isa)) {
  std::string list;
  for (const kernels::Isa isa : kernels::kAllIsas) {
    if (wanted(isa)) list += (list.empty() ? "" : ", ") + std::string(kernels::isa_name(isa));
  }
  return list;
}

}  // namespace

kernels::Isa isa_from_name(std::string_view name, std::string_view source) {
  for (const kernels::Isa isa : kernels::kAllIsas) {
    if (name != kernels::isa_name(isa)) continue;
    if (kernels::isa_supported(isa)) return isa;
    throw Error(Error::Kind::failed,
                std::string(source) + ": this build and processor cannot run \"" +
                    std::string(name) + "\"; they can run " +
                    joined([](kernels::Isa i) { return kernels::isa_supported(i); }) + ".");
  }
  throw Error(Error::Kind::argument, std::string(source) + ": unknown instruction set \"" +
                                         std::string(name) + "\"; known are " +
                                         joined([](kernels::Isa) { return true; }) + ".");
}

kernels::Isa default_isa() {
  const char* const forced = std::getenv("FOVEA_ISA");
  if (forced != nullptr && *forced != '\0') return isa_from_name(forced, "FOVEA_ISA");
  return kernels::best_isa();
}

}  // namespace fovea
