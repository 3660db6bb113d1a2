// SPDX-License-Identifier: Apache-2.0
//
// What a reader takes from the heap stays below the multiple of the file's size that its header
// promises, for files made to cost as much as they can; and twice the file costs twice as much.

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <vector>

#include "fovea/io/checkpoint.h"
#include "fovea/io/hub_folder.h"
#include "src/io/file_bytes.h"
#include "src/io/json.h"
#include "src/io/safetensors.h"
#include "src/io/torch_checkpoint.h"
#include "tests/counting_allocator.h"
#include "tests/io/malformed.h"
#include "tests/io/pickle_writer.h"
#include "tests/io/safetensors_builder.h"

namespace fovea {
namespace {

using test::AllocationCount;
using test::repeated;
using test::safetensors_file;

constexpr std::size_t kConstant = 64 << 10;

void read_safetensors(const std::string& content) {
  open_safetensors({"input", nullptr, std::as_bytes(std::span(content))});
}
void read_torch(const std::string& content) {
  open_torch_checkpoint({"input", nullptr, std::as_bytes(std::span(content))});
}
void read_json_text(const std::string& content) { parse_json(content, "input", Error::Kind::file); }
void read_model_args(const std::string& content) { parse_model_args(content); }

struct Adversary {
  const char* name;
  std::function<void(const std::string&)> read;
  std::function<std::string(int)> content;  // its size grows with the number
  std::size_t multiple;                     // bytes of heap for each byte of the file
};

// "0", "1", ... with something behind each, separated by commas.
std::string numbered(int count, const std::string& behind) {
  std::string out;
  for (int i = 0; i < count; ++i) {
    out += (i == 0 ? "\"" : ",\"") + std::to_string(i) + "\"" + behind;
  }
  return out;
}

std::string array_of(const std::string& item, int count) {
  return "[" + repeated(item + ",", count) + item + "]";
}

using Adversaries = std::vector<Adversary>;

Adversaries against_safetensors() {
  constexpr std::size_t kSafetensors = 64;
  const auto header = [](const std::string& text) { return safetensors_file(text); };
  return {
      {"safetensors of many tensors", read_safetensors,
       [=](int n) { return header(test::many_tensors(n)); }, kSafetensors},
      {"safetensors of much metadata", read_safetensors,
       [=](int n) { return header("{\"__metadata__\":{" + numbered(n, ":\"\"") + "}}"); },
       kSafetensors},
      {"safetensors of high rank", read_safetensors,
       [=](int n) {
         const std::string tensor =
             ":{\"dtype\":\"U8\",\"data_offsets\":[0,0],\"shape\":[0" + repeated(",0", 15) + "]}";
         return header("{" + numbered(n, tensor) + "}");
       },
       kSafetensors},
      {"safetensors of rank beyond the limit", read_safetensors,
       [=](int n) { return header(test::tensor_a("\"shape\":" + array_of("0", n))); },
       kSafetensors},
      {"safetensors of a long name", read_safetensors,
       [=](int n) { return header("{\"" + std::string(100 * n, 'n') + "\":1}"); }, kSafetensors},
      {"safetensors of a long name in escapes", read_safetensors,
       [=](int n) { return header("{\"" + repeated("\\u0001", 100 * n) + "\":1}"); }, kSafetensors},
      {"safetensors of a long number", read_safetensors,
       [=](int n) {
         return header(test::tensor_a("\"shape\":[" + std::string(100 * n, '1') + "]"));
       },
       kSafetensors},
      {"safetensors nested deeply", read_safetensors,
       [=](int n) { return header("{\"a\":" + repeated("[", 100 * n)); }, kSafetensors},
      {"safetensors of control characters", read_safetensors,
       [=](int n) { return header("{" + std::string(100 * n, '\x01')); }, kSafetensors},
  };
}

Adversaries against_json() {
  constexpr std::size_t kJson = 64, kArgs = 160;
  return {
      {"JSON array of numbers", read_json_text, [](int n) { return array_of("0", n); }, kJson},
      {"JSON array of arrays", read_json_text, [](int n) { return array_of("[]", n); }, kJson},
      {"JSON array of objects", read_json_text, [](int n) { return array_of("{}", n); }, kJson},
      {"JSON array of strings", read_json_text, [](int n) { return array_of("\"\"", n); }, kJson},
      {"JSON array of small objects", read_json_text, [](int n) { return array_of("{\"\":0}", n); },
       kJson},
      {"JSON of many keys", read_json_text, [](int n) { return "{" + numbered(n, ":{}") + "}"; },
       kJson},
      {"JSON nested deeply", read_json_text, [](int n) { return repeated("[", 100 * n); }, kJson},
      {"JSON nested deeply in objects", read_json_text,
       [](int n) { return repeated("{\"\":", 100 * n); }, kJson},
      {"JSON of a long string", read_json_text,
       [](int n) { return "\"" + std::string(100 * n, 'x') + "\""; }, kJson},
      {"JSON of a long number", read_json_text, [](int n) { return std::string(100 * n, '1'); },
       kJson},
      {"JSON of control characters", read_json_text,
       [](int n) { return "\"" + std::string(100 * n, '\x01'); }, kJson},

      {"arguments that are a long list", read_model_args,
       [](int n) { return "{\"a\":" + array_of("0", n) + "}"; }, kArgs},
      {"arguments that are many lists", read_model_args,
       [](int n) { return "{\"a\":" + array_of("[]", n) + "}"; }, kArgs},
      {"arguments of many names", read_model_args,
       [](int n) { return "{" + numbered(n, ":0") + "}"; }, kArgs},
  };
}

// An archive around "n" opcodes of a kind, which need not make sense.
Adversary pickle_of(const char* name, const std::string& opcode, const std::string& begin = "") {
  const auto content = [=](int n) {
    const std::string opcodes = begin + repeated(opcode, 10 * n);
    return pickle::archive(pickle::whole(opcodes), {}).write();
  };
  return {name, read_torch, content, 64};
}

Adversaries against_pickles() {
  using namespace pickle;
  const auto tensors = [](int n) {
    std::string items;
    for (int i = 0; i < n; ++i) items += unicode(std::to_string(i)) + vector(2);
    return archive(whole(dict(items)), {std::string(8, 'x')}).write();
  };
  // Everything but the names comes from the memo.
  const auto ranks = [](int n) {
    std::string opcodes = kEmptyDict;
    opcodes += global("torch._utils", "_rebuild_tensor_v2") + "q\x01" + "0";
    opcodes += storage(1) + "q\x02" + "0";
    opcodes += tuple(repeated(integer(1), 16)) + "q\x03" + "0";
    opcodes += tuple(repeated(integer(7), 16)) + "q\x04" + "0";
    for (int i = 0; i < n; ++i) {
      opcodes += unicode(std::to_string(i)) + "h\x01(h\x02K" + std::string(1, '\0') +
                 "h\x03h\x04\x89Nt" + kReduce + kSetItem;
    }
    return archive(whole(opcodes), {"1234"}).write();
  };
  const auto members = [](int n) {
    ZipWriter zip = good_archive();
    for (int i = 0; i < n % 50000; ++i)
      zip.members.emplace_back("archive/" + std::to_string(i), "");
    return zip.write();
  };
  const auto old = [](int n) { return kMagic + repeated(kNone, 10 * n); };
  return {
      pickle_of("pickle of values", kNone),
      pickle_of("pickle of marks", kMark),
      pickle_of("pickle of lists", kEmptyList),
      pickle_of("pickle of dicts", kEmptyDict),
      pickle_of("pickle of tuples", kEmptyTuple),
      pickle_of("pickle of tuples around tuples", "\x85", kNone),
      pickle_of("pickle of pairs of themselves", put(0) + get(0) + "\x86", kNone),
      pickle_of("pickle of a long list", kNone, kEmptyList + kMark),
      pickle_of("pickle of values kept", kNone + put(7)),
      pickle_of("pickle of high memo indices", put(0xFFFFFFFF), kNone),
      pickle_of("pickle of one value many times", get(0), kEmptyList + put(0)),
      pickle_of("pickle of appends to itself", get(0) + kAppend, kEmptyList + put(0)),
      pickle_of("pickle of empty strings", unicode("")),
      pickle_of("pickle of names", global("torch", "Size")),
      pickle_of("pickle of objects", global("argparse", "Namespace") + kEmptyTuple + kNewObj),
      pickle_of("pickle of one key many times", unicode("a") + kNone + kSetItem, kEmptyDict),
      {"pickle of many tensors", read_torch, tensors, 64},
      {"pickle of many tensors of high rank", read_torch, ranks, 64},
      {"archive of many members", read_torch, members, 64},
      {"old checkpoint of values", read_torch, old, 64},
  };
}

const Adversaries& adversaries() {
  static const Adversaries all = [] {
    Adversaries list;
    for (const auto& part : {against_safetensors(), against_json(), against_pickles()}) {
      list.insert(list.end(), part.begin(), part.end());
    }
    return list;
  }();
  return all;
}

AllocationCount cost(const Adversary& adversary, const std::string& content) {
  return test::count_allocations([&] {
    try {
      adversary.read(content);
    } catch (const Error&) {
    }
  });
}

TEST(AllocationBound, HoldsForFilesMadeToCostMuch) {
  for (const Adversary& adversary : adversaries()) {
    SCOPED_TRACE(adversary.name);
    for (const int size : {0, 1, 10, 1000, 8000}) {
      const std::string content = adversary.content(size);
      const AllocationCount count = cost(adversary, content);
      EXPECT_LE(count.peak_bytes, adversary.multiple * content.size() + kConstant)
          << content.size() << " bytes";
      EXPECT_LE(count.allocations, 2 * content.size() + 1000) << content.size() << " bytes";
    }
  }
}

// A file of twice the size costs at most twice as much, but for the steps in which vectors grow.
TEST(AllocationBound, GrowsWithTheFile) {
  for (const Adversary& adversary : adversaries()) {
    SCOPED_TRACE(adversary.name);
    const AllocationCount once = cost(adversary, adversary.content(4000));
    const AllocationCount twice = cost(adversary, adversary.content(8000));
    EXPECT_LE(twice.allocations, 2.2 * static_cast<double>(once.allocations) + 100);
    EXPECT_LE(twice.peak_bytes, 3.5 * static_cast<double>(once.peak_bytes) + kConstant);
  }
}

}  // namespace
}  // namespace fovea
