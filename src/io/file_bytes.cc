// SPDX-License-Identifier: Apache-2.0
#include "src/io/file_bytes.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

#include "fovea/core/error.h"

namespace fovea {
namespace {

class Descriptor {
 public:
  // Non-blocking, so that a pipe without a writer is refused and not waited for.
  explicit Descriptor(const char* path) : fd_(::open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {}
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;

  int get() const { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void fail(const std::string& name, int error) {
  throw Error(Error::Kind::file,
              name + ": cannot be read: " + std::generic_category().message(error));
}

void map(int fd, std::size_t size, FileBytes& file) {
  // The deleter is there before there is anything to delete: nothing leaks if the owner cannot be
  // allocated.
  struct Mapping {
    void* data = MAP_FAILED;
    std::size_t size = 0;
    ~Mapping() {
      if (data != MAP_FAILED) ::munmap(data, size);
    }
  };
  const auto mapping = std::make_shared<Mapping>();
  mapping->data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  if (mapping->data == MAP_FAILED) fail(file.name, errno);
  mapping->size = size;
  file.bytes = {static_cast<const std::byte*>(mapping->data), size};
  file.owner = mapping;
  file.mapped = true;
}

void read_all(int fd, std::size_t size, FileBytes& file) {
  const std::shared_ptr<std::byte[]> data(new std::byte[size]);
  std::size_t have = 0;
  while (have < size) {
    const ssize_t count = ::read(fd, data.get() + have, size - have);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail(file.name, errno);
    if (count == 0) {
      throw Error(Error::Kind::file, file.name + ": became shorter while it was read: wanted " +
                                         std::to_string(size) + " bytes, found " +
                                         std::to_string(have));
    }
    have += static_cast<std::size_t>(count);
  }
  file.bytes = {data.get(), size};
  file.owner = data;
}

}  // namespace

std::shared_ptr<const void> FileBytes::part(std::size_t begin, std::size_t size) const {
  if (!mapped) return owner;
  const auto page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));
  // Pages that lie in the part as a whole; the mapping itself begins with a page.
  const std::size_t first = (begin + page - 1) / page * page;
  const std::size_t last = (begin + size) / page * page;
  if (first >= last) return owner;
  void* const pages = const_cast<std::byte*>(bytes.data()) + first;
  return {pages, [length = last - first, kept = owner](void* p) {
            ::madvise(p, length, MADV_DONTNEED);  // read again from the file if anybody looks
          }};
}

FileBytes open_file(const std::filesystem::path& path, FileAccess access, std::size_t max_bytes) {
  FileBytes file;
  file.name = path.string();
  const Descriptor descriptor(path.c_str());
  if (descriptor.get() < 0) fail(file.name, errno);
  struct stat status {};
  if (::fstat(descriptor.get(), &status) != 0) fail(file.name, errno);
  if (!S_ISREG(status.st_mode)) {
    throw Error(Error::Kind::file, file.name + ": wanted a file, found " +
                                       (S_ISDIR(status.st_mode) ? "a folder" : "a device or pipe"));
  }
  if (status.st_size == 0) return file;  // an empty mapping is refused by the system
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size > max_bytes) {
    throw Error(Error::Kind::file, file.name + ": wanted at most " + std::to_string(max_bytes) +
                                       " bytes, found " + std::to_string(size));
  }
  if (access == FileAccess::map) {
    map(descriptor.get(), size, file);
  } else {
    read_all(descriptor.get(), size, file);
  }
  return file;
}

}  // namespace fovea
