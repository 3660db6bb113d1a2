// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <chrono>
#include <string_view>

namespace fovea::tool {

// A line on standard error that is written over, when somebody looks at it.
class Progress {
 public:
  Progress();
  ~Progress() { clear(); }
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // Whether show() would show something: somebody looks, and the last line had its time.
  bool due() const;
  void show(std::string_view line);
  void clear();

 private:
  bool shown_;
  bool dirty_ = false;
  std::chrono::steady_clock::time_point last_;
};

}  // namespace fovea::tool
