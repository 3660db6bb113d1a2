// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <stdexcept>
#include <string>

namespace fovea {

// The one exception type of the library. The message names the path, tensor or option concerned,
// what was wanted and what was found; it is a complete sentence for a person to read.
class Error : public std::runtime_error {
 public:
  enum class Kind {
    argument,  // the caller asked for something that cannot be: an unknown name, a wrong shape
    file,      // a file is missing, malformed, or not what its use asks for
    failed,  // the machine or an underlying library refused: out of memory, no such instruction set
  };

  Error(Kind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}

  Kind kind() const noexcept { return kind_; }

 private:
  Kind kind_;
};

}  // namespace fovea
