// SPDX-License-Identifier: Apache-2.0
#include "src/io/pickle_opcodes.h"

#include <array>
#include <string_view>
#include <utility>

namespace fovea {
namespace {

// Those that are refused; the others do not need a name.
constexpr std::array<std::pair<unsigned char, std::string_view>, 34> kRefused = {{
    {0x30, "POP"},
    {0x31, "POP_MARK"},
    {0x32, "DUP"},
    {0x42, "BINBYTES"},
    {0x43, "SHORT_BINBYTES"},
    {0x46, "FLOAT"},
    {0x49, "INT"},
    {0x4C, "LONG"},
    {0x50, "PERSID"},
    {0x53, "STRING"},
    {0x54, "BINSTRING"},
    {0x56, "UNICODE"},
    {0x64, "DICT"},
    {0x67, "GET"},
    {0x69, "INST"},
    {0x6C, "LIST"},
    {0x6F, "OBJ"},
    {0x70, "PUT"},
    {0x82, "EXT1"},
    {0x83, "EXT2"},
    {0x84, "EXT4"},
    {0x8B, "LONG4"},
    {0x8C, "SHORT_BINUNICODE"},
    {0x8D, "BINUNICODE8"},
    {0x8E, "BINBYTES8"},
    {0x90, "ADDITEMS"},
    {0x91, "FROZENSET"},
    {0x92, "NEWOBJ_EX"},
    {0x93, "STACK_GLOBAL"},
    {0x94, "MEMOIZE"},
    {0x95, "FRAME"},
    {0x96, "BYTEARRAY8"},
    {0x97, "NEXT_BUFFER"},
    {0x98, "READONLY_BUFFER"},
}};

}  // namespace

bool is_container_opcode(Opcode opcode) {
  switch (opcode) {
    case Opcode::tuple:
    case Opcode::tuple1:
    case Opcode::tuple2:
    case Opcode::tuple3:
    case Opcode::empty_list:
    case Opcode::append:
    case Opcode::appends:
    case Opcode::empty_dict:
    case Opcode::setitem:
    case Opcode::setitems:
    case Opcode::empty_set:
      return true;
    default:
      return false;
  }
}

std::string opcode_name(unsigned char opcode) {
  constexpr std::string_view kHex = "0123456789abcdef";
  const std::string number = {'0', 'x', kHex[opcode >> 4], kHex[opcode & 15]};
  for (const auto& [code, name] : kRefused) {
    if (code == opcode) return std::string(name) + " (" + number + ")";
  }
  return number;
}

}  // namespace fovea
