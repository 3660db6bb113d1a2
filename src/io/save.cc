// SPDX-License-Identifier: Apache-2.0
#include "fovea/io/save.h"

#include <sys/stat.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <set>
#include <system_error>

#include "fovea/core/error.h"
#include "src/io/json.h"

namespace fovea {
namespace {

namespace fs = std::filesystem;

static_assert(std::endian::native == std::endian::little, "both formats are written as they lie");

[[noreturn]] void fail(const fs::path& path, const std::string& what) {
  throw Error(Error::Kind::file, path.string() + ": " + what);
}

// A file that takes its name when it is complete, and disappears when it never is.
class AtomicFile {
 public:
  explicit AtomicFile(const fs::path& path) : path_(path), temporary_(path.string() + ".XXXXXX") {
    fd_ = ::mkstemp(temporary_.data());
    if (fd_ < 0) fail_with(errno);
    // mkstemp() lets nobody else read; a result is no secret. The mask can only be read by setting
    // it, which other threads would notice, so the usual one is taken for granted.
    if (::fchmod(fd_, 0644) != 0) abandon(errno);
  }
  ~AtomicFile() {
    if (fd_ >= 0) remove();
  }
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(const void* data, std::size_t size) {
    const char* next = static_cast<const char*>(data);
    while (size > 0) {
      const ssize_t written = ::write(fd_, next, size);
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) abandon(errno);
      next += written;
      size -= static_cast<std::size_t>(written);
    }
  }
  void write(const std::string& text) { write(text.data(), text.size()); }

  void commit() {
    if (::fsync(fd_) != 0) abandon(errno);
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) abandon(errno);
    ::close(std::exchange(fd_, -1));
  }

 private:
  void remove() noexcept {
    ::close(std::exchange(fd_, -1));
    ::unlink(temporary_.c_str());
  }
  [[noreturn]] void fail_with(int error) const {
    fail(path_, "cannot be written: " + std::generic_category().message(error));
  }
  // Also for the constructor, which has no destructor behind it.
  [[noreturn]] void abandon(int error) {
    remove();
    fail_with(error);
  }

  fs::path path_;
  std::string temporary_;
  int fd_ = -1;
};

// Bytes of a tensor that can be written; `what` names it in messages.
std::size_t bytes_of(const fs::path& path, const Tensor& tensor, const std::string& what) {
  const auto count = checked_numel(tensor.shape());
  std::size_t bytes = 0;
  if (!count ||
      __builtin_mul_overflow(static_cast<std::size_t>(*count), size_of(tensor.dtype()), &bytes)) {
    fail(path, what + " has the impossible shape " + to_string(tensor.shape()));
  }
  if (!tensor.has_data()) fail(path, what + " has no data to save");
  return bytes;
}

std::string upper_case(std::string_view name) {  // of an ASCII name
  std::string upper(name);
  for (char& c : upper) {
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  }
  return upper;
}

}  // namespace

void save_npy(const fs::path& path, const Tensor& tensor) {
  const std::size_t bytes = bytes_of(path, tensor, "the tensor");
  if (tensor.dtype() != DType::f32) {
    fail(path, "wanted a tensor of f32, found " + std::string(to_string(tensor.dtype())));
  }
  std::string shape;  // a Python tuple: (), (3,), (2, 3)
  for (const std::int64_t size : tensor.shape()) {
    shape += (shape.empty() ? "" : " ") + std::to_string(size) + ",";
  }
  if (tensor.shape().size() > 1) shape.pop_back();
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': (" + shape + "), }";
  // The format wants the data to begin at a multiple of 64, after spaces and a newline.
  constexpr std::size_t kPrefix = 10;  // magic, version, length of the header
  header.append(63 - (kPrefix + header.size()) % 64, ' ');
  header += '\n';
  if (header.size() > 0xFFFF) fail(path, "a shape of too many sizes for .npy");
  std::string prefix("\x93NUMPY\x01\x00", 8);
  prefix += static_cast<char>(header.size() & 0xFF);
  prefix += static_cast<char>(header.size() >> 8);

  AtomicFile file(path);
  file.write(prefix);
  file.write(header);
  file.write(tensor.bytes(), bytes);
  file.commit();
}

void save_safetensors(const fs::path& path, const NamedTensors& tensors) {
  // Ordered: readers see the tensors in the order of their bytes.
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  std::set<std::string_view> names;
  std::size_t end = 0;
  for (const auto& [name, tensor] : tensors) {
    const std::size_t begin = end;
    const std::size_t bytes = bytes_of(path, tensor, "tensor " + in_quotes(name));
    if (__builtin_add_overflow(begin, bytes, &end)) fail(path, "more tensors than fit a file");
    if (name == "__metadata__" || name.find('\0') != std::string::npos) {
      fail(path, in_quotes(name) + " cannot be the name of a tensor");
    }
    if (!names.insert(name).second) fail(path, "two tensors are called " + in_quotes(name));
    json[name] = {{"dtype", upper_case(to_string(tensor.dtype()))},
                  {"shape", tensor.shape()},
                  {"data_offsets", {begin, end}}};
  }
  std::string header;
  try {
    header = json.dump();
  } catch (const Json::exception&) {
    fail(path, "the name of a tensor is not UTF-8");
  }
  header.append((8 - header.size() % 8) % 8, ' ');  // so that the data are aligned
  const std::uint64_t length = header.size();

  AtomicFile file(path);
  file.write(&length, sizeof length);
  file.write(header);
  for (const auto& [name, tensor] : tensors) {
    file.write(tensor.bytes(), bytes_of(path, tensor, name));
  }
  file.commit();
}

void save_text(const fs::path& path, const std::string& text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

}  // namespace fovea
