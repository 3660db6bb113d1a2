// SPDX-License-Identifier: Apache-2.0
// Items 1-6: other files, and zip archives.
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

// The good archive, changed.
std::string zip_with(const std::function<void(ZipWriter&)>& change) {
  ZipWriter zip = good_archive();
  change(zip);
  return zip.write();
}
// The same, its member 0 changed: data.pkl.
std::string member_with(const std::function<void(ZipMember&)>& change) {
  return zip_with([&](ZipWriter& zip) { change(zip.members[0]); });
}
Rows other_files() {
  return {
      {1, "empty", "", "wanted at least 8 bytes, found 0"},
      {1, "text", "hello, world, this is text", "not a safetensors file"},
      {1, "pointer", "version https://git-lfs.github.com/spec/v1\n", "a Git LFS pointer"},
      {1, "web page", "\n<!DOCTYPE html><html>", "a web page"},
      {1, "XML", "<?xml version=\"1.0\"?><Error>", "a web page"},
      {1, "gzip", "\x1F\x8B\x08\0\0\0\0\0"s, "compressed with gzip"},
      {1, "HDF5", "\x89HDF\r\n\x1A\n"s, "an HDF5 file"},
      {1, "GGUF", "GGUF\3\0\0\0"s, "a GGUF file"},
      {1, "ONNX", "\x08\x07\x12\x07pytorch", "an ONNX model"},
      {1, "NumPy", "\x93NUMPY\1\0", "a NumPy array"},
      {1, "tar of torch 0.1", "storages" + std::string(249, '\0') + "ustar", "a tar archive"},
      {1, "another pickle", whole(kEmptyDict), "a Python pickle that torch.save did not write"},
      {1, "pickle of protocol 0", "(dp0\nS'a'\np1\nI1\ns.", "not a safetensors file"},
      {1, "legacy, magic changed", kProto + "\x8A\x0A\x6C\xFC\x9C\x46\xF9\x20\x6A\xA8\x50\x1A.",
       "not one that torch.save wrote: its magic number is a large integer"},
      {1, "legacy, version changed", kMagic + whole(integer(1002)), "is 1002, wanted 1001"},
      {1, "NumPy archive", zip_with([](auto& z) { z.members.emplace_back("x/a.npy", ""); }),
       "a NumPy archive"},
      {1, "TorchScript",
       zip_with([](auto& z) { z.members.emplace_back("archive/constants.pkl", ""); }),
       "a TorchScript archive"},
      {1, "TorchScript code", zip_with([](auto& z) { z.members.emplace_back("a/code/m.py", ""); }),
       "a TorchScript archive"},
      {1, "TorchScript, compressed code", zip_with([](auto& z) {
         z.members.emplace_back("archive/code/__torch__.py", "");
         z.members.back().method = 8;
         z.members.emplace_back("archive/constants.pkl", "");
       }),
       "a TorchScript archive"},
      {1, "zip around it", zip_with([](auto& z) { z.members.emplace_back("archive/m.pth", ""); }),
       "a zip archive around \"archive/m.pth\"; unpack it first"},
  };
}

Rows ends_of_archives() {
  const std::string good = good_archive().write();
  const std::string end = good.substr(good.size() - 22);
  const auto zip64 = [](const std::function<void(ZipWriter&)>& change) {
    return zip_with([&](ZipWriter& zip) {
      zip.zip64 = true;
      change(zip);
    });
  };
  return {
      {2, "magic only", "PK\3\4", "truncated: a zip archive of 4 bytes"},
      {2, "no end", good.substr(0, good.size() - 22), "no end of the central directory"},
      {2, "end cut", good.substr(0, good.size() - 1), "no end of the central directory"},
      {2, "bytes behind the end", good + "xyz", "no end of the central directory"},
      {2, "empty archive", "PK\5\6" + std::string(18, '\0'), "the zip archive is empty"},
      {2, "comment", zip_with([](auto& z) {
         z.comment = "hello";
         z.comment_size = 5;
       }),
       "ends in a comment"},
      {2, "end inside a comment", zip_with([&](auto& z) {
         z.comment = end;
         z.comment_size = 22;
       }),
       "two ends of its central directory"},
      {2, "fewer entries announced", zip_with([](auto& z) { z.more_entries = -1; }),
       "bytes of the central directory are no entries"},
      {2, "more entries announced", zip_with([](auto& z) { z.more_entries = 1; }),
       "the central directory has no entry at byte"},
      {2, "far more entries announced", zip_with([](auto& z) { z.more_entries = 60000; }),
       "no room for 60004 members"},
      {2, "counts differ", zip_with([](auto& z) { z.more_entries_on_disk = 1; }),
       "counts its members in two ways"},
      {2, "size wrong", zip_with([](auto& z) { z.more_size = 1; }), "is not where"},
      {2, "offset wrong", zip_with([](auto& z) { z.more_offset = -1; }), "is not where"},
      {2, "offset behind the file", zip_with([](auto& z) { z.more_offset = 1 << 30; }),
       "is not where"},
      {2, "bytes behind the directory", zip_with([](auto& z) { z.behind_directory = "xy"; }),
       "is not where"},
      {2, "another disk", zip_with([](auto& z) { z.disk = 1; }), "several disks"},
      {2, "sentinel without zip64", zip_with([](auto& z) {
         z.more_offset = 0xFFFFFFFF - static_cast<std::int64_t>(z.write().find("PK\1\2"));
       }),
       "refers to zip64 records that it does not have"},
      {2, "zip64: entries", zip64([](auto& z) { z.more_entries64 = 1; }), "disagree"},
      {2, "zip64: size", zip64([](auto& z) { z.more_size64 = 1; }), "disagree"},
      {2, "zip64: record's length", zip64([](auto& z) { z.more_record64 = 8; }),
       "has 52 bytes, wanted 44"},
      {2, "zip64: locator", zip64([](auto& z) { z.more_locator64 = -4; }),
       "not where its locator says"},
      {2, "zip64: locator wraps", zip64([](auto& z) { z.more_locator64 = -(kHuge + kHuge / 2); }),
       "not where its locator says"},
      {2, "zip64: disks", zip64([](auto& z) { z.disks64 = 2; }), "several disks"},
      {2, "zip64 field missing", member_with([](auto& m) { m.size = 0xFFFFFFFF; }),
       "zip64 field is missing or short"},
      {2, "zip64 field short", member_with([](auto& m) {
         m.size = 0xFFFFFFFF;
         m.extra = u16(1) + u16(4) + u32(1);
       }),
       "zip64 field is missing or short"},
      {2, "zip64 field long", member_with([](auto& m) { m.extra = u16(1) + u16(8) + u64(1); }),
       "values to spare"},
      {2, "two zip64 fields",
       member_with([](auto& m) { m.extra = u16(1) + u16(0) + u16(1) + u16(0); }),
       "two zip64 fields"},
      {2, "extra field cut", member_with([](auto& m) { m.extra = u16(9) + u16(9); }),
       "extra field is cut"},
      {2, "extra field of a byte", member_with([](auto& m) { m.extra = "x"; }),
       "extra field is cut"},
  };
}

Rows members() {
  return {
      {3, "names differ", member_with([](auto& m) { m.local_name = "archive/data.pkx"; }),
       "its names in the central directory and at byte 0 disagree"},
      {3, "lengths of names differ", member_with([](auto& m) { m.local_name += "x"; }),
       "its names"},
      {3, "sizes differ", member_with([](auto& m) { m.local_size = 7; }), "its sizes"},
      {3, "methods differ", member_with([](auto& m) { m.local_method = 8; }),
       "its compression methods"},
      {3, "flags differ", member_with([](auto& m) { m.local_flags = 8; }), "its flags"},
      {3, "offset differs", member_with([](auto& m) { m.moved = 1; }),
       "there is no header of a member at byte 1"},
      {3, "offset behind the file", member_with([](auto& m) { m.moved = 1 << 30; }),
       "lies outside the archive"},
      {3, "on another disk", member_with([](auto& m) { m.disk = 1; }), "on another disk"},
      {3, "beyond the file",
       member_with([](auto& m) { m.size = m.packed_size = m.local_size = 100000; }),
       "lies outside the archive"},
      {3, "size wraps", member_with([](auto& m) {
         m.size = m.packed_size = m.local_size = 0xFFFFFFFF;
         m.extra = u16(1) + u16(16) + u64(~std::uint64_t{0} - 8) + u64(~std::uint64_t{0} - 8);
       }),
       "lies outside the archive"},
      {3, "overlap", member_with([](auto& m) { m.size = m.packed_size = m.local_size += 40; }),
       "\"archive/data.pkl\" and \"archive/byteorder\" overlap"},
      {3, "two members at one place", zip_with([](auto& z) {
         ZipMember twin = z.members[0];
         twin.moved = -static_cast<std::int64_t>(z.write().find("PK\1\2"));
         z.members.push_back(twin);
         z.members.back().name = "archive/data.pkm";
       }),
       "its names"},
      {3, "no member at the beginning", zip_with([](auto& z) { z.before = "PK\3\4"; }),
       "does not begin with a member"},
      {4, "deflate", member_with([](auto& m) {
         m.method = 8;
         m.packed_size = 20;
       }),
       "it is compressed (deflate)"},
      {4, "zstd", member_with([](auto& m) { m.method = 93; }), "it is compressed (zstd)"},
      {4, "unknown method", member_with([](auto& m) { m.method = 77; }), "(method 77)"},
      {4, "encrypted", member_with([](auto& m) { m.flags = 1; }), "it is encrypted"},
      {4, "strongly encrypted", member_with([](auto& m) { m.flags = 65; }), "it is encrypted"},
      {4, "masked headers", member_with([](auto& m) { m.flags = 1 << 13; }), "it is encrypted"},
      {4, "patch", member_with([](auto& m) { m.flags = 1 << 5; }), "it is a patch"},
      {4, "bomb", member_with([](auto& m) {
         m.method = 8;
         m.size = 0xFFFFFFF0;
       }),
       "it is compressed (deflate)"},
      {4, "stored, with two sizes", member_with([](auto& m) { m.size += 1; }),
       "it is not compressed, but its sizes differ"},
      {4, "descriptor missing", member_with([](auto& m) {
         m.flags = 8;
         m.local_size = 0;
       }),
       "its sizes in the central directory and behind its data disagree"},
      {4, "descriptor with other sizes", member_with([](auto& m) {
         m.flags = 8;
         m.local_size = 0;
         m.behind = "PK\7\x08" + u32(0) + u32(m.size) + u32(m.size + 1);
       }),
       "behind its data disagree"},
      {4, "size unknown", member_with([](auto& m) {
         m.flags = 8;
         m.size = m.packed_size = m.local_size = 0xFFFFFFFF;
       }),
       "zip64 field is missing or short"},
  };
}

Rows contents() {
  return {
      {5, "name twice", zip_with([](auto& z) { z.members.push_back(z.members[0]); }),
       "\"archive/data.pkl\": it is there twice"},
      {5, "absolute", zip_with([](auto& z) { z.members.emplace_back("/archive/x", ""); }),
       "wanted a relative name"},
      {5, "upwards", zip_with([](auto& z) { z.members.emplace_back("archive/../x", ""); }),
       "wanted a relative name without . and .."},
      {5, "dot", zip_with([](auto& z) { z.members.emplace_back("./x", ""); }), "relative name"},
      {5, "empty component", zip_with([](auto& z) { z.members.emplace_back("archive//x", ""); }),
       "relative name"},
      {5, "backslash", zip_with([](auto& z) { z.members.emplace_back("archive\\x", ""); }),
       "contains NUL, \\ or :"},
      {5, "drive", zip_with([](auto& z) { z.members.emplace_back("C:/x", ""); }), "contains NUL"},
      {5, "NUL", zip_with([](auto& z) { z.members.emplace_back("archive/x\0y"s, ""); }),
       "contains NUL"},
      {5, "no name", zip_with([](auto& z) { z.members.emplace_back("", ""); }),
       "a name has from 1 to 4096 bytes"},
      {5, "long name",
       zip_with([](auto& z) { z.members.emplace_back(std::string(5000, 'n'), ""); }),
       "a name has from 1 to 4096 bytes"},
      {5, "folder with content",
       zip_with([](auto& z) { z.members.emplace_back("archive/x/", "1"); }),
       "a folder has no content"},
      {5, "two roots", zip_with([](auto& z) { z.members.emplace_back("other/data.pkl", ""); }),
       "wants one folder with everything in it"},
      {5, "no root", zip_with([](auto& z) { z.members.emplace_back("data.pkl", ""); }),
       "wants one folder"},
      {5, "no data.pkl", zip_with([](auto& z) { z.members.erase(z.members.begin()); }),
       "there is no archive/data.pkl"},
      {5, "no storage", zip_with([](auto& z) { z.members.erase(z.members.begin() + 2); }),
       "the storage \"0\" is missing"},
      {5, "data.pkl above the cap", archive(std::string((64U << 20) + 1, 'N'), {}).write(),
       "data.pkl has 67108865 bytes, wanted at most 67108864"},
      {6, "big endian", zip_with([](auto& z) {
         z.members[1] = {"archive/byteorder", "big"};
       }),
       "written on a big-endian machine"},
      {6, "unknown order", zip_with([](auto& z) {
         z.members[1] = {"archive/byteorder", "pdp"};
       }),
       "unknown byteorder \"pdp\""},
      {6, "no version", zip_with([](auto& z) { z.members.pop_back(); }), "no archive/version"},
      {6, "version 0", zip_with([](auto& z) {
         z.members[3] = {"archive/version", "0\n"};
       }),
       "the layout's version \"0\\x0a\" is not known"},
      {6, "version 11", zip_with([](auto& z) {
         z.members[3] = {"archive/version", "11"};
       }),
       "is not known"},
      {6, "version empty", zip_with([](auto& z) {
         z.members[3] = {"archive/version", ""};
       }),
       "is not known"},
      {6, "legacy, big endian",
       kMagic + whole(integer(1001)) + whole(dict(unicode("little_endian") + kFalse)),
       "written on a big-endian machine"},
  };
}

}  // namespace

Rows malformed_archives() {
  Rows all;
  for (Rows rows : {other_files(), ends_of_archives(), members(), contents()}) {
    all.insert(all.end(), rows.begin(), rows.end());
  }
  return all;
}

}  // namespace fovea
