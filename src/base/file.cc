#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace qvl {
namespace {

// An open descriptor of a regular file and its size.
struct OpenFile {
  OpenFile(const std::filesystem::path& path, ErrorKind kind, const std::string& code)
      : fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK)) {
    if (fd < 0) throw Error(kind, code, fmt::format("{}: cannot open: {}", path.string(), std::strerror(errno)));
    struct stat info {};
    if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
      ::close(fd);
      throw Error(kind, code, fmt::format("{}: expected a regular file", path.string()));
    }
    size = static_cast<uint64_t>(info.st_size);
  }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() { ::close(fd); }

  int fd;
  uint64_t size = 0;
};

}  // namespace

std::string read_file(const std::filesystem::path& path, ErrorKind kind, const std::string& code, uint64_t max_bytes) {
  const OpenFile file(path, kind, code);
  if (file.size > max_bytes) {
    throw Error(kind, code, fmt::format("{}: {} bytes, at most {} expected", path.string(), file.size, max_bytes));
  }
  std::string text(file.size, '\0');
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::read(file.fd, text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) throw Error(kind, code, fmt::format("{}: cannot read past byte {}", path.string(), done));
    done += static_cast<size_t>(n);
  }
  return text;
}

MappedFile::MappedFile(const std::filesystem::path& path, ErrorKind kind, const std::string& code) {
  const OpenFile file(path, kind, code);
  size_ = file.size;
  if (size_ == 0) return;
  void* map = ::mmap(nullptr, size_, PROT_READ, MAP_SHARED, file.fd, 0);
  if (map == MAP_FAILED && errno == ENOMEM) {
    throw Error(ErrorKind::kMemory, "memory_budget", fmt::format("{}: not enough memory to map {} bytes", path.string(), size_));
  }
  if (map == MAP_FAILED) throw Error(kind, code, fmt::format("{}: cannot map: {}", path.string(), std::strerror(errno)));
  data_ = static_cast<const std::byte*>(map);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::drop_pages(const std::byte* begin, size_t size) const {
  constexpr uintptr_t kPage = 4096;
  const uintptr_t first = (reinterpret_cast<uintptr_t>(begin) + kPage - 1) / kPage * kPage;
  const uintptr_t last = (reinterpret_cast<uintptr_t>(begin) + size) / kPage * kPage;
  if (last > first) ::madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
}

}  // namespace qvl
