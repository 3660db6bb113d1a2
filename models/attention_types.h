// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <charconv>
#include <string>

#include "models/family_tools.h"

// How the authors of Agent (arXiv:2312.08874) and SLAB (arXiv:2405.11582) say which blocks of Swin
// and CSWin have their attention and which keep softmax attention.
namespace fovea::models {

// Which blocks have linear attention. A letter for each stage, where M stands for a stage whose
// first blocks have it; how many, the digits after the letters say. What else follows the letters
// has no effect.
struct AttentionTypes {
  char linear = 'A', softmax = 'B';
  std::string letters;
  int mixed = 0;

  bool is_linear(int stage, int block) const {
    const char letter = letters[static_cast<std::size_t>(stage)];
    return letter == linear || (letter == 'M' && block < mixed);
  }
};

// "attn_type"; `types` is what it is by default.
inline AttentionTypes read_attention_types(const ModelArgs& args, char linear, char softmax,
                                           std::string types, int stages) {
  args.read("attn_type", types);
  const auto count = static_cast<std::size_t>(stages);
  const std::string letters = types.substr(0, count), digits = types.substr(letters.size());
  AttentionTypes t{linear, softmax, letters};
  bool right = letters.size() == count &&
               letters.find_first_not_of({linear, softmax, 'M'}) == std::string::npos;
  if (right && letters.find('M') != std::string::npos) {
    const char* const end = digits.data() + digits.size();
    const auto [stop, error] = std::from_chars(digits.data(), end, t.mixed);
    right = error == std::errc() && stop == end && t.mixed >= 0;
  }
  if (!right) {
    wrong_argument("attn_type",
                   std::to_string(stages) + " letters " + linear + ", " + softmax +
                       " or M, and a number where there is an M",
                   "\"" + types + "\"");
  }
  return t;
}

}  // namespace fovea::models
