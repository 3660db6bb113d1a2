// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <string>
#include <string_view>

#include "tests/io/zip_writer.h"

namespace fovea::pickle {

// Pickles in the words of Python's pickletools, without BINPUT unless it is asked for.
inline const std::string kProto = "\x80\x02";
inline const std::string kStop = ".";
inline const std::string kMark = "(";
inline const std::string kNone = "N";
inline const std::string kFalse = "\x89";
inline const std::string kTrue = "\x88";
inline const std::string kEmptyTuple = ")";
inline const std::string kEmptyList = "]";
inline const std::string kEmptyDict = "}";
inline const std::string kAppend = "a";
inline const std::string kAppends = "e";
inline const std::string kSetItem = "s";
inline const std::string kSetItems = "u";
inline const std::string kReduce = "R";
inline const std::string kNewObj = "\x81";
inline const std::string kBuild = "b";
inline const std::string kPersId = "Q";

inline std::string unicode(std::string_view text) {
  return "X" + u32(text.size()) + std::string(text);
}
inline std::string integer(std::int64_t value) { return "\x8A\x08" + bytes_of(value); }
inline std::string global(std::string_view module, std::string_view name) {
  return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}
inline std::string tuple(const std::string& items) { return kMark + items + "t"; }
inline std::string put(unsigned index) { return "r" + u32(index); }
inline std::string get(unsigned index) { return "j" + u32(index); }
inline std::string call(const std::string& callee, const std::string& items) {
  return callee + tuple(items) + kReduce;
}
inline std::string dict(const std::string& items) { return kEmptyDict + kMark + items + kSetItems; }
inline std::string whole(const std::string& value) { return kProto + value + kStop; }

// The persistent id of a storage of floats.
inline std::string storage(std::int64_t count, std::string_view key = "0",
                           std::string_view type = "FloatStorage") {
  return tuple(unicode("storage") + global("torch", type) + unicode(key) + unicode("cpu") +
               integer(count)) +
         kPersId;
}

// What _rebuild_tensor_v2 is called with; sizes and strides as tuples.
inline std::string tensor(const std::string& storage, std::int64_t offset, const std::string& sizes,
                          const std::string& strides) {
  return call(global("torch._utils", "_rebuild_tensor_v2"),
              storage + integer(offset) + sizes + strides + kFalse + kEmptyDict);
}

// A tensor of `count` floats, all of a storage.
inline std::string vector(std::int64_t count, std::string_view key = "0") {
  return tensor(storage(count, key), 0, tuple(integer(count)), tuple(integer(1)));
}

// The archive of torch.save around a pickle, with storages "0", "1", ... of that content.
inline ZipWriter archive(const std::string& pickle, const std::vector<std::string>& storages) {
  ZipWriter zip;
  zip.members.emplace_back("archive/data.pkl", pickle);
  zip.members.emplace_back("archive/byteorder", "little");
  for (std::size_t i = 0; i < storages.size(); ++i) {
    zip.members.emplace_back("archive/data/" + std::to_string(i), storages[i]);
  }
  zip.members.emplace_back("archive/version", "3\n");
  return zip;
}

// {"a": a tensor of two floats}, pickle and file.
inline std::string good_pickle() { return whole(dict(unicode("a") + vector(2))); }
inline ZipWriter good_archive() { return archive(good_pickle(), {std::string(8, 'x')}); }

// The format before torch 1.6.
inline const std::string kMagic = kProto + "\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x19.";
inline std::string legacy(const std::string& pickle, const std::string& keys,
                          const std::string& storages) {
  return kMagic + whole(integer(1001)) + whole(dict(unicode("little_endian") + kTrue)) + pickle +
         whole(kEmptyList + kMark + keys + kAppends) + storages;
}

}  // namespace fovea::pickle
