// SPDX-License-Identifier: Apache-2.0
#include "tests/io/malformed_pth.h"

#include <gtest/gtest.h>

#include <set>

#include "fovea/core/error.h"
#include "fovea/io/checkpoint.h"
#include "src/io/torch_checkpoint.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace fovea {
namespace {

void expect_refused(const std::vector<MalformedPth>& rows, int first_item, int last_item) {
  const TemporaryFolder folder;
  std::set<int> items;
  for (const MalformedPth& row : rows) {
    SCOPED_TRACE(std::to_string(row.item) + ": " + row.what);
    items.insert(row.item);
    const auto path = folder.write("bad.pth", row.file);
    expect_error([&] { open_checkpoint(path); }, Error::Kind::file, row.message);
    expect_error([&] { open_checkpoint(path); }, Error::Kind::file, path.string() + ": ");
  }
  for (int item = first_item; item <= last_item; ++item) {
    EXPECT_TRUE(items.contains(item)) << "no row for item " << item;
  }
}

TEST(MalformedPth, ArchivesAreRefused) { expect_refused(malformed_archives(), 1, 6); }

TEST(MalformedPth, PicklesAreRefused) { expect_refused(malformed_pickles(), 7, 11); }

TEST(MalformedPth, TensorsAreRefused) { expect_refused(malformed_tensors(), 12, 15); }

FileBytes in_memory(std::string_view content) {
  return {"in memory", nullptr, std::as_bytes(std::span(content))};
}

void load_everything(std::string_view content) {
  const auto source = open_torch_checkpoint(in_memory(content));
  for (const std::string& name : source->names()) source->load(name);
}

// What the tables change is right before it is changed.
TEST(MalformedPth, WhatTheTablesBeginWithIsRead) {
  const std::string legacy =
      pickle::legacy(pickle::good_pickle(), pickle::unicode("0"), u64(2) + std::string(8, 'x'));
  ZipWriter zip64 = pickle::good_archive();
  zip64.zip64 = true;
  ZipWriter described = pickle::good_archive();
  for (ZipMember& member : described.members) {
    member.flags = 8;
    member.local_size = 0;
    member.behind = "PK\7\x08" + u32(0) + u32(member.size) + u32(member.size);
  }
  for (const std::string& file :
       {pickle::good_archive().write(), zip64.write(), described.write(), legacy}) {
    const auto source = open_torch_checkpoint(in_memory(file));
    EXPECT_EQ(source->names(), std::vector<std::string>{"a"});
    EXPECT_EQ(*source->find("a"), (Shape{2}));
    EXPECT_NO_THROW(load_everything(file));
  }
}

TEST(MalformedPth, FilesCutAnywhereAreRefused) {
  const std::string legacy =
      pickle::legacy(pickle::good_pickle(), pickle::unicode("0"), u64(2) + std::string(8, 'x'));
  for (const std::string& whole : {pickle::good_archive().write(), legacy}) {
    EXPECT_NO_THROW(load_everything(whole));
    for (std::size_t size = 0; size < whole.size(); ++size) {
      EXPECT_THROW(load_everything(std::string_view(whole).substr(0, size)), Error) << size;
    }
  }
}

// Each byte replaced in turn: an Error, or a checkpoint that can be loaded.
TEST(MalformedPth, FilesWithOneOtherByteAreReadOrRefused) {
  const std::string legacy =
      pickle::legacy(pickle::good_pickle(), pickle::unicode("0"), u64(2) + std::string(8, 'x'));
  for (const std::string& whole : {pickle::good_archive().write(), legacy}) {
    int refused = 0;
    for (std::size_t at = 0; at < whole.size(); ++at) {
      for (const int value : {0x00, 0x01, 0x7F, 0x80, 0xFF, int{'R'}, int{'('}, int{'u'}}) {
        std::string other = whole;
        other[at] = static_cast<char>(value);
        try {
          load_everything(other);
        } catch (const Error&) {
          ++refused;
        }
      }
    }
    EXPECT_GT(refused, static_cast<int>(whole.size()));
  }
}

}  // namespace
}  // namespace fovea
