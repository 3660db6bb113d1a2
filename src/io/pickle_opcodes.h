// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <string>

namespace fovea {

// The opcodes that are read: those of torch.load(weights_only=True).
enum class Opcode : std::uint8_t {
  proto = 0x80,
  stop = '.',
  mark = '(',
  none = 'N',
  newtrue = 0x88,
  newfalse = 0x89,
  binint = 'J',
  binint1 = 'K',
  binint2 = 'M',
  binfloat = 'G',
  long1 = 0x8A,
  binunicode = 'X',
  short_binstring = 'U',
  binget = 'h',
  long_binget = 'j',
  binput = 'q',
  long_binput = 'r',
  global = 'c',
  reduce_ = 'R',
  newobj = 0x81,
  build_ = 'b',
  binpersid = 'Q',

  empty_tuple = ')',
  tuple = 't',
  tuple1 = 0x85,
  tuple2 = 0x86,
  tuple3 = 0x87,
  empty_list = ']',
  append = 'a',
  appends = 'e',
  empty_dict = '}',
  setitem = 's',
  setitems = 'u',
  empty_set = 0x8F,
};

bool is_container_opcode(Opcode opcode);

// What pickletools calls the opcode, and its number: "INST (0x69)".
std::string opcode_name(unsigned char opcode);

}  // namespace fovea
