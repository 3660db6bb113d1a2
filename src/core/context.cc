// SPDX-License-Identifier: Apache-2.0
#include "fovea/core/context.h"

#include <algorithm>

namespace fovea {

void Context::prepare_parts() {
  while (parts_.size() < static_cast<std::size_t>(threads())) {
    parts_.push_back(std::make_unique<Context>(1));
  }
  for (const auto& part : parts_) part->macs_ = 0;
}

// Which thread takes which part differs from forward to forward: all get what one has needed, so
// that the next forward allocates nothing.
void Context::finish_parts() {
  std::size_t most = 0;
  for (const auto& part : parts_) {
    macs_ += part->macs_;
    most = std::max(most, part->workspace_.capacity());
  }
  for (const auto& part : parts_) part->workspace_.reserve(most);
}

}  // namespace fovea
