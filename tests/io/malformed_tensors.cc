// SPDX-License-Identifier: Apache-2.0
// Items 12-15: what a pickle says of tensors.
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

std::string with_tensor(std::int64_t offset, const std::string& sizes, const std::string& strides) {
  return with_value(tensor(storage(2), offset, sizes, strides));
}
std::string ints(std::initializer_list<std::int64_t> values) {
  std::string items;
  for (const std::int64_t value : values) items += integer(value);
  return tuple(items);
}
std::string with_storage_id(const std::string& items) { return with_value(tuple(items) + kPersId); }

Rows graphs() {
  const std::string circle = kEmptyDict + put(1) + unicode("model") + get(1) + "s";
  return {
      {12, "dict in itself", with_pickle(whole(circle)), "there are no named tensors"},
      {12, "list in itself", with_pickle(whole(kEmptyList + put(1) + get(1) + "a")),
       "wanted a dict of tensors, found [[[[[...]]]]]"},
      {12, "deep lists", with_pickle(whole(repeated("]", 200000) + repeated("a", 199999))),
       "wanted a dict of tensors, found [[[[[...]]]]]"},
      {12, "deep tuples", with_pickle(whole(kNone + repeated("\x85", 1000000))),
       "wanted a dict of tensors, found (((((...)))))"},
      {12, "deep dicts",
       with_pickle(whole(repeated("}" + unicode("a"), 100000) + "N" + repeated("s", 100000))),
       "there are no named tensors"},
      {12, "no dict", with_pickle(whole(vector(2))), "wanted a dict of tensors, found a tensor"},
      {12, "dict of nothing", with_pickle(whole(kEmptyDict)), "there are no named tensors"},
      {12, "two dicts",
       with_pickle(whole(dict(unicode("x") + dict(unicode("a") + vector(2)) + unicode("y") +
                              dict(unicode("a") + vector(2))))),
       "several dicts of tensors, at \"x\", \"y\"; say which is meant (--checkpoint-key)"},
      {12, "tensor twice", with_value(kNone + unicode("a") + vector(2)), "\"a\" twice"},
      {12, "twice without prefix", with_value(kNone + unicode("module.a") + vector(2)),
       "the tensor \"a\" twice"},
      {12, "no name", with_value(kNone + unicode("") + vector(2)), "a name has from 1 to"},
      {12, "NUL in a name", with_value(kNone + unicode("x\0y"s) + vector(2)), "no NUL"},
  };
}

Rows storages() {
  const std::string type = global("torch", "FloatStorage");
  const std::string cpu = unicode("cpu");
  const std::string id = unicode("storage") + type + unicode("0") + cpu;
  const auto of_count = [&](std::int64_t count) { return with_storage_id(id + integer(count)); };
  return {
      {13, "an integer", with_value(integer(1) + kPersId), "wanted a persistent id"},
      {13, "a string", with_value(unicode("storage") + kPersId), "wanted a persistent id"},
      {13, "an empty tuple", with_storage_id(""), "wanted a persistent id"},
      {13, "another kind",
       with_storage_id(unicode("tensor") + type + unicode("0") + cpu + integer(2)),
       "found one of \"tensor\""},
      {13, "a module", with_storage_id(unicode("module") + type + unicode("") + unicode("")),
       "a whole module with its source text"},
      {13, "too short", with_storage_id(id), "the persistent id has 4 arguments"},
      {13, "too long", with_storage_id(id + integer(2) + kNone + kNone), "has 7 arguments"},
      {13, "class is a string",
       with_storage_id(unicode("storage") + cpu + unicode("0") + cpu + integer(2)),
       "wants a storage class, found cpu"},
      {13, "class is another",
       with_storage_id(unicode("storage") + global("torch", "Size") + unicode("0") + cpu +
                       integer(2)),
       "wants a storage class, found torch.Size"},
      {13, "unknown class",
       with_storage_id(unicode("storage") + global("torch", "FooStorage") + unicode("0") + cpu +
                       integer(2)),
       "\"torch.FooStorage\", which is not among the names"},
      {13, "key is an integer",
       with_storage_id(unicode("storage") + type + integer(0) + cpu + integer(2)),
       "wants a key in a string, found 0"},
      {13, "location is none",
       with_storage_id(unicode("storage") + type + unicode("0") + kNone + integer(2)),
       "wants a location in a string, found None"},
      {13, "count is a string", with_storage_id(id + unicode("2")), "found 2"},
      {13, "negative count", of_count(-1), "a number of elements from 0, found -1"},
      {13, "huge count", of_count(kHuge), "is too large"},
      {13, "count above 64 bits", with_storage_id(id + "\x8A\x09" + std::string(9, '\1')),
       "found a large integer"},
      {13, "more than the member has",
       archive(whole(dict(unicode("a") + vector(3))), {std::string(8, 'x')}).write(),
       "the storage \"0\" has 8 bytes, wanted 12 for 3 elements"},
      {13, "less than the member has",
       archive(whole(dict(unicode("a") + vector(1))), {std::string(8, 'x')}).write(),
       "has 8 bytes, wanted 4 for 1 elements"},
      {13, "another key", with_value(vector(2, "../data.pkl")), "is missing"},
      {13, "two counts", with_value(vector(1)), "the storage \"0\" is described in two ways"},
      {13, "two classes", with_value(storage(1, "0", "DoubleStorage")), "in two ways"},
      {13, "view beyond its storage",
       with_storage_id(id + integer(2) + tuple(unicode("v") + integer(1) + integer(2))),
       "a view reaches beyond its storage"},
      {13, "view wraps",
       with_storage_id(id + integer(2) + tuple(unicode("v") + integer(1) + integer(INT64_MAX))),
       "a view reaches beyond its storage"},
      {13, "legacy: count differs",
       legacy(good_pickle(), unicode("0"), u64(3) + std::string(8, 'x')),
       "the storage \"0\" has 3 elements, wanted 2"},
      {13, "legacy: data cut", legacy(good_pickle(), unicode("0"), u64(2) + "1234567"),
       "wants 8 bytes, 7 follow"},
      {13, "legacy: count cut", legacy(good_pickle(), unicode("0"), "123"), "truncated before"},
      {13, "legacy: key missing", legacy(good_pickle(), "", ""), "the storage \"0\" is missing"},
      {13, "legacy: key unknown", legacy(good_pickle(), unicode("1"), ""), "nothing refers to"},
      {13, "legacy: key an integer", legacy(good_pickle(), integer(0), ""), "nothing refers to"},
      {13, "legacy: key twice",
       legacy(good_pickle(), unicode("0") + unicode("0"), u64(2) + std::string(8, 'x')),
       "has \"0\" twice"},
      {13, "legacy: bytes behind",
       legacy(good_pickle(), unicode("0"), u64(2) + std::string(9, 'x')),
       "1 bytes after the last storage"},
  };
}

Rows tensors() {
  const std::string rebuild = global("torch._utils", "_rebuild_tensor_v2");
  const std::string v3 = global("torch._utils", "_rebuild_tensor_v3");
  const std::string rest = kFalse + kEmptyDict;
  const std::string untyped = tuple(unicode("storage") + global("torch.storage", "UntypedStorage") +
                                    unicode("1") + unicode("cpu") + integer(8)) +
                              kPersId;
  // That many tensors which are all of one storage of 1.2 MB.
  const auto shared = [](int count) {
    std::string items = unicode("t") + vector(300000) + put(1);
    for (int i = 1; i < count; ++i) items += unicode("t" + std::to_string(i)) + get(1);
    return archive(whole(dict(items)), {std::string(1200000, 'x')}).write();
  };
  return {
      {14, "one element too many", with_tensor(0, ints({3}), ints({1})),
       "a tensor of shape [3], strides [1] and offset 0 reaches beyond its storage, which has 2 "
       "elements"},
      {14, "offset too large", with_tensor(2, ints({1}), ints({1})), "reaches beyond its storage"},
      {14, "empty, offset too large", with_tensor(3, ints({0}), ints({1})), "reaches beyond"},
      {14, "negative offset", with_tensor(-1, ints({1}), ints({1})), "an offset from 0, found -1"},
      {14, "huge offset", with_tensor(INT64_MAX, ints({1}), ints({1})), "reaches beyond"},
      {14, "stride too large", with_tensor(0, ints({2}), ints({2})), "reaches beyond its storage"},
      {14, "negative stride", with_tensor(1, ints({2}), ints({-1})), "strides of a tensor want"},
      {14, "negative size", with_tensor(0, ints({-1}), ints({1})), "sizes of a tensor want"},
      {14, "size is a string", with_tensor(0, tuple(unicode("x")), ints({1})), "found x"},
      {14, "size is true", with_tensor(0, tuple(kTrue), ints({1})), "found True"},
      {14, "sizes in a list", with_tensor(0, kEmptyList, ints({})), "wants a tuple of sizes"},
      {14, "strides missing", with_tensor(0, ints({1}), kNone), "wants a tuple of strides"},
      {14, "ranks differ", with_tensor(0, ints({1, 2}), ints({1})), "2 sizes but 1 strides"},
      {14, "rank too large", with_tensor(0, tuple(repeated(integer(1), 17)), ints({})),
       "more than 16 sizes"},
      {14, "product overflows", with_tensor(0, ints({kHuge, 4}), ints({0, 0})), "is too large"},
      {14, "product wraps to zero", with_tensor(0, ints({kHuge, 4, 1}), ints({0, 0, 0})),
       "is too large"},
      {14, "bytes overflow", with_tensor(0, ints({kHuge}), ints({0})), "is too large"},
      {14, "zero hides a huge size", with_tensor(0, ints({0, kHuge, 4}), ints({1, 1, 1})),
       "is too large"},
      {14, "reach overflows", with_tensor(0, ints({3}), ints({kHuge})), "reaches beyond"},
      {14, "sum of reaches overflows", with_tensor(0, ints({2, 2}), ints({kHuge, kHuge})),
       "reaches beyond"},
      {14, "expanded bomb", with_tensor(0, ints({1 << 20}), ints({0})),
       "tensor \"b\": the tensors up to here repeat elements"},
      {14, "larger expanded bomb", with_tensor(0, ints({1 << 30, 1 << 20}), ints({0, 0})),
       "repeat elements"},
      {14, "too few arguments", with_value(call(rebuild, storage(2))), "has 1 arguments"},
      {14, "storage is a string",
       with_value(call(rebuild, unicode("x") + integer(0) + ints({}) + ints({}) + rest)),
       "wants a storage, found x"},
      {14, "untyped", with_value(call(rebuild, untyped + integer(0) + ints({}) + ints({}) + rest)),
       "wants a typed storage"},
      {14, "v3 of a typed storage",
       with_value(call(
           v3, storage(2) + integer(0) + ints({}) + ints({}) + rest + global("torch", "float32"))),
       "wants an untyped storage, found one of float32"},
      {14, "v3 without dtype",
       with_value(
           call(v3, untyped + integer(0) + ints({}) + ints({}) + rest + global("torch", "Size"))),
       "wants a dtype, found torch.Size"},
      {14, "v3 beyond its storage",
       with_value(call(
           v3, untyped + integer(0) + ints({3}) + ints({1}) + rest + global("torch", "float32"))),
       "which has 2 elements"},
      {14, "parameter of nothing",
       with_value(call(global("torch._utils", "_rebuild_parameter"), kNone + rest)),
       "wants a tensor, found None"},
      {14, "class of itself",
       with_value(call(global("torch._tensor", "_rebuild_from_type_v2"),
                       global("torch._tensor", "_rebuild_from_type_v2") +
                           global("torch", "Tensor") + kEmptyTuple + kEmptyDict)),
       "is called for itself"},
      {14, "sparse", with_value(call(global("torch._utils", "_rebuild_sparse_tensor"), "")),
       "tensor \"b\": tensors of torch._utils._rebuild_sparse_tensor are not supported"},
      {14, "complex",
       archive(whole(dict(unicode("a") +
                          tensor(storage(1, "0", "ComplexFloatStorage"), 0, ints({1}), ints({1})))),
               {std::string(8, 'x')})
           .write(),
       "the dtype complex64 is not supported"},
      {15, "above the cap together", shared(20),
       "tensor \"t16\": the tensors up to here repeat elements of their storages so often"},
  };
}

}  // namespace

Rows malformed_tensors() {
  Rows all;
  for (Rows rows : {graphs(), storages(), tensors()}) {
    all.insert(all.end(), rows.begin(), rows.end());
  }
  return all;
}

}  // namespace fovea
