// SPDX-License-Identifier: Apache-2.0
#include "src/io/torch_content.h"

#include "fovea/core/error.h"
#include "src/io/json.h"

namespace fovea {

std::map<std::string_view, PickleStorage, std::less<>> described_storages(
    const PickleDocument& document, const std::string& file) {
  std::map<std::string_view, PickleStorage, std::less<>> described;
  for (const PickleStorage& storage : document.storages()) {
    const auto [known, fresh] = described.try_emplace(document.text(storage.key), storage);
    const bool same =
        known->second.element == storage.element && known->second.count == storage.count;
    if (!fresh && !same) {
      throw Error(Error::Kind::file,
                  file + ": the storage " + in_quotes(known->first) + " is described in two ways");
    }
  }
  return described;
}

}  // namespace fovea
