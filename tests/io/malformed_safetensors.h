// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "tests/io/malformed.h"
#include "tests/io/safetensors_builder.h"

namespace fovea::test {

// Every way in which a single .safetensors file can be wrong, in the order of these items:
//
//  1. the header's length         2. what kind of text the header is   3. bombs and hostile names
//  4. keys                        5. dtype                             6. shape
//  7. products of sizes           8. data_offsets                      9. bytes against shape
// 10. the end of the data        11. __metadata__
inline std::vector<Malformed> malformed_safetensors() {
  using namespace std::string_literals;
  const auto file = [](const std::string& header, const std::string& data = "") {
    return safetensors_file(header, data);
  };
  // One tensor "a" of 4 bytes with another shape, dtype or offsets.
  const auto shape = [&](const std::string& text) {
    return file(tensor_a("\"dtype\":\"F32\",\"data_offsets\":[0,4],\"shape\":" + text), "1234");
  };
  const auto dtype = [&](const std::string& text) {
    return file(tensor_a("\"shape\":[1],\"data_offsets\":[0,4],\"dtype\":" + text), "1234");
  };
  const auto offsets = [&](const std::string& text) {
    return file(tensor_a("\"shape\":[1],\"dtype\":\"F32\",\"data_offsets\":" + text), "1234");
  };
  // Two tensors of bytes, "a" of 2 and "b" of `size_b`, and `size` bytes of data.
  const auto two = [&](const std::string& a, const std::string& b, int size, int size_b = 2) {
    return file("{\"a\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":" + a +
                    "},\"b\":{\"dtype\":\"U8\",\"shape\":[" + std::to_string(size_b) +
                    "],\"data_offsets\":" + b + "}}",
                repeated("x", size));
  };
  const auto metadata = [&](const std::string& text) {
    return file("{\"__metadata__\":" + text + "}");
  };
  const std::string open = "{\"a\":";
  const std::string entry = kEmptyTensor;

  return {
      {1, "empty", "", "wanted at least 8 bytes, found 0"},
      {1, "seven bytes", "\x01\0\0\0\0\0\0"s, "wanted at least 8 bytes, found 7"},
      {1, "N is 0", "\0\0\0\0\0\0\0\0{}"s, "the header is empty"},
      {1, "N above the cap", "\x01\xE1\xF5\x05\0\0\0\0{}"s, "a header of 100000001 bytes"},
      {1, "N behind the end", "\x03\0\0\0\0\0\0\0{}"s,
       "truncated: a header of 3 bytes is announced, but 2 follow"},
      {1, "8 + N wraps to 7", "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}"s,
       "a header of 18446744073709551615 bytes"},
      {1, "8 + N wraps to 0", "\xF8\xFF\xFF\xFF\xFF\xFF\xFF\xFF{}"s,
       "a header of 18446744073709551608 bytes"},

      {2, "not UTF-8", file("{\"\xFF\xFE\":" + entry + "}"), "not JSON: an error at its byte 3"},
      {2, "overlong UTF-8", file("{\"\xC0\xAF\":" + entry + "}"), "not JSON"},
      {2, "surrogate in UTF-8", file("{\"\xED\xA0\x80\":" + entry + "}"), "not JSON"},
      {2, "not JSON", file("{a:1}"), "not JSON: an error at its byte 2"},
      {2, "unclosed", file("{"), "not JSON"},
      {2, "comment", file("{/* */}"), "not JSON"},
      {2, "trailing comma", file("{\"a\":" + entry + ",}"), "not JSON"},
      {2, "single quotes", file("{'a':1}"), "not JSON"},
      {2, "line feed in a string", file("{\"a\n\":" + entry + "}"), "not JSON"},
      {2, "an array", file("[]"), "does not begin with {"},
      {2, "space first", file(" {}"), "does not begin with {"},
      {2, "byte order mark first", file("\xEF\xBB\xBF{}"), "does not begin with {"},
      {2, "NUL padding", file("{}\0\0"s), "contains a NUL byte"},
      {2, "text behind", file("{} x"), "not JSON: an error at its byte 4"},
      {2, "a second object behind", file("{}{}"), "not JSON"},
      {2, "a brace too many", file("{}}"), "not JSON"},

      {3, "nested arrays", file(open + repeated("[", 1000000)), "wants an object, found an array"},
      {3, "nested objects", file(repeated(open, 1000000)), "unknown key \"a\""},
      {3, "nested in shape", shape(repeated("[", 1000000)), "shape wants integers"},
      {3, "nested in data_offsets", offsets(repeated("[", 1000000)), "wants two integers"},
      {3, "nested in metadata", metadata("{\"a\":" + repeated("[", 1000000)), "strings only"},
      {3, "100001 tensors", file(many_tensors(100001)), "more than 100000 tensors"},
      {3, "name of 5000 bytes", file("{\"" + repeated("n", 5000) + "\":" + entry + "}"),
       "is longer than 4096 bytes"},
      {3, "name of 10 million bytes", file("{\"" + repeated("n", 10'000'000) + "\":1}"),
       "is longer than 4096 bytes"},
      {3, "high surrogate alone", file("{\"\\ud800\":" + entry + "}"), "not JSON"},
      {3, "low surrogate alone", file("{\"\\udc00\":" + entry + "}"), "not JSON"},
      {3, "surrogates reversed", file("{\"\\udc00\\ud800\":" + entry + "}"), "not JSON"},
      {3, "NUL in a name", file("{\"a\\u0000b\":" + entry + "}"),
       "the name \"a\\x00b\" contains NUL"},

      {4, "a tensor twice", file(open + entry + ",\"a\":" + entry + "}"), "\"a\" appears twice"},
      {4, "a tensor twice, once escaped", file(open + entry + ",\"\\u0061\":" + entry + "}"),
       "\"a\" appears twice"},
      {4, "dtype twice", dtype("\"F32\",\"dtype\":\"F32\""), "tensor \"a\": dtype appears twice"},
      {4, "shape twice", shape("[1],\"shape\":[1]"), "shape appears twice"},
      {4, "data_offsets twice", offsets("[0,4],\"data_offsets\":[0,4]"), "offsets appears twice"},
      {4, "entry is a number", file("{\"a\":1}"), "tensor \"a\" wants an object, found 1"},
      {4, "entry is a string", file("{\"a\":\"\"}"), "tensor \"a\" wants an object, found \"\""},
      {4, "entry is null", file("{\"a\":null}"), "tensor \"a\" wants an object, found null"},
      {4, "entry is an array", file("{\"a\":[]}"), "tensor \"a\" wants an object, found an array"},
      {4, "no dtype", file(tensor_a("\"shape\":[0],\"data_offsets\":[0,0]")), "dtype is missing"},
      {4, "no shape", file(tensor_a("\"dtype\":\"U8\",\"data_offsets\":[0,0]")),
       "shape is missing"},
      {4, "no data_offsets", file(tensor_a("\"dtype\":\"U8\",\"shape\":[0]")),
       "data_offsets is missing"},
      {4, "no key at all", file("{\"a\":{}}"), "dtype is missing"},
      {4, "unknown key", dtype("\"F32\",\"extra\":1"), "unknown key \"extra\""},
      {4, "key in capitals", dtype("\"F32\",\"Shape\":[1]"), "unknown key \"Shape\""},
      {4, "control characters", dtype("\"F32\",\"\\u001b[2J\":1"), "unknown key \"\\x1b[2J\""},

      {5, "unknown dtype", dtype("\"F31\""), "tensor \"a\": unknown dtype \"F31\""},
      {5, "empty dtype", dtype("\"\""), "unknown dtype \"\""},
      {5, "dtype in small letters", dtype("\"f32\""), "unknown dtype \"f32\""},
      {5, "dtype is a number", dtype("32"), "dtype wants a string, found 32"},
      {5, "dtype is null", dtype("null"), "dtype wants a string, found null"},
      {5, "dtype is true", dtype("true"), "dtype wants a string, found true"},
      {5, "dtype is an array", dtype("[\"F32\"]"), "dtype wants a string, found an array"},
      {5, "dtype is an object", dtype("{}"), "dtype wants a string, found an object"},
      {5, "8-bit float", dtype("\"F8_E4M3\""), "the dtype F8_E4M3 is not supported"},
      {5, "4-bit float, even bits",
       file(tensor_a("\"dtype\":\"F4\",\"shape\":[8],\"data_offsets\":[0,4]"), "1234"),
       "the dtype F4 is not supported"},
      {5, "4-bit float, odd bits",
       file(tensor_a("\"dtype\":\"F4\",\"shape\":[7],\"data_offsets\":[0,4]"), "1234"),
       "the dtype F4 is not supported"},
      {5, "6-bit float, odd bits",
       file(tensor_a("\"dtype\":\"F6_E2M3\",\"shape\":[5],\"data_offsets\":[0,4]"), "1234"),
       "the dtype F6_E2M3 is not supported"},

      {6, "shape is a number", shape("1"), "shape wants an array, found 1"},
      {6, "shape is null", shape("null"), "shape wants an array, found null"},
      {6, "shape is an object", shape("{}"), "shape wants an array, found an object"},
      {6, "negative size", shape("[-1]"), "shape wants integers from 0 to 2^63 - 1, found -1"},
      {6, "minus zero", shape("[-0]"), "shape wants integers from 0 to 2^63 - 1"},
      {6, "fractional size", shape("[1.0]"), "integers from 0 to 2^63 - 1, found 1.0"},
      {6, "exponent 1e0", shape("[1e0]"), "found 1e0"},
      {6, "exponent 1e3", shape("[1e3]"), "found 1e3"},
      {6, "leading zero", shape("[01]"), "not JSON"},
      {6, "2^53 + 1", shape("[9007199254740993]"),
       "shape [9007199254740993] of f32 wants 36028797018963972 bytes, data_offsets give 4"},
      {6, "2^63", shape("[9223372036854775808]"), "found 9223372036854775808"},
      {6, "2^64", shape("[18446744073709551616]"), "found 18446744073709551616"},
      {6, "a thousand digits", shape("[1" + repeated("0", 999) + "]"), "not JSON"},
      {6, "infinite", shape("[1e999]"), "not JSON"},
      {6, "NaN", shape("[NaN]"), "not JSON"},
      {6, "size is a string", shape("[\"1\"]"), "found \"1\""},
      {6, "size is true", shape("[true]"), "found true"},
      {6, "size is null", shape("[null]"), "found null"},
      {6, "rank 17", shape("[1" + repeated(",1", 16) + "]"), "more than 16 sizes"},
      {6, "rank of a million", shape("[1" + repeated(",1", 1000000) + "]"), "more than 16 sizes"},

      {7, "product wraps to 0", shape("[4294967296,4294967296]"),
       "shape [4294967296, 4294967296] is too large"},
      {7, "product wraps to the size", shape("[4611686018427387905,4]"), "is too large"},
      {7, "bytes wrap to the size", shape("[4611686018427387905]"), "is too large"},
      {7, "bytes wrap to 0",
       file(tensor_a("\"dtype\":\"F32\",\"shape\":[4611686018427387904],\"data_offsets\":[0,0]")),
       "is too large"},
      {7, "huge behind a zero", shape("[0,4294967296,4294967296]"), "is too large"},
      {7, "huge before a zero", shape("[4294967296,4294967296,0]"), "is too large"},

      {8, "data_offsets is a number", offsets("4"), "data_offsets wants an array, found 4"},
      {8, "data_offsets is an object", offsets("{}"), "data_offsets wants an array"},
      {8, "no offset", offsets("[]"), "data_offsets wants two integers, found 0"},
      {8, "one offset", offsets("[0]"), "data_offsets wants two integers, found 1"},
      {8, "three offsets", offsets("[0,2,4]"), "data_offsets wants two integers, found more"},
      {8, "negative offset", offsets("[-4,0]"), "found -4"},
      {8, "fractional offset", offsets("[0,4.0]"), "found 4.0"},
      {8, "offset is a string", offsets("[0,\"4\"]"), "found \"4\""},
      {8, "reversed", offsets("[4,0]"), "data_offsets are reversed: 4, 0"},
      {8, "2^64", offsets("[18446744073709551612,18446744073709551616]"),
       "found 18446744073709551616"},
      {8, "far behind the end", offsets("[18446744073709551611,18446744073709551615]"),
       "truncated: tensor \"a\" ends at byte 18446744073709551615 of the data, which have 4"},
      {8, "overlap", two("[0,2]", "[1,3]", 3), "tensor \"b\" overlaps another one at byte 1"},
      {8, "the same bytes twice", two("[0,2]", "[0,2]", 2), "overlaps another one"},
      {8, "empty inside another", two("[0,2]", "[1,1]", 2, 0), "tensor \"b\" overlaps"},
      {8, "gap", two("[0,2]", "[3,5]", 5), "1 bytes before tensor \"b\" belong to no tensor"},
      {8, "first is not 0", two("[2,4]", "[4,6]", 6), "2 bytes before tensor \"a\""},

      {9, "shape wants more", shape("[2]"), "wants 8 bytes, data_offsets give 4"},
      {9, "shape wants less", shape("[0]"), "wants 0 bytes, data_offsets give 4"},
      {9, "scalar of other bytes", dtype("\"F64\""),
       "shape [1] of f64 wants 8 bytes, data_offsets give 4"},

      {10, "data behind the last tensor", two("[0,2]", "[2,4]", 5),
       "1 bytes after the last tensor"},
      {10, "data without tensors", file("{}", "x"), "1 bytes after the last tensor"},
      {10, "truncated in the last tensor", two("[0,2]", "[2,4]", 3),
       "truncated: tensor \"b\" ends at byte 4"},
      {10, "truncated before the data", two("[0,2]", "[2,4]", 0), "truncated: tensor \"a\""},

      {11, "metadata is an array", metadata("[]"), "__metadata__ wants an object, found an array"},
      {11, "metadata is null", metadata("null"), "__metadata__ wants an object, found null"},
      {11, "metadata is a string", metadata("\"pt\""), "wants an object, found \"pt\""},
      {11, "metadata has a number", metadata("{\"a\":1}"),
       "__metadata__ wants strings only, found 1"},
      {11, "metadata has null", metadata("{\"a\":null}"), "strings only, found null"},
      {11, "metadata has an object", metadata("{\"a\":{}}"), "strings only, found an object"},
      {11, "metadata twice", file("{\"__metadata__\":{},\"__metadata__\":{}}"),
       "\"__metadata__\" appears twice"},
      {11, "metadata key twice", metadata("{\"a\":\"\",\"a\":\"\"}"),
       "__metadata__ has \"a\" twice"},
      {11, "metadata key of 5000 bytes", metadata("{\"" + repeated("n", 5000) + "\":\"\"}"),
       "is longer than 4096 bytes"},
  };
}

}  // namespace fovea::test
