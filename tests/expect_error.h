// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "fovea/core/error.h"

namespace fovea {

// Runs `body` and expects an Error of that kind whose message contains `part`.
template <class Body>
void expect_error(const Body& body, Error::Kind kind, const std::string& part) {
  try {
    body();
  } catch (const Error& e) {
    EXPECT_EQ(static_cast<int>(e.kind()), static_cast<int>(kind)) << e.what();
    EXPECT_NE(std::string(e.what()).find(part), std::string::npos)
        << "wanted: " << part << "\nfound:  " << e.what();
    return;
  }
  ADD_FAILURE() << "no error; wanted: " << part;
}

}  // namespace fovea
