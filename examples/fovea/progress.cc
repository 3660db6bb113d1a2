// SPDX-License-Identifier: Apache-2.0
#include "progress.h"

#include <unistd.h>

#include <iostream>

namespace fovea::tool {

using Clock = std::chrono::steady_clock;

Progress::Progress() : shown_(isatty(STDERR_FILENO) != 0) {}

bool Progress::due() const {
  return shown_ && Clock::now() - last_ >= std::chrono::milliseconds(100);
}

void Progress::show(std::string_view line) {
  if (!due()) return;
  last_ = Clock::now();
  std::cerr << "\r\033[K" << line << std::flush;
  dirty_ = true;
}

void Progress::clear() {
  if (dirty_) std::cerr << "\r\033[K" << std::flush;
  dirty_ = false;
}

}  // namespace fovea::tool
