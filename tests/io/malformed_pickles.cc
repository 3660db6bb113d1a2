// SPDX-License-Identifier: Apache-2.0
// Items 7-11: what stands in a pickle.
#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "tests/io/malformed_pth.h"

namespace fovea {
namespace {

using namespace pickle;
using namespace std::string_literals;
using Rows = std::vector<MalformedPth>;

Rows opcodes() {
  const auto refused = [](const std::string& code) { return with_value(code); };
  Rows rows = {
      {7, "INST", refused("(ios\nsystem\n"), "the opcode INST (0x69)"},
      {7, "OBJ", refused("(cos\nsystem\no"), "os.system"},
      {7, "OBJ alone", refused("(o"), "the opcode OBJ (0x6f)"},
      {7, "EXT1", refused("\x82\x01"), "the opcode EXT1 (0x82)"},
      {7, "EXT2", refused("\x83\x01\x01"), "the opcode EXT2"},
      {7, "EXT4", refused("\x84\x01\x01\x01\x01"), "the opcode EXT4"},
      {7, "NEWOBJ_EX", refused("\x92"), "the opcode NEWOBJ_EX"},
      {7, "STACK_GLOBAL", refused("\x93"), "the opcode STACK_GLOBAL"},
      {7, "FRAME over the end", refused("\x95" + u64(~std::uint64_t{0})), "the opcode FRAME"},
      {7, "BINBYTES8 huge", refused("\x8E" + u64(kHuge)), "the opcode BINBYTES8"},
      {7, "BINUNICODE8 huge", refused("\x8D" + u64(kHuge)), "the opcode BINUNICODE8"},
      {7, "BYTEARRAY8", refused("\x96" + u64(kHuge)), "the opcode BYTEARRAY8"},
      {7, "PERSID", refused("P0\n"), "the opcode PERSID"},
      {7, "unknown opcode", refused("\xFF"), "the opcode 0xff"},
      {7, "unknown protocol", with_pickle("\x80\x06N."), "a pickle protocol above 5"},
      {7, "no protocol", with_pickle("N."), "a pickle of protocol 2 or above is wanted"},
      {7, "REDUCE of a string", refused(unicode("os.system") + kEmptyTuple + kReduce),
       "only names can be called, found os.system"},
      {7, "REDUCE of a storage class", refused(call(global("torch", "FloatStorage"), "")),
       "torch.FloatStorage is nothing that can be called"},
      {7, "REDUCE of a dtype", refused(call(global("torch", "float32"), "")),
       "torch.float32 is nothing that can be called"},
      {7, "REDUCE without a tuple", refused(global("torch", "Size") + kEmptyList + kReduce),
       "wanted a tuple of arguments, found []"},
      {7, "NEWOBJ of a function",
       refused(global("torch._utils", "_rebuild_tensor_v2") + kEmptyTuple + kNewObj),
       "is no class to make objects of"},
      {7, "BUILD of a list", refused(kEmptyList + kEmptyDict + kBuild),
       "attributes of [] cannot be set"},
      {7, "BUILD of a tensor", refused(vector(2) + kEmptyDict + kBuild),
       "attributes of a tensor cannot be set"},
  };
  const std::vector<std::pair<const char*, const char*>> globals = {
      {"os", "system"},
      {"posix", "system"},
      {"nt", "system"},
      {"subprocess", "Popen"},
      {"subprocess", "check_output"},
      {"builtins", "eval"},
      {"builtins", "exec"},
      {"builtins", "getattr"},
      {"builtins", "__import__"},
      {"__builtin__", "eval"},
      {"sys", "modules"},
      {"runpy", "_run_code"},
      {"pickle", "loads"},
      {"socket", "socket"},
      {"operator", "attrgetter"},
      {"functools", "partial"},
      {"webbrowser", "open"},
      {"importlib", "import_module"},
      {"torch", "load"},
      {"torch.hub", "load"},
      {"torch._dynamo.guards", "GuardBuilder.get"},
      {"torch.serialization", "load"},
      {"torch.nn.modules.linear", "Linear"},
      {"collections", "OrderedDict.__class__"},
      {"argparse", "Namespace.__init__"},
      {"torch", "Size.__reduce__"},
      {"collections.OrderedDict", ""},
      {"", "collections.OrderedDict"},
      {"numpy.core.multiarray", "_reconstruct"},
      {"torch._utils", "_rebuild_tensor_v2\r"}};
  for (const auto& [module, name] : globals) {
    rows.push_back({8, name, with_value(call(global(module, name), unicode("echo"))),
                    "which is not among the names that a checkpoint of tensors needs; nothing of "
                    "it was called"});
  }
  rows.push_back({8, "named in the message", with_value(global("os", "system")),
                  "data.pkl: at byte 147: it refers to \"os.system\""});
  rows.push_back(
      {8, "advice", with_value(global("os", "system")), "save its state_dict as safetensors"});
  rows.push_back({8, "long name", with_value(global(std::string(300, 'm'), "x")),
                  "a name of more than 256 bytes"});
  rows.push_back({8, "cut name", with_pickle(kProto + "cos"), "truncated within a name"});
  return rows;
}

Rows stacks() {
  const std::string big = dict(repeated(kNone + kNone, 100));
  return {
      {9, "STOP on nothing", with_pickle(kProto + kStop), "found 0"},
      {9, "two values", with_pickle(kProto + "NN."),
       "wanted one value on the stack at STOP, found 2"},
      {9, "mark left", with_pickle(kProto + "N(."), "a mark is left on the stack at STOP"},
      {9, "no STOP", with_pickle(kProto + "N"), "the pickle has no STOP"},
      {9, "data after STOP", with_pickle(good_pickle() + "N"), "1 bytes follow the pickle's STOP"},
      {9, "TUPLE1 on nothing", with_pickle(kProto + "\x85."), "too few values"},
      {9, "TUPLE3 on two", with_pickle(kProto + "NN\x87."), "too few values"},
      {9, "TUPLE2 past the mark", with_pickle(kProto + "N(N\x86."), "too few values"},
      {9, "TUPLE without mark", with_pickle(kProto + "Nt."), "there is no mark on the stack"},
      {9, "APPENDS without mark", with_pickle(kProto + "]Ne."), "there is no mark on the stack"},
      {9, "SETITEMS without mark", with_pickle(kProto + "}NNu."), "there is no mark on the stack"},
      {9, "APPEND on nothing", with_pickle(kProto + "a."), "the stack is empty"},
      {9, "APPEND on one", with_pickle(kProto + "Na."), "there is nothing to append to"},
      {9, "APPEND past the mark", with_pickle(kProto + "](Na."), "there is nothing to append to"},
      {9, "APPENDS on nothing", with_pickle(kProto + "(Ne."), "there is nothing to append to"},
      {9, "SETITEM on one", with_pickle(kProto + "Ns."), "too few values"},
      {9, "SETITEM past the mark", with_pickle(kProto + "}(NNs."), "no dict to set items of"},
      {9, "REDUCE on nothing", with_pickle(kProto + "R."), "the stack is empty"},
      {9, "REDUCE past the mark", with_pickle(kProto + "N()R."), "empty down to its mark"},
      {9, "BUILD on one", with_pickle(kProto + "}b."), "the stack is empty"},
      {9, "BINPERSID on nothing", with_pickle(kProto + "Q."), "the stack is empty"},
      {9, "BINPUT on nothing", with_pickle(kProto + "q\1."), "the stack is empty"},
      {9, "POP", with_value("N0"), "the opcode POP (0x30)"},
      {9, "POP_MARK", with_value("(1"), "the opcode POP_MARK"},
      {9, "BINGET of nothing", with_value("h\x07"), "there is no value 7 in the memo"},
      {9, "LONG_BINGET of nothing", with_value(get(0xFFFFFFFF)), "there is no value 4294967295"},
      {9, "BINGET of a gap", with_value("Nq\5" + ("h\4"s)), "there is no value 4 in the memo"},
      {9, "LONG_BINPUT far away", with_value("N" + put(0xFFFFFFF0)), "leaves out values"},
      {9, "copied again and again",
       with_value(big + put(0) + kMark +
                  repeated(call(global("collections", "OrderedDict"), get(0)), 100) + "t"),
       "containers are copied too often"},
      {10, "BINUNICODE cut", with_pickle(kProto + "X\5"),
       "truncated: 4 bytes are wanted, 1 follow"},
      {10, "BINUNICODE past the end", with_pickle(kProto + "X" + u32(1000) + "abc."),
       "truncated: 1000 bytes are wanted, 4 follow"},
      {10, "BINUNICODE of 4 GB", with_pickle(kProto + "X" + u32(0xFFFFFFFF) + "abc."),
       "truncated: 4294967295 bytes are wanted"},
      {10, "LONG1 past the end", with_pickle(kProto + "\x8A\xFF\x01."), "255 bytes are wanted"},
      {10, "LONG4 of 2 GB", with_value("\x8B" + u32(0x7FFFFFFF)), "the opcode LONG4"},
      {10, "SHORT_BINSTRING past the end", with_pickle(kProto + "U\x09xyz."), "9 bytes are wanted"},
      {10, "BINSTRING", with_value("T" + u32(1) + "x"), "the opcode BINSTRING"},
      {10, "BINFLOAT cut", with_pickle(kProto + "G123"), "8 bytes are wanted, 3 follow"},
      {10, "not UTF-8", with_value(unicode("\xFF\xFE")), "is not UTF-8"},
      {10, "overlong", with_value(unicode("\xC0\x80")), "is not UTF-8"},
      {10, "surrogate", with_value(unicode("\xED\xA0\x80")), "is not UTF-8"},
      {10, "cut character", with_value(unicode("\xE2\x82")), "is not UTF-8"},
      {11, "APPEND to a dict", with_value("}Na"), "only lists can be appended to, found {}"},
      {11, "APPEND to a tensor", with_value(vector(2) + "Na"), "found a tensor"},
      {11, "APPENDS to a tuple", with_value(")(Ne"), "only lists can be appended to, found ()"},
      {11, "SETITEM on a list", with_value("]NNs"), "only dicts have items to set, found []"},
      {11, "SETITEM on a tensor", with_value(vector(2) + "NNs"), "found a tensor"},
      {11, "SETITEM on a record", with_value(call(global("argparse", "Namespace"), "") + "NNs"),
       "found Namespace(())"},
      {11, "SETITEMS on a string", with_value(unicode("x") + "(NNu"), "found x"},
      {11, "odd count", with_value("}(NNNu"), "a key without a value"},
      {11, "key is a list", with_value("}]Ns"), "wants to be hashable, found []"},
      {11, "key is a dict", with_value("}}Ns"), "wants to be hashable, found {}"},
      {11, "key is a tensor", with_value("}" + vector(2) + "Ns"), "hashable, found a tensor"},
      {11, "key holds a list", with_value("}](N\x86\x85Ns"), "too few values"},
      {11, "key is a tuple of a list", with_value("}]\x85\x85Ns"), "hashable, found (([]))"},
      {11, "key is a circle", with_value("}" + kEmptyList + put(1) + get(1) + "a\x85Ns"),
       "wants to be hashable"},
  };
}

}  // namespace

Rows malformed_pickles() {
  Rows all;
  for (Rows rows : {opcodes(), stacks()}) {
    all.insert(all.end(), rows.begin(), rows.end());
  }
  return all;
}

}  // namespace fovea
