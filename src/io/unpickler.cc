// SPDX-License-Identifier: Apache-2.0
// The opcodes are those that Python's pickletools documents.
#include "src/io/unpickler.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "fovea/core/error.h"
#include "src/io/byte_reader.h"
#include "src/io/json.h"
#include "src/io/pickle_opcodes.h"
#include "src/io/pickle_rebuild.h"
#include "src/io/utf8.h"

namespace fovea {
namespace {

constexpr std::size_t kMaxGlobal = 256;  // bytes of a module's or a class's name

constexpr PickleId kNoValue = std::numeric_limits<PickleId>::max();

class Unpickler {
 public:
  Unpickler(std::string_view text, const std::string& where)
      : text_(text), where_(where), document_(text), copies_left_(text.size()) {}

  PickleDocument run();
  std::size_t position() const { return at_; }

 private:
  [[noreturn]] void fail(const std::string& what) const {
    throw Error(Error::Kind::file,
                where_ + ": at byte " + std::to_string(opcode_at_) + ": " + what);
  }

  void step(Opcode opcode);
  void step_number(Opcode opcode);
  void step_memo(Opcode opcode);
  void step_container(Opcode opcode);

  // Bytes of the pickle.
  std::string_view take(std::size_t size);
  template <class T>
  T number() {
    return little_endian<T>(take(sizeof(T)), 0);
  }
  std::string_view line();

  // The stack, of which only what is above the last mark can be taken.
  void push(PickleId id) { stack_.push_back(id); }
  PickleId pop();
  PickleId top() const;
  std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
  std::size_t pop_mark();
  void push_tuple(std::size_t count);

  void get(std::size_t index);
  void put(std::size_t index);
  void push_unicode();
  void push_short_string();
  void push_long();
  void push_global();
  void push_empty_set();
  void append_from(std::size_t begin);
  void set_items_from(std::size_t begin);
  void check_key(PickleId key) const;
  void persistent();
  void reduce(bool is_newobj);
  PickleId make_mapping(PickleId arguments);
  void build();

  std::string_view text_;
  const std::string& where_;
  std::size_t at_ = 0;
  std::size_t opcode_at_ = 0;
  PickleDocument document_;
  std::vector<PickleId> stack_;
  std::vector<std::size_t> marks_;
  std::vector<PickleId> memo_;
  PickleId empty_set_ = kNoValue;  // one for all: there is no opcode that adds to a set
  // Items that may still be copied from one container to another. Each comes from bytes of its own
  // in a pickle that Python wrote; one that copies a container again and again ends here.
  std::size_t copies_left_;
};

std::string_view Unpickler::take(std::size_t size) {
  if (size > text_.size() - at_) {
    fail("truncated: " + std::to_string(size) + " bytes are wanted, " +
         std::to_string(text_.size() - at_) + " follow");
  }
  at_ += size;
  return text_.substr(at_ - size, size);
}

std::string_view Unpickler::line() {
  const std::string_view rest = text_.substr(at_, kMaxGlobal + 1);
  const std::size_t length = rest.find('\n');
  if (length == std::string_view::npos) {
    if (rest.size() <= kMaxGlobal) fail("truncated within a name");
    fail("a name of more than " + std::to_string(kMaxGlobal) + " bytes");
  }
  return take(length + 1).substr(0, length);
}

PickleId Unpickler::pop() {
  const PickleId id = top();
  stack_.pop_back();
  return id;
}

PickleId Unpickler::top() const {
  if (stack_.size() <= floor()) {
    fail(marks_.empty() ? "the stack is empty" : "the stack is empty down to its mark");
  }
  return stack_.back();
}

std::size_t Unpickler::pop_mark() {
  if (marks_.empty()) fail("there is no mark on the stack");
  const std::size_t begin = marks_.back();
  marks_.pop_back();
  return begin;
}

void Unpickler::push_tuple(std::size_t count) {
  if (stack_.size() - floor() < count) fail("too few values on the stack for a tuple");
  const std::size_t begin = stack_.size() - count;
  const PickleId id = document_.add_tuple(std::span(stack_).subspan(begin));
  stack_.resize(begin);
  push(id);
}

void Unpickler::get(std::size_t index) {
  if (index >= memo_.size() || memo_[index] == kNoValue) {
    fail("there is no value " + std::to_string(index) + " in the memo");
  }
  push(memo_[index]);
}

// Python numbers what it keeps from 0 or 1 on, so that the numbers stay below those of the bytes.
void Unpickler::put(std::size_t index) {
  const PickleId id = top();
  if (index >= at_) fail("the memo's index " + std::to_string(index) + " leaves out values");
  if (index >= memo_.size()) memo_.resize(index + 1, kNoValue);
  memo_[index] = id;
}

void Unpickler::push_unicode() {
  const std::string_view value = take(number<std::uint32_t>());
  if (!is_utf8(value)) fail("the string " + in_quotes(value) + " is not UTF-8");
  push(document_.add_text(PickleKind::text, value));
}

void Unpickler::push_short_string() {
  const std::string_view value = take(number<std::uint8_t>());
  const bool ascii = std::all_of(value.begin(), value.end(),
                                 [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  push(document_.add_text(ascii ? PickleKind::text : PickleKind::bytes, value));
}

void Unpickler::push_long() {
  const std::string_view value = take(number<std::uint8_t>());
  if (value.size() > sizeof(std::int64_t)) {
    push(document_.add_text(PickleKind::big_integer, value));
    return;
  }
  const bool negative = !value.empty() && static_cast<unsigned char>(value.back()) >= 0x80;
  std::uint64_t bits = negative ? ~std::uint64_t{0} : 0;
  std::memcpy(&bits, value.data(), value.size());
  push(document_.add(PickleKind::integer, bits));
}

void Unpickler::push_global() {
  const std::string_view module = line();
  const std::string_view name = line();
  const PickleGlobal* global = find_pickle_global(module, name);
  if (global == nullptr) {
    fail("it refers to " + in_quotes(std::string(module) + "." + std::string(name)) +
         ", which is not among the names that a checkpoint of tensors needs; nothing of it was "
         "called. Where the file can be trusted, load it in PyTorch and save its state_dict as "
         "safetensors");
  }
  push(document_.add_global(global));
}

void Unpickler::push_empty_set() {
  if (empty_set_ == kNoValue) {
    const PickleId set = document_.add_global(find_pickle_global("builtins", "set"));
    empty_set_ = document_.add_record(set, PickleDocument::kEmptyTuple);
  }
  push(empty_set_);
}

void Unpickler::append_from(std::size_t begin) {
  if (begin <= floor()) fail("there is nothing to append to");
  const PickleId list = stack_[begin - 1];
  if (!document_.is(list, PickleKind::list)) {
    fail("only lists can be appended to, found " + document_.describe(list));
  }
  document_.append(list, std::span(stack_).subspan(begin));
  stack_.resize(begin);
}

void Unpickler::check_key(PickleId key) const {
  if (!document_.hashable(key)) {
    fail("a key of a dict wants to be hashable, found " + document_.describe(key));
  }
}

void Unpickler::set_items_from(std::size_t begin) {
  if (begin <= floor()) fail("there is no dict to set items of");
  const PickleId dict = stack_[begin - 1];
  if (!document_.is(dict, PickleKind::dict)) {
    fail("only dicts have items to set, found " + document_.describe(dict));
  }
  if ((stack_.size() - begin) % 2 != 0) fail("a key without a value");
  for (std::size_t i = begin; i < stack_.size(); i += 2) check_key(stack_[i]);
  document_.append(dict, std::span(stack_).subspan(begin));
  stack_.resize(begin);
}

void Unpickler::persistent() {
  const PickleId id = pop();
  try {
    push(rebuild_storage(document_, id));
  } catch (const Error& error) {
    fail(error.what());
  }
}

// What OrderedDict and Counter are made from: nothing, a dict, or a list of pairs (Python 2).
PickleId Unpickler::make_mapping(PickleId arguments) {
  const PickleId made = document_.add_container(PickleKind::dict);
  const std::span<const PickleId> given = document_.items(arguments);
  if (given.empty()) return made;
  const PickleKind kind = document_.kind(given[0]);
  if (given.size() != 1 || (kind != PickleKind::dict && kind != PickleKind::list)) {
    fail("a dict cannot be made from " + document_.describe(arguments));
  }
  const std::vector<PickleId> source(document_.items(given[0]).begin(),
                                     document_.items(given[0]).end());
  if (source.size() > copies_left_) fail("containers are copied too often");
  copies_left_ -= source.size();
  if (kind == PickleKind::dict) {
    document_.append(made, source);
    return made;
  }
  for (const PickleId pair : source) {
    const bool sequence =
        document_.is(pair, PickleKind::list) || document_.is(pair, PickleKind::tuple);
    if (!sequence || document_.items(pair).size() != 2) {
      fail("wanted a key and a value, found " + document_.describe(pair));
    }
    check_key(document_.items(pair)[0]);
    document_.append(made, document_.items(pair));
  }
  return made;
}

void Unpickler::reduce(bool is_newobj) {
  const PickleId arguments = pop();
  const PickleId callee = pop();
  if (!document_.is(callee, PickleKind::global)) {
    fail("only names can be called, found " + document_.describe(callee));
  }
  if (!document_.is(arguments, PickleKind::tuple)) {
    fail("wanted a tuple of arguments, found " + document_.describe(arguments));
  }
  const PickleGlobal& global = document_.global(callee);
  if (global.role == PickleRole::mapping) {
    push(make_mapping(arguments));
  } else if (global.role == PickleRole::record) {
    push(document_.add_record(callee, arguments));
  } else if (is_newobj && global.role != PickleRole::size && global.role != PickleRole::parameter) {
    fail(std::string(global.name) + " is no class to make objects of");
  } else {
    try {
      push(rebuild_tensor(document_, callee, arguments));
    } catch (const Error& error) {
      fail(error.what());
    }
  }
}

// Attributes: of a dict they are nothing that weights need, of a record a part.
void Unpickler::build() {
  const PickleId state = pop();
  const PickleId object = top();
  if (document_.is(object, PickleKind::record)) {
    document_.append(object, {&state, 1});
  } else if (!document_.is(object, PickleKind::dict)) {
    fail("attributes of " + document_.describe(object) + " cannot be set");
  }
}

void Unpickler::step_number(Opcode opcode) {
  using enum Opcode;
  std::int64_t value = 0;
  if (opcode == binint) value = number<std::int32_t>();
  if (opcode == binint1) value = number<std::uint8_t>();
  if (opcode == binint2) value = number<std::uint16_t>();
  if (opcode == binfloat) {  // the one number with its highest byte first
    push(document_.add(PickleKind::real, __builtin_bswap64(number<std::uint64_t>())));
    return;
  }
  push(document_.add(PickleKind::integer, static_cast<std::uint64_t>(value)));
}

void Unpickler::step_memo(Opcode opcode) {
  using enum Opcode;
  const bool is_long = opcode == long_binget || opcode == long_binput;
  const std::size_t index = is_long ? number<std::uint32_t>() : number<std::uint8_t>();
  if (opcode == binget || opcode == long_binget) {
    get(index);
  } else {
    put(index);
  }
}

void Unpickler::step_container(Opcode opcode) {
  using enum Opcode;
  switch (opcode) {
    case tuple: {
      const std::size_t begin = pop_mark();
      return push_tuple(stack_.size() - begin);
    }
    case tuple1:
      return push_tuple(1);
    case tuple2:
      return push_tuple(2);
    case tuple3:
      return push_tuple(3);
    case empty_list:
      return push(document_.add_container(PickleKind::list));
    case empty_dict:
      return push(document_.add_container(PickleKind::dict));
    case empty_set:
      return push_empty_set();
    case append:
      top();
      return append_from(stack_.size() - 1);
    case appends:
      return append_from(pop_mark());
    case setitem:
      if (stack_.size() - floor() < 2) fail("too few values on the stack for an item of a dict");
      return set_items_from(stack_.size() - 2);
    default:
      return set_items_from(pop_mark());
  }
}

void Unpickler::step(Opcode opcode) {
  using enum Opcode;
  switch (opcode) {
    case proto:
      if (number<std::uint8_t>() > 5) fail("a pickle protocol above 5");
      return;
    case mark:
      return marks_.push_back(stack_.size());
    case none:
      return push(PickleDocument::kNone);
    case newfalse:
      return push(PickleDocument::kFalse);
    case newtrue:
      return push(PickleDocument::kTrue);
    case empty_tuple:
      return push(PickleDocument::kEmptyTuple);
    case binint:
    case binint1:
    case binint2:
    case binfloat:
      return step_number(opcode);
    case long1:
      return push_long();
    case binunicode:
      return push_unicode();
    case short_binstring:
      return push_short_string();
    case binget:
    case long_binget:
    case binput:
    case long_binput:
      return step_memo(opcode);
    case global:
      return push_global();
    case binpersid:
      return persistent();
    case reduce_:
      return reduce(false);
    case newobj:
      return reduce(true);
    case build_:
      return build();
    default:
      if (is_container_opcode(opcode)) return step_container(opcode);
      fail("the opcode " + opcode_name(static_cast<unsigned char>(opcode)) +
           " is not one that torch.save writes by default; load the file in PyTorch, where it can "
           "be trusted, and save its state_dict as safetensors");
  }
}

PickleDocument Unpickler::run() {
  if (text_.size() < 2 || text_[0] != '\x80') fail("a pickle of protocol 2 or above is wanted");
  for (;;) {
    opcode_at_ = at_;
    if (at_ == text_.size()) fail("truncated: the pickle has no STOP");
    const auto opcode = static_cast<Opcode>(number<std::uint8_t>());
    if (opcode == Opcode::stop) break;
    step(opcode);
  }
  if (!marks_.empty()) fail("a mark is left on the stack at STOP");
  if (stack_.size() != 1) {
    fail("wanted one value on the stack at STOP, found " + std::to_string(stack_.size()));
  }
  document_.set_root(stack_[0]);
  return std::move(document_);
}

}  // namespace

PickleDocument unpickle(std::string_view text, const std::string& where, PickleEnd end,
                        std::size_t* used) {
  Unpickler unpickler(text.substr(0, kMaxPickle), where);
  PickleDocument document = unpickler.run();
  if (end == PickleEnd::of_text && unpickler.position() != text.size()) {
    throw Error(Error::Kind::file, where + ": " +
                                       std::to_string(text.size() - unpickler.position()) +
                                       " bytes follow the pickle's STOP at byte " +
                                       std::to_string(unpickler.position()));
  }
  if (used != nullptr) *used = unpickler.position();
  return document;
}

}  // namespace fovea
